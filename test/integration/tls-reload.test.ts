/** Certificates renewed under load, and files that are broken for a while. */
import { once } from 'node:events';
import { rename, writeFile } from 'node:fs/promises';
import tls from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CertificateAuthority } from '../../scripts/certificates.ts';
import type { JsonObject } from '../../src/xds/json.ts';
import { freePort, http, listener, request, TlsBench, terminated, until, upstream } from './tls-fixture.ts';

let bench: TlsBench;
beforeEach(async () => {
  bench = await new TlsBench().open();
});
afterEach(() => bench.close());

/** Requests one after the other over one connection, and what came of them. */
class KeepAlive {
  answered = 0;
  isClosed = false;
  readonly socket: tls.TLSSocket;

  constructor(port: number, options: tls.ConnectionOptions) {
    this.socket = tls.connect({ port, host: '127.0.0.1', ...options });
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.isClosed = true;
    });
    this.socket.on('data', (chunk: Buffer) => {
      this.answered += String(chunk).split('HTTP/1.1 200').length - 1;
      this.#ask();
    });
    this.socket.on('secureConnect', () => this.#ask());
  }

  #ask(): void {
    this.socket.write('GET / HTTP/1.1\r\nHost: any\r\n\r\n');
  }
}

/** The serial number of the certificate that a new caller is shown. */
async function shownAt(port: number, options: tls.ConnectionOptions): Promise<string> {
  const socket = tls.connect({ port, host: '127.0.0.1', ...options });
  await once(socket, 'secureConnect');
  const { serialNumber } = socket.getPeerCertificate();
  socket.destroy();
  return serialNumber;
}

describe('files', () => {
  it('that are not there are no fault of the other hosts of a port', async () => {
    const port = await freePort();
    const chain = (name: string, file: JsonObject) => ({
      ...terminated([file]),
      ...http('S'),
      name,
      filterChainMatch: { serverNames: [name] },
    });
    const missing = {
      certificateChain: { filename: bench.file('m.pem') },
      privateKey: { filename: bench.file('m.key') },
    };
    await bench.start([
      listener('L', port, [
        chain('m.example', missing),
        chain('a.example', await bench.certificate('a', ['a.example'])),
      ]),
      ...upstream('S', await bench.httpServer('S')),
    ]);
    const ask = (servername: string) => request(port, { servername, ca: bench.authority.certificate });
    expect((await ask('a.example')).status).toBe(200);
    await expect(ask('m.example')).rejects.toThrow();
    expect(bench.warnings().filter((line) => line.includes('m.pem: ENOENT'))).toHaveLength(1);
    await bench.certificate('m', ['m.example']);
    await until(() => ask('m.example').catch(() => null));
  });

  it('that are renewed are shown to new callers; those that are there notice nothing, nor do calls', async () => {
    const port = await freePort();
    const own = bench.authority.issue({ names: ['s.example'] });
    const validation = { validationContext: { trustedCa: { filename: bench.file('ca.pem') } } };
    const proxy = await bench.start(
      [
        listener('L', port, [{ ...terminated([await bench.certificate('a', ['a.example'])]), ...http('S') }]),
        ...upstream('S', await bench.httpServer('S', { cert: own.certificate, key: own.key }), {
          sni: 's.example',
          commonTlsContext: validation,
        }),
      ],
      { workers: 2 },
    );
    const options = { servername: 'a.example', ca: bench.authority.certificate };
    const kept = Array.from({ length: 8 }, () => new KeepAlive(port, options));
    let [calls, failed, isOver] = [0, 0, false];
    const newcomers = Array.from({ length: 4 }, async () => {
      while (!isOver) {
        calls++;
        const answer = await request(port, options).catch(() => null);
        if (answer?.status !== 200) failed++;
      }
    });
    let shown = await shownAt(port, options);
    for (let renewal = 0; renewal < 4; renewal++) {
      // The CA as well: what it signed before stays good.
      await writeFile(bench.file('ca.pem'), bench.authority.certificate + '\n'.repeat(renewal + 1));
      await bench.certificate('a', ['a.example']);
      await until(async () => (await shownAt(port, options)) !== shown);
      shown = await shownAt(port, options);
    }
    isOver = true;
    await Promise.all(newcomers);
    expect(kept.map(({ isClosed }) => isClosed)).not.toContain(true);
    expect([failed, calls > 10, kept.every(({ answered }) => answered > 10)]).toEqual([0, true, true]);
    expect(await bench.stat(proxy, 'tls_reload_failures_total')).toBe(0);
    expect(await bench.stat(proxy, 'tls_reloads_total')).toBeGreaterThanOrEqual(8);
    for (const { socket } of kept) socket.destroy();
  });

  it('that are broken change nothing but a note, until they are mended', async () => {
    const port = await freePort();
    const proxy = await bench.start([
      listener('L', port, [{ ...terminated([await bench.certificate('a', ['a.example'])]), ...http('S') }]),
      ...upstream('S', await bench.httpServer('S')),
    ]);
    const { host, port: admin } = proxy.adminAddress!;
    const notes = async () => (await (await fetch(`http://${host}:${admin}/config_dump`)).text()).match(/"TLS: .*"/g);
    const options = { servername: 'a.example', ca: bench.authority.certificate };
    const before = await shownAt(port, options);
    await writeFile(bench.file('a.key'), 'no key');
    expect(await until(notes)).toEqual([
      `"TLS: ${bench.file('a.key')}: is no private key in PEM without a passphrase: unsupported; the last good one goes on"`,
    ]);
    expect(await shownAt(port, options)).toBe(before);
    expect(bench.warnings().filter((line) => line.includes('TLS files are not usable'))).toHaveLength(1);
    // As Kubernetes and certbot do it: another file takes the name.
    await bench.certificate('b', ['a.example']);
    await rename(bench.file('b.key'), bench.file('a.key'));
    await rename(bench.file('b.pem'), bench.file('a.pem'));
    await until(async () => (await notes()) === null);
    await until(async () => (await shownAt(port, options)) !== before);
  });

  it('that are not there refuse their listener, which comes when they do', async () => {
    const [port, other] = [await freePort(), await freePort()];
    const missing = {
      certificateChain: { filename: bench.file('m.pem') },
      privateKey: { filename: bench.file('m.key') },
    };
    await bench.start([
      listener('L', port, [{ ...terminated([missing]), ...http('S') }]),
      listener('O', other, [http('S')]),
      ...upstream('S', await bench.httpServer('S')),
    ]);
    expect((await request(other, null)).status).toBe(200);
    await expect(request(port, null)).rejects.toThrow('ECONNREFUSED');
    const refusals = bench.warnings().filter((line) => line.startsWith('resource refused'));
    expect(refusals).toEqual([expect.stringMatching(/"name":"L","reason":"TLS: .*m\.pem: ENOENT/)]);
    await bench.certificate('m', ['a.example']);
    const options = { servername: 'a.example', ca: bench.authority.certificate };
    await until(() => request(port, options).catch(() => null));
  });
});

it('another CA for a server lets open connections be, and opens no others', async () => {
  const port = await freePort();
  const own = bench.authority.issue({ names: ['s.example'] });
  const trustedCa = { filename: bench.file('ca.pem') };
  const proxy = await bench.start([
    listener('L', port, [http('S')]),
    ...upstream('S', await bench.httpServer('S', { cert: own.certificate, key: own.key }), {
      sni: 's.example',
      commonTlsContext: { validationContext: { trustedCa } },
    }),
  ]);
  expect((await request(port, null)).status).toBe(200);
  await writeFile(bench.file('ca.pem'), new CertificateAuthority('another CA').certificate);
  await until(() => bench.log.entries.some(([, , text]) => text.includes('TLS files read again')));
  // The open connection serves on; a burst asks for further ones, which nobody is let fail by.
  await until(async () => {
    const burst = await Promise.all(Array.from({ length: 8 }, () => request(port, null)));
    expect(burst.every(({ status }) => status === 200)).toBe(true);
    return (await bench.stat(proxy, 'upstream_tls_handshake_errors_total')) > 0;
  });
});

it('other TLS settings of a cluster are not got around over connections that are open', async () => {
  const port = await freePort();
  const own = bench.authority.issue({ names: ['s.example'] });
  const serverPort = await bench.httpServer('S', { cert: own.certificate, key: own.key });
  const serving = (name: string | null) => {
    const validationContext = {
      trustedCa: { filename: bench.file('ca.pem') },
      matchTypedSubjectAltNames: [{ sanType: 'DNS', matcher: { exact: name ?? '' } }],
    };
    const context = { sni: 's.example', commonTlsContext: { validationContext } };
    return [listener('L', port, [http('S')]), ...upstream('S', serverPort, name === null ? null : context)];
  };
  const proxy = await bench.start(serving('s.example'));
  const answerOf = (wanted: RegExp) => until(async () => wanted.test((await request(port, null)).body));
  await answerOf(/^S /);
  await bench.serve(...serving('other.example'));
  await answerOf(/expected dns exact other\.example/);
  // What was open before is closed, and not kept for the case that it is asked for again.
  expect(await bench.stat(proxy, 'upstream_connections')).toBe(0);
  await bench.serve(...serving('s.example'));
  await answerOf(/^S /);
  // In the clear: a TLS server takes it for nonsense.
  await bench.serve(...serving(null));
  await answerOf(/^(?!S )/);
});
