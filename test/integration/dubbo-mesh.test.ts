/** The example's Dubbo providers and consumers through control plane and proxy, on real sockets: its routes, and what the protocol promises. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ReadAnswer } from '../../examples/dubbo/frames.ts';
import { connectWind, type WindClient } from '../../examples/dubbo/wind-client.ts';
import { startWindServer, type WindServer } from '../../examples/dubbo/wind-server.ts';
import { freePort, MeshBench, save } from './mesh-fixture.ts';

const example = fileURLToPath(new URL('../../examples/dubbo', import.meta.url));

const bench = new MeshBench();
let servers: Record<'v1' | 'v2', WindServer>;
let folder: string;
let port: number;
let proxyAdmin: string;

async function server(name: string, at = 0): Promise<WindServer> {
  const started = await startWindServer(name, at);
  bench.onClose(() => started.close());
  return started;
}

async function client(): Promise<WindClient> {
  const connected = await connectWind(port);
  bench.onClose(() => connected.close());
  return connected;
}

/** The example's own files, with the ports of this test. */
async function exampleFile(name: string): Promise<string> {
  const text = await readFile(join(example, name), 'utf8');
  return text
    .replaceAll('127.10.0.2', '127.0.0.1')
    .replaceAll('20880', String(port))
    .replaceAll('20881', String(servers.v1.port))
    .replaceAll('20882', String(servers.v2.port));
}

/** Copies a route over the running one and waits until `expectation` holds. */
async function route(name: string, expectation: () => Promise<void>): Promise<void> {
  await save(folder, 'meta-router.yaml', await exampleFile(`routes/${name}`));
  await vi.waitFor(expectation, { timeout: 5_000, interval: 20 });
}

const WHO = { method: 'whoAreYou', args: [] };
const nameOf = ({ attachments }: ReadAnswer) => attachments?.['answered-by'];
const who = async (wind: WindClient, change: Parameters<WindClient['call']>[0] = {}) =>
  nameOf(await wind.call({ ...WHO, ...change }));

beforeEach(async () => {
  servers = { v1: await server('v1'), v2: await server('v2') };
  port = await freePort();
  folder = await bench.folder({
    'service-entry.yaml': await exampleFile('config/service-entry.yaml'),
    'destination-rule.yaml': await exampleFile('config/destination-rule.yaml'),
    'meta-router.yaml': await exampleFile('config/meta-router.yaml'),
  });
  const control = await bench.controlPlane(folder);
  const proxy = await bench.proxy(control.xdsAddress.port);
  proxyAdmin = `http://127.0.0.1:${proxy.adminAddress!.port}`;
});
afterEach(() => bench.close());

describe("the example's routes", () => {
  it('everything goes to v1 at first', async () => {
    const wind = await client();
    for (let n = 0; n < 5; n++) expect(await who(wind)).toBe('v1');
  });

  it('by interface', async () => {
    const wind = await client();
    await route('interface.yaml', async () => expect(await who(wind, { path: 'meltemi.Sea' })).toBe('v2'));
    expect(await who(wind)).toBe('v1');
  });

  it('by method', async () => {
    const wind = await client();
    const echo = { method: 'echo', args: ['x'] };
    await route('method.yaml', async () => expect(await who(wind, echo)).toBe('v2'));
    expect(await who(wind)).toBe('v1');
  });

  it('by group', async () => {
    const wind = await client();
    const north = { attachments: { group: 'north' } };
    await route('group.yaml', async () => expect(await who(wind, north)).toBe('v2'));
    expect(await who(wind, { attachments: { group: 'south' } })).toBe('v1');
    expect(await who(wind)).toBe('v1');
  });

  it('by attachment', async () => {
    const wind = await client();
    await route('attachment.yaml', async () => {
      expect(await who(wind, { attachments: { tier: 'gold' } })).toBe('v2');
    });
    expect(await who(wind, { attachments: { tier: 'Gold' } })).toBe('v1');
    expect(await who(wind, { attachments: null })).toBe('v1');
  });

  it('by weight', async () => {
    const wind = await client();
    const share = async () => {
      const names = await Promise.all(Array.from({ length: 400 }, () => who(wind)));
      return names.filter((name) => name === 'v2').length / names.length;
    };
    await route('split.yaml', async () => expect(await share()).toBeGreaterThan(0.65));
    expect(await share()).toBeLessThan(0.95);
  });

  it('with attachments changed both ways', async () => {
    const wind = await client();
    const call = { ...WHO, attachments: { tier: 'gold', μ: 'ναι' } };
    await route('mutation.yaml', async () => {
      const { attachments } = await wind.call(call);
      expect(JSON.parse(String(attachments?.saw))).toEqual({ μ: 'ναι', sea: 'aegean' });
      expect(attachments).toMatchObject({ by: 'meltemi', dubbo: '2.0.2', 'answered-by': 'v1' });
    });
  });
});

describe('calls', () => {
  it('of many consumers with the same ids, all at once, over shared connections, get their own answers', async () => {
    const winds = await Promise.all(Array.from({ length: 16 }, client));
    const echoes = winds.flatMap((wind, at) =>
      Array.from({ length: 50 }, async (_, n) => {
        const text = `μ ${at} ${n} ${'x'.repeat(n * 97)}`;
        return (await wind.call({ method: 'echo', args: [text] })).value === text;
      }),
    );
    expect((await Promise.all(echoes)).filter((good) => !good)).toEqual([]);
    expect(servers.v1.connections).toBeLessThanOrEqual(4);
  });

  it('of a megabyte, of null, and oneway', async () => {
    const wind = await client();
    const text = `${'μ'.repeat(300_000)}${'x'.repeat(500_000)}`;
    expect((await wind.call({ method: 'echo', args: [text] })).value).toBe(text);
    expect(await wind.call({ method: 'attachment', args: ['none'] })).toMatchObject({
      status: 20,
      tag: 5,
      value: null,
    });
    wind.oneway({ method: 'observe', args: ['Tinos'] });
    await vi.waitFor(() => expect(servers.v1.observed).toEqual(['Tinos']));
  });

  it('without a route or an endpoint are answered with an error that says so', async () => {
    const wind = await client();
    await save(
      folder,
      'meta-router.yaml',
      (await exampleFile('routes/attachment.yaml')).replace(/ {4}- name: the-rest[\s\S]*/, ''),
    );
    await vi.waitFor(async () => expect((await wind.call(WHO)).status).toBe(60), { timeout: 5_000 });
    expect((await wind.call(WHO)).value).toBe('no_route: no route matches this request');
    servers.v2.close();
    const answer = await wind.call({ ...WHO, attachments: { tier: 'gold' } });
    expect(answer).toMatchObject({ status: 35 });
    expect(answer.value).toMatch(/^(connect_failure|upstream_reset): /);
  });
});

describe('a provider', () => {
  it('that says read-only gets no new call on that connection, and ends its own in peace', async () => {
    const wind = await client();
    await who(wind);
    expect(servers.v1.connections).toBe(1);
    servers.v1.sayReadOnly();
    await vi.waitFor(() => expect(servers.v1.connections).toBe(0));
    expect(await who(wind)).toBe('v1');
    expect(servers.v1.connections).toBe(1);
    expect(wind.closed).toBe(false);
  });

  it('that comes back is found', async () => {
    const wind = await client();
    await who(wind);
    servers.v1.close();
    expect((await wind.call(WHO)).status).toBe(35);
    await server('again', servers.v1.port);
    await vi.waitFor(async () => expect(await who(wind)).toBe('again'), { timeout: 5_000 });
    expect(wind.closed).toBe(false);
  });
});

describe('the proxy', () => {
  it('answers heartbeats itself', async () => {
    const wind = await client();
    expect(await wind.heartbeat()).toBe('N');
    expect(servers.v1.connections).toBe(0);
  });

  it('says read-only when it drains, and closes behind the last answer', async () => {
    const wind = await client();
    await who(wind);
    await fetch(`${proxyAdmin}/drain`, { method: 'POST' });
    await vi.waitFor(() => expect(wind.closed).toBe(true), { timeout: 5_000 });
    expect(wind.readOnly).toBe(true);
  });
});
