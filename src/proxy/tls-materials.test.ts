import { describe, expect, it } from 'vitest';
import { CertificateAuthority } from '../../scripts/certificates.ts';
import { FakeClock } from '../../test/harness/fake-clock.ts';
import { StatsStore } from '../metaprotocol/stats.ts';
import { TypeUrl } from '../xds/type-urls.ts';
import type { DownstreamTlsPlan, PemSource } from './describe/tls.ts';
import { FakeFiles, settled } from './testing/fake-files.ts';
import { recordingLog } from './testing/recording-log.ts';
import { TlsMaterials } from './tls-materials.ts';

const authority = new CertificateAuthority();
const [first, second] = [authority.issue({ names: ['a.example'] }), authority.issue({ names: ['a.example'] })];
const PAIR: PemSource[] = [{ file: '/a.pem' }, { file: '/a.key' }];

function owned(trustedCa: PemSource | null = null) {
  const tls: DownstreamTlsPlan = {
    minVersion: null,
    maxVersion: null,
    ciphers: [],
    applicationProtocols: [],
    subjectAltNames: [],
    trustedCa,
    certificates: [{ chain: PAIR[0]!, key: PAIR[1]! }],
    requireClientCertificate: false,
    handshakeTimeoutMs: 1,
  };
  return [{ typeUrl: TypeUrl.Listener, name: 'L', tls }];
}

function bench() {
  const clock = new FakeClock();
  const files = new FakeFiles();
  const log = recordingLog();
  const stats = new StatsStore();
  const changes: string[] = [];
  const materials: TlsMaterials = new TlsMaterials({
    clock,
    log,
    stats,
    files,
    onChange: () => changes.push(materials.textsOf(PAIR)[0]!),
  });
  const write = async (certificate: string, key: string) => {
    files.write('/a.pem', certificate);
    files.write('/a.key', key);
    for (let polls = 0; polls < 2; polls++) {
      clock.advance(500);
      await settled();
    }
  };
  return { files, log, stats, materials, changes, write };
}

describe('TlsMaterials', () => {
  it('gives what files hold, and tells when they hold something else', async () => {
    const { files, log, stats, materials, changes, write } = bench();
    files.write('/a.pem', first.certificate);
    files.write('/a.key', first.key);
    expect(await materials.load(owned())).toEqual([]);
    materials.use(owned());
    expect(materials.textsOf(PAIR)).toEqual([first.certificate, first.key]);
    const expiry = stats.gauge('tls_certificate_expiry_seconds', { certificate: '/a.pem' }).value;
    expect(expiry - Date.now() / 1_000).toBeGreaterThan(29 * 86_400);
    await write(second.certificate, second.key);
    expect(changes).toEqual([second.certificate]);
    expect(log.entries).toMatchObject([
      ['info', { files: ['/a.pem', '/a.key'] }, expect.stringContaining('new handshakes')],
    ]);
    expect(stats.counter('tls_reloads_total').value).toBe(1);
  });

  it('goes on with the last good ones, says why once, and for as long as it lasts', async () => {
    const { files, log, stats, materials, changes, write } = bench();
    files.write('/a.pem', first.certificate);
    files.write('/a.key', first.key);
    await materials.load(owned());
    materials.use(owned());
    await write(second.certificate, first.key);
    const note = () => materials.notes().map(({ name, message }) => `${name}: ${message}`);
    expect(note()).toEqual([
      'L: TLS: /a.key: is not the key of the certificate of DNS:a.example; the last good one goes on',
    ]);
    expect(materials.textsOf(PAIR)).toEqual([first.certificate, first.key]);
    await write('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n', first.key);
    expect(note()[0]).toMatch(/^L: TLS: \/a\.pem: certificate 1: /);
    files.remove('/a.pem');
    await write('nothing', 'at all');
    expect(note()[0]).toMatch(/\/a\.pem: has no PEM block CERTIFICATE; \/a\.key: is no private key in PEM/);
    expect(changes).toEqual([]);
    expect(log.entries.map(([level]) => level)).toEqual(['warn', 'warn', 'warn']);
    expect(stats.counter('tls_reload_failures_total').value).toBe(3);
    // A retry of the same changes nothing.
    expect(await materials.load(owned())).toEqual([]);
    await write(first.certificate, first.key);
    expect([note(), changes]).toEqual([[], []]);
    await write(second.certificate, second.key);
    expect([note(), changes]).toEqual([[], [second.certificate]]);
  });

  it('refuses what never had anything usable, until it has', async () => {
    const { files, materials, changes, write } = bench();
    const ca: PemSource = { inline: 'no CA', label: 'trustedCa' };
    files.write('/a.key', first.key);
    expect(await materials.load(owned(ca))).toEqual([
      {
        typeUrl: TypeUrl.Listener,
        name: 'L',
        message: "TLS: /a.pem: ENOENT: no such file, open '/a.pem'; trustedCa: has no PEM block CERTIFICATE",
      },
    ]);
    materials.use([]);
    expect(materials.notes()).toEqual([]);
    await write(first.certificate, first.key);
    expect(changes).toEqual([first.certificate]);
    expect(await materials.load(owned({ system: true }))).toEqual([]);
    expect(materials.textsOf([{ system: true }])).toEqual(['system']);
  });
});
