/** Stock Redis clients through the whole mesh: what they do with a server of their own they do here, over shared connections. */
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { hasRedisServer, type RedisServer, startRedis } from '../../examples/redis/redis-server.ts';
import type { ProxyProcess } from '../../src/proxy/proxy-process.ts';
import { freePort, MeshBench } from './mesh-fixture.ts';

const serviceYaml = (name: string, port: number, servers: readonly number[]) => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${name}, namespace: default }
spec:
  hosts: [${name}.test]
  addresses: [127.0.0.1]
  resolution: STATIC
  ports: [{ name: tcp-redis, number: ${port}, protocol: TCP }]
  endpoints:
${servers.map((server) => `    - { address: 127.0.0.1, ports: { tcp-redis: ${server} } }`).join('\n')}
---
`;

describe.skipIf(!hasRedisServer())('Redis clients through the mesh', () => {
  const bench = new MeshBench();
  const servers: RedisServer[] = [];
  let proxy: ProxyProcess;
  /** One server behind it; two; a password in front and behind. */
  let single: number;
  let sharded: number;
  let guarded: number;
  let guardedServer: number;

  beforeAll(async () => {
    [single, sharded, guarded] = await Promise.all([freePort(), freePort(), freePort()]);
    const ports = await Promise.all([freePort(), freePort(), freePort()]);
    guardedServer = ports[2];
    for (const port of ports) {
      servers.push(await startRedis(port, port === guardedServer ? ['--requirepass', 'behind'] : []));
    }
    const folder = await bench.folder({
      'mesh.yaml': [
        serviceYaml('single', single, [ports[0]]),
        serviceYaml('sharded', sharded, [ports[0], ports[1]]),
        serviceYaml('guarded', guarded, [guardedServer]),
        'apiVersion: redis.aeraki.io/v1alpha1\nkind: RedisService\nmetadata: { name: guarded }\n',
        'spec: { host: [guarded.test], settings: { auth: { plain: { password: front, username: joe } }, opTimeout: 1s },\n',
        '  faults: [{ type: ERROR, commands: [STRLEN] }] }\n---\n',
        'apiVersion: redis.aeraki.io/v1alpha1\nkind: RedisDestination\nmetadata: { name: guarded }\n',
        'spec: { host: guarded.test, trafficPolicy: { connectionPool: { redis: { auth: { plain: { password: behind } } } } } }\n',
      ].join(''),
    });
    const control = await bench.controlPlane(folder);
    proxy = await bench.proxy(control.xdsAddress.port);
  });

  afterAll(async () => {
    await bench.close();
    for (const server of servers) await server.close();
  });

  async function metric(name: string): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${proxy.adminAddress!.port}/stats/prometheus`)).text();
    const series = text.split('\n').filter((line) => line.startsWith(`meltemi_${name}{`));
    return series.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  }

  async function ioredis<T>(port: number, use: (client: Redis) => Promise<T>, options: object = {}): Promise<T> {
    const client = new Redis(port, '127.0.0.1', { maxRetriesPerRequest: 1, ...options });
    try {
      return await use(client);
    } finally {
      client.disconnect();
    }
  }

  it('ioredis: values, pipelines, transactions, scripts, databases', async () => {
    await ioredis(single, async (client) => {
      const bytes = Buffer.from([0, 13, 10, 255]);
      await client.set('bytes', bytes);
      expect(await client.getBuffer('bytes')).toEqual(bytes);
      const pipeline = client.pipeline();
      for (let index = 0; index < 500; index++) pipeline.set(`p${index}`, index).get(`p${index}`);
      const results = await pipeline.exec();
      expect(results!.filter((_, at) => at % 2 === 1).map(([, value]) => value)).toEqual(
        Array.from({ length: 500 }, (_, index) => `${index}`),
      );
      expect(await client.multi().set('t', 1).incr('t').get('t').exec()).toEqual([
        [null, 'OK'],
        [null, 2],
        [null, '2'],
      ]);
      await client.watch('t');
      await ioredis(single, (other) => other.set('t', 'changed'));
      expect(await client.multi().set('t', 'lost').exec()).toBeNull();
      expect(await client.eval('return {KEYS[1], ARGV[1]}', 1, 'k', 'a')).toEqual(['k', 'a']);
      await client.select(3);
      await client.set('only', 'here');
      expect(await ioredis(single, (other) => other.get('only'))).toBeNull();
      expect(await ioredis(single, (other) => other.get('only'), { db: 3 })).toBe('here');
      await expect(client.select(99)).rejects.toThrow('DB index is out of range');
      await expect(client.call('NOSUCH', 'x')).rejects.toThrow("unknown command 'NOSUCH'");
    });
  });

  it('ioredis: messages and lists that are waited for', async () => {
    await ioredis(single, async (subscriber) => {
      const heard: string[] = [];
      subscriber.on('message', (channel, message) => heard.push(`${channel} ${message}`));
      subscriber.on('pmessage', (pattern, channel, message) => heard.push(`${pattern} ${channel} ${message}`));
      expect(await subscriber.subscribe('a', 'b')).toBe(2);
      expect(await subscriber.psubscribe('n*')).toBe(3);
      await ioredis(single, async (publisher) => {
        expect(await publisher.publish('a', 'one')).toBe(1);
        expect(await publisher.publish('news', 'two')).toBe(1);
      });
      await vi.waitFor(() => expect(heard).toEqual(['a one', 'n* news two']));
      await subscriber.unsubscribe('a', 'b');
      await subscriber.punsubscribe('n*');
      expect(await subscriber.ping()).toBe('PONG');
    });
    await ioredis(single, async (waiter) => {
      const popped = waiter.blpop('queue', 0);
      await ioredis(single, (pusher) => pusher.rpush('queue', 'job'));
      expect(await popped).toEqual(['queue', 'job']);
    });
  });

  it('loses nothing to a caller that went while it waited', async () => {
    const waiter = new Redis(single, '127.0.0.1');
    await waiter.ping();
    waiter.blpop('left', 0).catch(() => {});
    await ioredis(single, async (other) => {
      await vi.waitFor(async () => expect(await other.client('LIST')).toContain('cmd=blpop'));
      waiter.disconnect();
      await vi.waitFor(async () => expect(await other.client('LIST')).not.toContain('cmd=blpop'));
      await other.rpush('left', 'job');
      expect(await other.lpop('left')).toBe('job');
    });
  });

  it.each([2, 3] as const)('node-redis: RESP%i', async (RESP) => {
    const client = createClient({ RESP, socket: { port: single, host: '127.0.0.1' }, name: 'app' });
    client.on('error', () => {});
    await client.connect();
    try {
      await client.hSet('h', { a: '1', b: '2' });
      expect(await client.hGetAll('h')).toEqual({ a: '1', b: '2' });
      expect(await client.clientGetName()).toBe('app');
      expect(await client.multi().set('n', '1').incr('n').exec()).toEqual(['OK', 2]);
      const subscriber = client.duplicate();
      subscriber.on('error', () => {});
      await subscriber.connect();
      const heard: string[] = [];
      await subscriber.subscribe('room', (message) => heard.push(message));
      await client.publish('room', 'hi');
      await vi.waitFor(() => expect(heard).toEqual(['hi']));
      await subscriber.unsubscribe('room');
      subscriber.destroy();
      expect(await client.set('k', 'v')).toBe('OK');
    } finally {
      client.destroy();
    }
  });

  it('many callers share a connection', async () => {
    const before = await metric('upstream_connections_opened_total');
    const clients = Array.from({ length: 50 }, () => new Redis(single, '127.0.0.1'));
    try {
      await Promise.all(
        clients.flatMap((client, number) =>
          Array.from({ length: 20 }, async (_, index) => {
            await client.set(`c${number}:${index}`, `${number}`);
            expect(await client.get(`c${number}:${index}`)).toBe(`${number}`);
          }),
        ),
      );
    } finally {
      for (const client of clients) client.disconnect();
    }
    await vi.waitFor(async () => expect((await metric('upstream_connections_opened_total')) - before).toBeLessThan(3));
  });

  it('splits over two servers what can be joined, and says CROSSSLOT of the rest', async () => {
    await ioredis(sharded, async (client) => {
      const keys = Array.from({ length: 40 }, (_, index) => `s${index}`);
      await client.mset(Object.fromEntries(keys.map((key) => [key, `${key}!`])));
      expect(await client.mget([...keys].reverse())).toEqual([...keys].reverse().map((key) => `${key}!`));
      const held = await Promise.all(servers.slice(0, 2).map(({ port }) => ioredis(port, (one) => one.exists(keys))));
      expect(held[0]! + held[1]!).toBe(40);
      expect(Math.min(...held)).toBeGreaterThan(0);
      expect(await client.exists(keys)).toBe(40);
      await expect(client.sunion(keys)).rejects.toThrow('CROSSSLOT');
      await client.set('{tag}a', '1');
      await client.rename('{tag}a', '{tag}b');
      expect(await client.get('{tag}b')).toBe('1');
      // A transaction stays at one server; what belongs to the other breaks it, and what follows goes its own way again.
      const half = client.multi().set('half', '1');
      for (const key of keys) half.incr(`${key}-counter`);
      await expect(half.exec()).rejects.toThrow('EXECABORT');
      expect(await client.exists('half')).toBe(0);
      const pipeline = client.pipeline();
      pipeline.eval('return 1', 1, 'one');
      for (const key of keys) pipeline.get(key);
      pipeline.mget(keys);
      const results = await pipeline.exec();
      expect(results!.slice(1, -1).map(([, value]) => value)).toEqual(keys.map((key) => `${key}!`));
      expect(results!.at(-1)).toEqual([null, keys.map((key) => `${key}!`)]);
      expect(await client.unlink(keys)).toBe(40);
    });
  });

  it('asks callers for one password and servers for another, injects faults, times out', async () => {
    await expect(
      ioredis(guarded, (client) => client.on('error', () => {}).get('a'), { enableReadyCheck: false }),
    ).rejects.toThrow('NOAUTH');
    const credentials = { username: 'joe', password: 'front' };
    await ioredis(
      guarded,
      async (client) => {
        expect(await client.set('a', '1')).toBe('OK');
        expect(await client.get('a')).toBe('1');
        await expect(client.strlen('a')).rejects.toThrow('fault injected by a RedisService');
        await expect(client.eval('while redis.call("TIME")[1] - ARGV[1] < 2 do end', 0, nowSeconds())).rejects.toThrow(
          'no complete answer within 1000 ms',
        );
        // Its own timeout of 2 s is what the caller asks for.
        expect(await client.blpop('nothing', 2)).toBeNull();
      },
      credentials,
    );
    const dump = await (await fetch(`http://127.0.0.1:${proxy.adminAddress!.port}/config_dump`)).text();
    expect(dump).not.toMatch(/"(front|behind)"/);
    expect(JSON.stringify(bench.log.entries)).not.toMatch(/front|behind/);
  });
});

function nowSeconds(): string {
  return `${Math.floor(Date.now() / 1_000)}`;
}
