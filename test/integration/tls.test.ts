/** TLS of callers and to servers, over real sockets, with a proxy in threads. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import net from 'node:net';
import tls from 'node:tls';
import thriftLibrary from 'thrift';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Client } from '../../examples/thrift/generated/Wind.js';
import { clientOptions } from '../../examples/thrift/transports.ts';
import { CertificateAuthority } from '../../scripts/certificates.ts';
import {
  exchange,
  freePort,
  http,
  LOG,
  listener,
  request,
  TlsBench,
  tcp,
  terminated,
  thrift,
  until,
  upstream,
} from './tls-fixture.ts';

let bench: TlsBench;
beforeEach(async () => {
  bench = await new TlsBench().open();
});
afterEach(() => bench.close());

const trusting = (servername: string): tls.ConnectionOptions => ({ servername, ca: bench.authority.certificate });
const serverNames = (...names: string[]) => ({ filterChainMatch: { serverNames: names } });

describe('one port', () => {
  it('ends TLS for two hosts, passes a third one through, and serves plain text', async () => {
    const own = bench.authority.issue({ names: ['c.example'] });
    const port = await freePort();
    const proxy = await bench.start([
      listener('gateway', port, [
        {
          name: 'a',
          ...serverNames('a.example'),
          ...terminated([await bench.certificate('a', ['a.example'])]),
          ...http('A', bench.file(LOG)),
        },
        {
          name: 'wild',
          ...serverNames('*.example'),
          ...terminated([await bench.certificate('b', ['b.example'])], {}, { alpnProtocols: ['http/1.1'] }),
          ...http('B'),
        },
        { name: 'through', ...serverNames('c.example'), ...tcp('C') },
        { name: 'plain', filterChainMatch: { transportProtocol: 'raw_buffer' }, ...http('A') },
      ]),
      ...upstream('A', await bench.httpServer('A')),
      ...upstream('B', await bench.httpServer('B')),
      ...upstream('C', await bench.tcpServer('C', { cert: own.certificate, key: own.key })),
    ]);
    expect(await request(port, trusting('a.example'))).toEqual({
      status: 200,
      body: expect.stringContaining('A https'),
    });
    expect((await request(port, trusting('b.example'))).body).toContain('B https');
    expect(await exchange(port, 'hello', trusting('c.example'))).toBe('C: hello');
    expect((await request(port, null)).body).toContain('A http');
    expect(await bench.stat(proxy, 'downstream_tls_handshakes_total')).toBe(2);

    // Nobody is called that: closed, counted, and said once.
    await expect(request(port, { ...trusting('d.else') })).rejects.toThrow();
    expect(await bench.stat(proxy, 'downstream_no_chain_total')).toBe(1);
    await until(() => bench.warnings().some((line) => line.includes('no filter chain') && line.includes('d.else')));
    await until(async () => (await bench.stat(proxy, 'downstream_tls_connections')) === 0);
    await until(async () => (await readFile(bench.file(LOG), 'utf8').catch(() => '')).includes('\n'));
    expect(await readFile(bench.file(LOG), 'utf8')).toMatch(/^no_error a\.example TLSv1\.3 -\n/);
  });

  it('agrees on protocol and version, and shows the certificate that is for the name', async () => {
    const port = await freePort();
    const certificates = [await bench.certificate('a', ['a.example']), await bench.certificate('b', ['b.example'])];
    const params = { alpnProtocols: ['x/1'], tlsParams: { tlsMaximumProtocolVersion: 'TLSv1_2' } };
    await bench.start([
      listener('L', port, [{ ...terminated(certificates, {}, params), ...http('A') }]),
      ...upstream('A', await bench.httpServer('A')),
    ]);
    for (const name of ['a.example', 'b.example']) {
      const socket = tls.connect({ port, host: '127.0.0.1', ALPNProtocols: ['y', 'x/1'], ...trusting(name) });
      await once(socket, 'secureConnect');
      expect([socket.alpnProtocol, socket.getProtocol()]).toEqual(['x/1', 'TLSv1.2']);
      expect(socket.getPeerCertificate().subjectaltname).toBe(`DNS:${name}`);
      socket.destroy();
    }
  });

  it('has its ciphers for TLS 1.2, and those of TLS 1.3 all the same', async () => {
    const port = await freePort();
    const common = { tlsParams: { cipherSuites: ['ECDHE-ECDSA-AES256-GCM-SHA384'] } };
    await bench.start([
      listener('L', port, [{ ...terminated([await bench.certificate('a', ['a.example'])], {}, common), ...http('A') }]),
      ...upstream('A', await bench.httpServer('A')),
    ]);
    const agreed: string[] = [];
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const socket = tls.connect({ port, host: '127.0.0.1', ...trusting('a.example'), maxVersion });
      await once(socket, 'secureConnect');
      agreed.push(`${socket.getProtocol()} ${socket.getCipher().name}`);
      socket.destroy();
    }
    expect(agreed).toEqual(['TLSv1.2 ECDHE-ECDSA-AES256-GCM-SHA384', expect.stringMatching(/^TLSv1\.3 TLS_/)]);
  });

  it('resumes sessions, at any worker', async () => {
    const port = await freePort();
    await bench.start(
      [
        listener('L', port, [{ ...terminated([await bench.certificate('a', ['a.example'])]), ...http('A') }]),
        ...upstream('A', await bench.httpServer('A')),
      ],
      { workers: 2 },
    );
    const connect = async (options: tls.ConnectionOptions, event: 'session' | 'secureConnect') => {
      const socket = tls.connect({ port, host: '127.0.0.1', ...trusting('a.example'), ...options });
      const [session] = (await once(socket, event)) as [Buffer];
      const isReused = socket.isSessionReused();
      socket.destroy();
      return { session, isReused };
    };
    const { session, isReused } = await connect({}, 'session');
    expect(isReused).toBe(false);
    // Eight times at one worker of two is one chance in 128.
    for (let times = 0; times < 8; times++) expect((await connect({ session }, 'secureConnect')).isReused).toBe(true);
  });
});

describe('any protocol over TLS', () => {
  it('Thrift', async () => {
    const port = await freePort();
    const backend = await bench.backend('v1');
    await bench.start([
      listener('L', port, [{ ...terminated([await bench.certificate('a', ['a.example'])]), ...thrift('T') }]),
      ...upstream('T', backend.port),
    ]);
    // Its types are the example's, which needs no TLS.
    const { createSSLConnection } = thriftLibrary as unknown as {
      createSSLConnection: typeof thriftLibrary.createConnection;
    };
    const connection = createSSLConnection('127.0.0.1', port, { ...clientOptions.framed, ...trusting('a.example') });
    connection.on('error', () => {});
    bench.onClose(() => connection.end());
    await once(connection, 'connect');
    const wind = thriftLibrary.createClient(Client, connection);
    for (let call = 0; call < 50; call++) expect((await wind.forecast('Naxos')).servedBy).toBe('v1');
  });

  it('opaque TCP, half-closed both ways, 20 MB, with TLS to the server too', async () => {
    const port = await freePort();
    const own = bench.authority.issue({ names: ['db.example'] });
    const server = await bench.tcpServer('db', { cert: own.certificate, key: own.key });
    await bench.start([
      listener('L', port, [{ ...terminated([await bench.certificate('a', ['a.example'])]), ...tcp('DB') }]),
      ...upstream('DB', server, {
        sni: 'db.example',
        commonTlsContext: { validationContext: { trustedCa: { filename: bench.file('ca.pem') } } },
      }),
    ]);
    expect(await exchange(port, Buffer.alloc(20_000_000, 'x'), trusting('a.example'))).toBe('db: 20000000 bytes');
    expect(await exchange(port, 'x', trusting('a.example'))).toBe('db: x');
  });
});

describe('backpressure through TLS', () => {
  const BYTES = 60_000_000;
  /** Kernel buffers on the way, and what the proxy holds. */
  const HELD = 30_000_000;

  /** Offers all that the socket takes; answers with how much that is so far. */
  function offer(socket: net.Socket): () => number {
    const chunk = Buffer.alloc(100_000);
    let offered = 0;
    const more = () => {
      while (offered < BYTES) {
        offered += chunk.length;
        if (!socket.write(chunk)) return;
      }
      socket.end();
    };
    socket.on('drain', more);
    more();
    return () => offered;
  }

  /** How much it is when it grows no more. */
  async function settledAt(value: () => number): Promise<number> {
    for (let last = -1; ; ) {
      const now = value();
      if (now > 0 && now === last) return now;
      last = now;
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
  }

  it.each(['upload', 'download'] as const)(
    'holds back what nobody reads, and loses none of it: %s',
    async (direction) => {
      const own = bench.authority.issue({ names: ['db.example'] });
      const accepted = Promise.withResolvers<tls.TLSSocket>();
      const server = tls.createServer({ cert: own.certificate, key: own.key, pauseOnConnect: true }, accepted.resolve);
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const port = await freePort();
      await bench.start([
        listener('L', port, [{ ...terminated([await bench.certificate('a', ['a.example'])]), ...tcp('DB') }]),
        ...upstream('DB', (server.address() as net.AddressInfo).port, {
          sni: 'db.example',
          commonTlsContext: { validationContext: { trustedCa: { filename: bench.file('ca.pem') } } },
        }),
      ]);
      const options = { port, host: '127.0.0.1', allowHalfOpen: true, ...trusting('a.example') };
      const client = tls.connect(options as tls.ConnectionOptions);
      const serverSocket = await accepted.promise;
      bench.onClose(() => {
        client.destroy();
        serverSocket.destroy();
        server.close();
      });
      const [from, to] = direction === 'upload' ? [client, serverSocket] : [serverSocket, client];
      const offered = offer(from);
      expect(await settledAt(offered)).toBeLessThan(HELD);
      let read = 0;
      to.on('data', (chunk: Buffer) => {
        read += chunk.length;
      });
      to.resume();
      await once(to, 'end');
      expect(read).toBe(BYTES);
    },
  );
});

describe('TLS to servers', () => {
  const other = new CertificateAuthority('another CA');

  async function start(context: object, names: readonly string[], authority = bench.authority) {
    const own = authority.issue({ names });
    const port = await freePort();
    const proxy = await bench.start([
      listener('L', port, [http('S', bench.file(LOG))]),
      ...upstream('S', await bench.httpServer('S', { cert: own.certificate, key: own.key }), context as never),
    ]);
    return { port, proxy };
  }
  const validated = (matchTypedSubjectAltNames: readonly object[] = [], sni = '') => ({
    sni,
    commonTlsContext: {
      validationContext: { trustedCa: { filename: bench.file('ca.pem') }, matchTypedSubjectAltNames },
    },
  });
  const dns = (exact: string) => ({ sanType: 'DNS', matcher: { exact } });

  it('is used where the certificate is of the CA and for one of the names', async () => {
    const { port, proxy } = await start(validated([dns('x.example'), dns('s.example')]), ['s.example']);
    for (let times = 0; times < 3; times++) expect((await request(port, null)).body).toContain('S');
    expect(await bench.stat(proxy, 'upstream_tls_handshakes_total')).toBe(1);
  });

  it('resumes sessions of a server that was verified', async () => {
    const own = bench.authority.issue({ names: ['s.example'] });
    const server = tls.createServer({ cert: own.certificate, key: own.key }, (socket) => {
      socket.on('error', () => {});
      // One answer, and the connection is over.
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n'));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    bench.onClose(() => server.close());
    const port = await freePort();
    const proxy = await bench.start([
      listener('L', port, [http('S')]),
      ...upstream('S', (server.address() as net.AddressInfo).port, validated([], 's.example') as never),
    ]);
    for (let times = 0; times < 4; times++) expect((await request(port, null)).status).toBe(200);
    expect(await bench.stat(proxy, 'upstream_tls_handshakes_total')).toBe(4);
    expect(await bench.stat(proxy, 'upstream_tls_sessions_resumed_total')).toBe(3);
  });

  const refused: readonly (readonly [string, () => ReturnType<typeof start>, RegExp])[] = [
    [
      'another name',
      () => start(validated([dns('s.example')]), ['t.example']),
      /the certificate is for dns t\.example; expected dns exact s\.example/,
    ],
    [
      'a name that is not that of SNI',
      () => start(validated([], 's.example'), ['t.example']),
      /the certificate is for dns t\.example; expected dns exact s\.example/,
    ],
    [
      'another CA',
      () => start(validated([dns('s.example')]), ['s.example'], other),
      /the certificate is not accepted: unable to (verify|get)/,
    ],
  ];
  it.each(refused)('refuses a server of %s, and says so to the caller and in the log', async (_, begin, why) => {
    const { port, proxy } = await begin();
    const answer = await request(port, null);
    expect(answer).toMatchObject({ status: 503, body: expect.stringMatching(why) });
    await until(async () => why.test(await readFile(bench.file(LOG), 'utf8').catch(() => '')));
    expect(await bench.stat(proxy, 'upstream_tls_handshake_errors_total')).toBe(1);
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('says in words that a server of %s wants a certificate', async (version) => {
    const own = bench.authority.issue({ names: ['s.example'] });
    const asking = { requestCert: true, ca: bench.authority.certificate, maxVersion: version, minVersion: version };
    const server = await bench.httpServer('S', { cert: own.certificate, key: own.key, ...asking });
    const port = await freePort();
    const proxy = await bench.start([
      listener('L', port, [http('S')]),
      ...upstream('S', server, validated([], 's.example') as never),
    ]);
    const answer = await request(port, null);
    expect(answer.status).toBe(503);
    expect(answer.body).toMatch(/: TLS: [a-z0-9/ ]*(certificate required|handshake failure)\n$/);
    expect(await bench.stat(proxy, 'upstream_tls_handshake_errors_total')).toBe(1);
  });

  it('takes any certificate without a CA, and notes that', async () => {
    const { port, proxy } = await start({ sni: 's.example' }, ['t.example'], other);
    expect((await request(port, null)).status).toBe(200);
    const { host, port: admin } = proxy.adminAddress!;
    const dump = await (await fetch(`http://${host}:${admin}/config_dump`)).text();
    expect(dump).toContain('the server is not verified');
  });

  it('says of a server without TLS what is wrong', async () => {
    const port = await freePort();
    await bench.start([
      listener('L', port, [http('S')]),
      ...upstream('S', await bench.httpServer('S'), validated([dns('s.example')]) as never),
    ]);
    expect((await request(port, null)).body).toMatch(/TLS: .*(wrong version number|packet length)/);
  });
});

describe('callers', () => {
  it('with certificates are verified where that is required', async () => {
    const port = await freePort();
    const context = { requireClientCertificate: true };
    const common = { validationContext: { trustedCa: { filename: bench.file('ca.pem') } } };
    await bench.start([
      listener('L', port, [
        { ...terminated([await bench.certificate('a', ['a.example'])], context, common), ...http('A') },
      ]),
      ...upstream('A', await bench.httpServer('A')),
    ]);
    const good = bench.authority.issue({ names: ['spiffe://td/ns/n/sa/s'] });
    const bad = new CertificateAuthority('another CA').issue({ names: ['spiffe://td/ns/n/sa/s'] });
    const old = bench.authority.issue({ names: ['spiffe://td/ns/n/sa/s'], days: -1 });
    const with_ = ({ certificate, key }: typeof good) => ({ ...trusting('a.example'), cert: certificate, key });
    expect((await request(port, with_(good))).status).toBe(200);
    for (const [options, why] of [
      [trusting('a.example'), /peer did not return a certificate/],
      [with_(bad), /caller's certificate is not valid: unable to/],
      [with_(old), /caller's certificate is not valid: certificate has expired/],
    ] as const) {
      const failed = await request(port, options).catch(() => null);
      // With TLS 1.3 the caller believes itself connected before it is refused.
      expect(failed?.status || 0).toBe(0);
      await until(() => bench.warnings().some((line) => why.test(line)));
    }
  });

  it('may have none where none is required, but no bad one', async () => {
    const port = await freePort();
    const common = { validationContext: { trustedCa: { filename: bench.file('ca.pem') } } };
    await bench.start([
      listener('L', port, [{ ...terminated([await bench.certificate('a', ['a.example'])], {}, common), ...http('A') }]),
      ...upstream('A', await bench.httpServer('A')),
    ]);
    expect((await request(port, trusting('a.example'))).status).toBe(200);
    const { certificate, key } = new CertificateAuthority('another CA').issue({ names: ['x'] });
    const failed = await request(port, { ...trusting('a.example'), cert: certificate, key }).catch(() => null);
    expect(failed?.status || 0).toBe(0);
  });

  it('cannot resume at a chain that asks for a certificate what began at one that does not', async () => {
    const port = await freePort();
    const certificates = [await bench.certificate('a', ['a.example'])];
    const strict = { validationContext: { trustedCa: { filename: bench.file('ca.pem') } } };
    await bench.start([
      listener('L', port, [
        { name: 'lax', filterChainMatch: { applicationProtocols: ['lax'] }, ...terminated(certificates), ...http('A') },
        { name: 'strict', ...terminated(certificates, { requireClientCertificate: true }, strict), ...http('A') },
      ]),
      ...upstream('A', await bench.httpServer('A')),
    ]);
    const lax = tls.connect({ port, host: '127.0.0.1', ...trusting('a.example'), ALPNProtocols: ['lax'] });
    const [session] = (await once(lax, 'session')) as [Buffer];
    lax.destroy();
    const failed = await request(port, { ...trusting('a.example'), session }).catch(() => null);
    expect(failed?.status || 0).toBe(0);
    await until(() => bench.warnings().some((line) => line.includes('peer did not return a certificate')));
    const { certificate, key } = bench.authority.issue({ names: ['x'] });
    const good = { ...trusting('a.example'), cert: certificate, key };
    expect((await request(port, { ...good, session })).status).toBe(200);
  });

  it('that send garbage, nothing, half a hello or no TLS are closed, counted and logged once', async () => {
    const port = await freePort();
    const proxy = await bench.start([
      listener(
        'L',
        port,
        [
          {
            ...terminated([await bench.certificate('a', ['a.example'])]),
            transportSocketConnectTimeout: '0.6s',
            ...http('A'),
          },
        ],
        {
          listenerFiltersTimeout: '0.2s',
        },
      ),
      ...upstream('A', await bench.httpServer('A')),
    ]);
    const hello = await helloOf('a.example');
    const huge = Buffer.from([22, 3, 1, 0x40, 0, 1, 1, 0, 0]);
    const brokenHello = Buffer.from(hello);
    // An extension block that ends beyond the message.
    brokenHello.writeUInt16BE(0xffff, hello.indexOf(Buffer.from([0, 0, 0, 14])) - 2);
    const said: readonly (readonly [string | Buffer, RegExp])[] = [
      ['GET / HTTP/1.1\r\n\r\n', /no TLS where it is required/],
      ['', /not a byte within 200 ms/],
      [hello.subarray(0, 100), /only 100 bytes within 200 ms/],
      [huge, /malformed ClientHello: 65540 bytes, limit 16384/],
      [brokenHello, /malformed ClientHello: /],
      // A whole hello, and then silence.
      [hello, /not agreed within 600 ms/],
      ['end of it', /the caller closed within the handshake/],
      // A hello that only OpenSSL can find fault with: no cipher that it knows.
      [withoutCiphers(hello), /no shared cipher/],
    ];
    for (const [bytes, why] of said) {
      const before = bench.warnings().length;
      const socket = net.connect(port, '127.0.0.1');
      socket.on('error', () => {});
      const beganMs = performance.now();
      if (bytes === 'end of it') socket.end(hello);
      else socket.write(bytes);
      socket.resume();
      await once(socket, 'close');
      if (bytes === hello) expect(performance.now() - beganMs).toBeGreaterThan(590);
      await until(() => bench.warnings().length > before);
      expect(bench.warnings().slice(before)).toEqual([expect.stringMatching(why)]);
    }
    expect(await bench.stat(proxy, 'downstream_not_admitted_total')).toBe(5);
    expect(await bench.stat(proxy, 'downstream_tls_handshake_errors_total')).toBe(3);
    // Whoever only looks whether the port is open is not worth a line.
    const lines = bench.warnings().length;
    for (let times = 0; times < 5; times++) {
      const socket = net.connect(port, '127.0.0.1');
      await once(socket, 'connect');
      socket.end();
      socket.resume();
      await once(socket, 'close');
    }
    expect((await request(port, trusting('a.example'))).status).toBe(200);
    expect(bench.warnings().length).toBe(lines);
  });
});

it('a caller whose records are broken after the handshake is closed', async () => {
  const port = await freePort();
  const proxy = await bench.start([
    listener('L', port, [{ ...terminated([await bench.certificate('a', ['a.example'])]), ...http('A') }]),
    ...upstream('A', await bench.httpServer('A')),
  ]);
  // So that it is not the caller who closes.
  const relay = await relayTo(port);
  const caller = tls.connect({ port: relay.port, host: '127.0.0.1', ...trusting('a.example') });
  caller.on('error', () => {});
  await once(caller, 'secureConnect');
  await until(async () => (await bench.stat(proxy, 'downstream_tls_connections')) === 1);
  relay.breakRecords('to the server');
  await until(async () => (await bench.stat(proxy, 'downstream_tls_connections')) === 0);
  caller.destroy();
});

it('a server whose records are broken fails its calls at once', async () => {
  const own = bench.authority.issue({ names: ['s.example'] });
  const server = tls.createServer({ cert: own.certificate, key: own.key }, (socket) => {
    socket.on('error', () => {});
    // It got a request and answers with nothing that is TLS.
    socket.once('data', () => relay.breakRecords('to the caller'));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  bench.onClose(() => server.close());
  const relay = await relayTo((server.address() as net.AddressInfo).port);
  const port = await freePort();
  await bench.start([
    listener('L', port, [http('S')]),
    ...upstream('S', relay.port, {
      sni: 's.example',
      commonTlsContext: { validationContext: { trustedCa: { filename: bench.file('ca.pem') } } },
    }),
  ]);
  const answer = await request(port, null);
  expect(answer).toMatchObject({ status: 503, body: expect.stringContaining('upstream_reset') });
});

/** Stands between a caller and a server on this port, and may send what neither of them said. */
async function relayTo(port: number) {
  const sides: net.Socket[] = [];
  const relay = net.createServer((caller) => {
    const server = net.connect(port, '127.0.0.1');
    for (const side of [caller, server]) side.on('error', () => {});
    caller.pipe(server).pipe(caller);
    sides.push(caller, server);
  });
  relay.listen(0, '127.0.0.1');
  await once(relay, 'listening');
  bench.onClose(() => {
    relay.close();
    for (const side of sides) side.destroy();
  });
  return {
    port: (relay.address() as net.AddressInfo).port,
    /** Of the only connection. What the side that gets it says is not passed on any more. */
    breakRecords(direction: 'to the caller' | 'to the server') {
      const side = sides[direction === 'to the caller' ? 0 : 1]!;
      for (const one of sides) one.unpipe().resume();
      side.write('no record of TLS at all');
    },
  };
}

/** What a caller sends first. */
async function helloOf(servername: string): Promise<Buffer> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = tls.connect({ port: (server.address() as net.AddressInfo).port, host: '127.0.0.1', servername });
  client.on('error', () => {});
  const [socket] = (await once(server, 'connection')) as [net.Socket];
  const [hello] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  server.close();
  return hello;
}

function withoutCiphers(hello: Buffer): Buffer {
  const changed = Buffer.from(hello);
  const at = 5 + 4 + 2 + 32;
  const ciphers = at + 1 + changed[at]!;
  const length = changed.readUInt16BE(ciphers);
  for (let index = 0; index < length; index += 2) changed.writeUInt16BE(0x0a0a, ciphers + 2 + index);
  return changed;
}
