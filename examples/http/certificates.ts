/** `node certificates.ts`: a certificate for the harbour by an authority that is gone at once, where `config/gateway.yaml` looks for it. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { CertificateAuthority } from '../../scripts/certificates.ts';

const DIRECTORY = join('.meltemi', 'http-certificates');

/** Gives what callers have to trust. */
export async function writeCertificates(host: string): Promise<string> {
  const authority = new CertificateAuthority();
  const { certificate, key } = authority.issue({ names: [host] });
  await mkdir(DIRECTORY, { recursive: true });
  await writeFile(join(DIRECTORY, 'harbour-key.pem'), key, { mode: 0o600 });
  await writeFile(join(DIRECTORY, 'harbour.pem'), certificate);
  await writeFile(join(DIRECTORY, 'ca.pem'), authority.certificate);
  return authority.certificate;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await writeCertificates('harbour.aegean.example');
  console.log(`harbour.pem, harbour-key.pem and ca.pem are in ${DIRECTORY}`);
}
