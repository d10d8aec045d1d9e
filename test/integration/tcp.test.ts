/** Opaque TCP from YAML to a real server that speaks first. */
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePort, MeshBench, until } from './mesh-fixture.ts';

describe('a port of opaque TCP', () => {
  let bench: MeshBench;
  beforeEach(() => {
    bench = new MeshBench();
  });
  afterEach(() => bench.close());

  async function tcpMesh(server: net.Server): Promise<{ port: number }> {
    const port = await freePort();
    const folder = await bench.folder({
      's.yaml': `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: db, namespace: default }
spec:
  hosts: [db.test]
  addresses: [127.0.0.1]
  resolution: STATIC
  ports: [{ name: tcp-db, number: ${port}, protocol: TCP }]
  endpoints: [{ address: 127.0.0.1, ports: { tcp-db: ${(server.address() as AddressInfo).port} } }]
`,
    });
    const control = await bench.controlPlane(folder);
    await bench.proxy(control.xdsAddress.port);
    await until(() =>
      once(net.connect(port, '127.0.0.1').setTimeout(100), 'connect').then(
        () => true,
        () => false,
      ),
    );
    return { port };
  }

  it('passes both ways, server first, half-closed, and 20 MB', async () => {
    const server = net.createServer({ allowHalfOpen: true }, (socket) => {
      socket.write('hello\n');
      let bytes = 0;
      socket.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
      });
      socket.on('end', () => socket.end(`${bytes} bytes`));
      socket.on('error', () => {});
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    bench.onClose(() => server.close());
    const { port } = await tcpMesh(server);
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    let text = '';
    socket.on('data', (chunk) => {
      text += String(chunk);
    });
    await until(() => text === 'hello\n');
    socket.end(Buffer.alloc(20_000_000));
    await once(socket, 'end');
    expect(text).toBe('hello\n20000000 bytes');
  });

  it('passes resets on, both ways', async () => {
    const servers: net.Socket[] = [];
    const server = net.createServer((socket) => {
      servers.push(socket.on('error', (error) => errors.push(`server ${(error as NodeJS.ErrnoException).code}`)));
      socket.write('half');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    bench.onClose(() => server.close());
    const { port } = await tcpMesh(server);
    const errors: string[] = [];
    const connect = async () => {
      const socket = net.connect(port, '127.0.0.1');
      socket.on('error', (error) => errors.push(`caller ${(error as NodeJS.ErrnoException).code}`));
      await once(socket, 'data');
      return socket;
    };
    const caller = await connect();
    servers.at(-1)!.resetAndDestroy();
    await until(() => caller.closed);
    const leaving = await connect();
    leaving.resetAndDestroy();
    await until(() => servers.at(-1)!.closed);
    expect(errors).toEqual(['caller ECONNRESET', 'server ECONNRESET']);
  });
});
