/** What goes wrong on connections: bad bytes, servers that vanish, calls without an answer. */
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MeshBench, until } from './mesh-fixture.ts';

describe('a proxy', () => {
  let bench: MeshBench;
  beforeEach(() => {
    bench = new MeshBench();
  });
  afterEach(() => bench.close());

  async function start(delayMs = 0) {
    const mesh = await bench.twoVersions(delayMs);
    const control = await bench.controlPlane(mesh.folder);
    await bench.proxy(control.xdsAddress.port);
    return mesh;
  }

  function raw(port: number): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => resolve(socket));
      socket.once('error', reject);
      bench.onClose(() => socket.destroy());
    });
  }

  it('closes the connection that sent bad bytes, logs where, and serves the others', async () => {
    const { port } = await start();
    const load = await bench.load(port, 4);
    const socket = await raw(port);
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.resume();
    // A strict binary call head inside a frame that says 2 GB.
    socket.write(Buffer.from('7fffffff80010001', 'hex'));
    await closed;
    await until(() => bench.log.entries.some(([level]) => level === 'warn'));
    const text = JSON.stringify(bench.log.entries);
    expect(text).toMatch(/2147483647/);
    await load.nextBy('v1');
    await load.stop();
    expect({ failed: load.failed, closed: load.closed }).toEqual({ failed: 0, closed: 0 });
  });

  it('tells the right caller that its server went away mid-call, and goes on', async () => {
    const { port, v1 } = await start(150);
    const [one, two] = [await bench.caller(port), await bench.caller(port)];
    const calls = Promise.allSettled([one.wind.forecast('Ios'), two.wind.forecast('Ios')]);
    await until(() => v1.calls === 2);
    v1.cut();
    const reason = expect.objectContaining({ message: expect.stringContaining('upstream') });
    expect(await calls).toEqual([
      { status: 'rejected', reason },
      { status: 'rejected', reason },
    ]);
    expect((await one.wind.forecast('Ios')).servedBy).toBe('v1');
  });

  it('delivers oneway calls', async () => {
    const { port, v1 } = await start();
    const { wind } = await bench.caller(port);
    for (let n = 0; n < 10; n++) await wind.observe('Kea', n);
    await until(() => v1.calls === 10);
    expect((await wind.forecast('Kea')).servedBy).toBe('v1');
  });
});
