import { existsSync, readdirSync } from 'node:fs';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { EchoClient } from '../../plugins/echo-rpc/echo-client.ts';
import { type Frame, Kind, readFrames, writeFrame } from '../../plugins/echo-rpc/frames.ts';
import { freePort } from '../../src/cli/demo/free-port.ts';
import type { ControlPlane } from '../../src/control/control-plane.ts';
import type { ProxyProcess } from '../../src/proxy/proxy-process.ts';
import { MeshBench, proxyNode } from './mesh-fixture.ts';

const ECHO_RPC = fileURLToPath(new URL('../../plugins/echo-rpc', import.meta.url));

/** A method that makes the codec throw, loop, or give more than it got. */
const POISON = `
const good = plugin.codecs[0];
export default {
  ...plugin,
  codecs: [{
    ...good,
    createServerCodec(sink, out, options, most) {
      const codec = good.createServerCodec(sink, out, options, most);
      const decode = codec.decode.bind(codec);
      codec.decode = (chunk, lent) => {
        if (chunk.includes('throw!')) throw new Error('poisoned');
        if (chunk.includes('flood!')) {
          let id = 0;
          sink.onHead = ((good) => (_id, head) => {
            while (!sink.closed && id < 1e6) good.call(sink, ++id, head);
          })(sink.onHead);
        }
        if (chunk.includes('loop!')) for (;;);
        decode(chunk, lent);
      };
      return codec;
    },
  }],
};
`;

class PluginBench extends MeshBench {
  readonly servers = new Set<Socket>();

  /** Answers with its name in a header. */
  async echoServer(name: string): Promise<number> {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      readFrames(socket, (frame: Frame) => {
        if (frame.kind !== Kind.Request) return;
        socket.write(writeFrame({ ...frame, kind: Kind.Response, headers: { server: name } }));
      });
      this.servers.add(socket);
      socket.on('close', () => this.servers.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    this.onClose(() => {
      for (const socket of this.servers) socket.destroy();
      server.close();
    });
    return (server.address() as { port: number }).port;
  }

  /** echo-rpc, its codec changed by `change`. */
  async plugin(change: (source: string) => string = (source) => source): Promise<string> {
    const folder = await this.folder();
    const file = join(folder, 'codec.ts');
    await cp(join(ECHO_RPC, 'codec.ts'), file);
    await writeFile(file, change(await readFile(file, 'utf8')));
    return file;
  }

  async mesh(
    plugin: string,
    watchPlugins = false,
  ): Promise<{ proxy: ProxyProcess; port: number; thriftPort: number; controlPlane: ControlPlane }> {
    const [v1, v2] = [await this.echoServer('v1'), await this.echoServer('v2')];
    const port = await freePort();
    const thriftPort = await freePort();
    const wind = await this.backend('wind');
    const folder = await this.folder();
    // Methods that begin with "un" have no route.
    const routes = (await readFile(join(ECHO_RPC, 'mesh/routes.yaml'), 'utf8')).replace(
      '- name: everybody\n',
      "- name: everybody\n      match: { attributes: { method: { regex: '[^u].*' } } }\n",
    );
    const yaml = `${await readFile(join(ECHO_RPC, 'mesh/service.yaml'), 'utf8')}---\n${routes}`;
    await writeFile(
      join(folder, 'mesh.yaml'),
      `${yaml.replace('9300', String(port)).replace('9301', String(v1)).replace('9302', String(v2))}---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: wind }
spec:
  hosts: [wind.test]
  addresses: [127.0.0.1]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{ name: tcp-metaprotocol-thrift, number: ${thriftPort}, protocol: TCP }]
  endpoints: [{ address: 127.0.0.1, ports: { tcp-metaprotocol-thrift: ${wind.port} } }]
`,
    );
    const controlPlane = await this.controlPlane(folder);
    const proxy = await this.proxy(controlPlane.xdsAddress.port, {
      plugins: [{ reference: plugin, directory: process.cwd() }],
      watchPlugins,
      // Longer than any test: what a swap leaves ends with its callers, on a busy machine too.
      drainDeadlineMs: 60_000,
    });
    await this.until(async () => (await this.echo(port)).headers.server === 'v1');
    return { proxy, port, thriftPort, controlPlane };
  }

  /** A call on a connection of its own. */
  async echo(port: number, method = 'say', headers: Readonly<Record<string, string>> = {}): Promise<Frame> {
    const caller = await EchoClient.connect(port);
    try {
      return await caller.call(method, headers);
    } finally {
      caller.close();
    }
  }

  async until(condition: () => Promise<boolean>, timeoutMs = 25_000): Promise<void> {
    for (const startedAt = performance.now(); performance.now() - startedAt < timeoutMs; await sleep(20)) {
      if (await condition().catch(() => false)) return;
    }
    throw new Error(`not within ${timeoutMs} ms: ${condition}`);
  }
}

const benches: PluginBench[] = [];
function bench(): PluginBench {
  const made = new PluginBench();
  benches.push(made);
  return made;
}
afterEach(async () => {
  for (const made of benches.splice(0)) await made.close();
});

/** The codec's local replies have this body. */
const saying = (text: string) => (source: string) =>
  source.replace(/otherwise: 'failed',(?: body: .*)?/, `otherwise: 'failed', body: () => '${text}',`);

/** Of this process, where the system tells. */
const threadCount = () => (existsSync('/proc/self/task') ? readdirSync('/proc/self/task').length : 0);

const poisoned = (source: string) => `${source.replace('export default', 'const plugin =')}${POISON}`;

describe('outside plugins', () => {
  it('serve traffic by routes on their attributes, in threads of their own', async () => {
    const one = bench();
    const { port, proxy } = await one.mesh(await one.plugin());
    expect((await one.echo(port, 'say', { tenant: 'blue' })).headers).toEqual({ server: 'v2' });
    expect((await one.echo(port)).headers).toEqual({ server: 'v1' });
    const admin = `http://127.0.0.1:${proxy.adminAddress!.port}`;
    const clusters = (await (await fetch(`${admin}/clusters`)).json()) as {
      plugin: string | null;
      clusters: { name: string }[];
    }[];
    expect(clusters.map(({ plugin }) => plugin)).toEqual([null, 'echo-rpc']);
    expect(clusters.map((of) => of.clusters.some(({ name }) => name.includes('echo.example')))).toEqual([false, true]);
  });

  it.each([
    [
      'another codec API',
      (source: string) => source.replace('^1.0.0', '^9.0.0'),
      /echo-rpc 1\.0\.0 was written for codec API \^9\.0\.0, this is/,
    ],
    ['a syntax error', (source: string) => `${source}\nconst = 1;`, /codec\.ts:\d+/],
    ['no plugin in it', () => 'export default 7;', /its default export: actual 7, expected an object of name/],
    [
      'a wrong declaration',
      (source: string) => source.replace('headBytes: 16', 'headBytes: 8'),
      /echo-rpc\.frame\.length: bytes 12 to 16/,
    ],
  ])('are refused at the start with %s', async (_what, change, reason) => {
    const one = bench();
    await expect(one.proxy(1, { plugins: [{ reference: await one.plugin(change), directory: '/' }] })).rejects.toThrow(
      reason,
    );
  });

  it('that throw close their connection and no other', async () => {
    const one = bench();
    const { port } = await one.mesh(await one.plugin(poisoned));
    const other = await EchoClient.connect(port);
    await other.call('say');
    await expect(one.echo(port, 'throw!')).rejects.toThrow('closed');
    expect((await other.call('say')).headers.server).toBe('v1');
    expect(other.closed).toBe(false);
    other.close();
    const [, fields] = one.log.entries.find(([, , text]) => text.includes('poisoned'))!;
    expect((fields as { where: string }).where).toMatch(/^decode of ec010000[0-9a-f]+$/);
  });

  it('that give more than they got close their connection and no other', async () => {
    const one = bench();
    const { port } = await one.mesh(await one.plugin(poisoned));
    const other = await EchoClient.connect(port);
    await other.call('say');
    await expect(one.echo(port, 'flood!')).rejects.toThrow('closed');
    expect((await other.call('say')).headers.server).toBe('v1');
    expect(other.closed).toBe(false);
    other.close();
    expect(one.log.entries.some(([, , text]) => text.includes('17 requests emitted by a paused codec'))).toBe(true);
  });

  it('that loop for ever are ended and come back, and other protocols see nothing', async () => {
    const one = bench();
    const { port, thriftPort } = await one.mesh(await one.plugin(poisoned));
    const load = await one.load(thriftPort, 2);
    await expect(one.echo(port, 'loop!')).rejects.toThrow('closed');
    await one.until(async () => (await one.echo(port)).headers.server === 'v1', 5_000);
    await load.stop();
    expect(load.failed).toBe(0);
    expect(load.closed).toBe(0);
    expect(load.answered).toBeGreaterThan(100);
  });

  it('are swapped while they serve: no failed call, nothing left behind', async () => {
    const one = bench();
    const file = await one.plugin(saying('first'));
    const { port } = await one.mesh(file, true);
    const localText = async () => (await one.echo(port, 'unrouted')).body.toString();
    expect(await localText()).toBe('first');
    const threads = threadCount();
    const failures: unknown[] = [];
    let calls = 0;
    let calling = true;
    // A connection that was open before is served by who accepted it, as long as it is used: a quiet one is asked to go.
    const staying = await EchoClient.connect(port);
    const answers = new Set<string>();
    const stayingCalls = (async () => {
      while (calling) answers.add((await staying.call('unrouted')).body.toString());
    })();
    // Callers that come and go: a connect in the instant in which the old socket closes is the kernel's to lose.
    const callers = [1, 2, 3].map(async () => {
      while (calling) {
        const caller = await EchoClient.connect(port).catch(() => null);
        let answered = 0;
        try {
          for (; caller !== null && answered < 20; answered++, calls++) await caller.call('say');
        } catch (error) {
          if (answered > 0) failures.push(error);
        }
        caller?.close();
      }
    });
    for (const text of ['second', 'third', 'fourth']) {
      await writeFile(file, saying(text)(await readFile(file, 'utf8')));
      await one.until(async () => (await localText()) === text);
    }
    calling = false;
    await Promise.all([...callers, stayingCalls]);
    expect(failures).toEqual([]);
    expect([...answers]).toEqual(['first']);
    expect(calls).toBeGreaterThan(100);
    staying.close();
    await one.until(async () => threadCount() <= threads);
  });

  it('are known to the control plane: a proxy without one gets no routes for it, and a changed one is judged anew', async () => {
    const one = bench();
    const file = await one.plugin();
    const { controlPlane } = await one.mesh(file, true);
    await one.proxy(controlPlane.xdsAddress.port, { node: { ...proxyNode('bare'), bind: 'loopback' } });
    const findings = () => {
      const resources = controlPlane.status().resources;
      return JSON.stringify(resources.filter(({ name }) => name === 'echo'));
    };
    await one.until(async () => findings().includes('the proxy has no codec echo-rpc'));
    expect(findings()).not.toContain('"level":"error"');
    const source = await readFile(file, 'utf8');
    await writeFile(file, source.replace("version: '1.0.0'", "version: '1.1.0'").replace(/^ {2}open: .*\n/m, ''));
    await one.until(async () => findings().includes('"level":"error"'));
    expect(findings()).toMatch(/tenant.*method/);
  });

  it('are swapped when a file that the saved one imports comes later', async () => {
    const one = bench();
    const file = await one.plugin();
    const { port } = await one.mesh(file, true);
    const source = await readFile(file, 'utf8');
    const imported = join(dirname(file), 'names.ts');
    await writeFile(
      file,
      `import { server } from './names.ts';\nif (server !== 'mine') throw new Error('no');\n${source}`,
    );
    await one.until(async () => one.log.entries.some(([, , text]) => text.startsWith('plugin not reloaded')));
    await writeFile(imported, "export const server = 'mine';\n");
    await one.until(async () => one.log.entries.some(([, , text]) => text === 'plugin reloaded'));
    expect((await one.echo(port)).headers.server).toBe('v1');
  });

  it('are swapped when a folder that the saved one imports from goes and comes again', async () => {
    const one = bench();
    const file = await one.plugin();
    const parts = join(dirname(file), 'parts');
    const { port } = await one.mesh(file, true);
    const lastReload = () => one.log.entries.findLast(([, , text]) => text.includes('reloaded'))?.[2];
    await writeFile(file, `import './parts/one.ts';\n${await readFile(file, 'utf8')}`);
    for (let round = 0; round < 2; round++) {
      await one.until(async () => lastReload() === 'plugin not reloaded, the one before goes on');
      await mkdir(parts);
      await writeFile(join(parts, 'one.ts'), 'export {};\n');
      await one.until(async () => lastReload() === 'plugin reloaded');
      await rm(parts, { recursive: true });
    }
    expect((await one.echo(port)).headers.server).toBe('v1');
  });

  it.each([
    ['ends its thread as it is loaded', 'process.exit(4);'],
    ['never finishes to load', 'await new Promise(() => {});'],
    ['ends its thread when it is configured', 'plugin.codecs[0].parseOptions = () => process.exit(4);'],
  ])('keep serving when the saved one %s', async (_how, change) => {
    const one = bench();
    const file = await one.plugin();
    const { port } = await one.mesh(file, true);
    const source = await readFile(file, 'utf8');
    const lastReload = () => one.log.entries.findLast(([, , text]) => text.includes('reloaded'))?.[2];
    await writeFile(file, `${source.replace('export default', 'const plugin =')}${change}\nexport default plugin;\n`);
    await one.until(async () => lastReload() === 'plugin not reloaded, the one before goes on');
    expect((await one.echo(port)).headers.server).toBe('v1');
    await writeFile(file, source);
    await one.until(async () => lastReload() === 'plugin reloaded');
    expect((await one.echo(port)).headers.server).toBe('v1');
  });

  it('keep serving when the saved file is broken, and say why', async () => {
    const one = bench();
    const file = await one.plugin();
    const { port } = await one.mesh(file, true);
    await writeFile(file, 'export default {');
    await one.until(async () => one.log.entries.some(([, , text]) => text.startsWith('plugin not reloaded')));
    expect((await one.echo(port)).headers.server).toBe('v1');
  });
});
