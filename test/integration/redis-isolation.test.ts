/** Callers of several users and databases over shared connections: nobody ever sees another's identity, database or answers. */
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasRedisServer, type RedisServer, startRedis } from '../../examples/redis/redis-server.ts';
import { freePort, MeshBench } from './mesh-fixture.ts';

const USERS = ['ann', 'bob', 'cid'];
const DATABASES = [0, 1, 2];
const ROUNDS = 60;

/** The same sequence in every run. */
function lcg(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 0x1_0000_0000) * below);
  };
}

describe.skipIf(!hasRedisServer())('Redis callers that share connections', () => {
  const bench = new MeshBench();
  const clients: Redis[] = [];
  let server: RedisServer;
  let port: number;

  beforeAll(async () => {
    const [serverPort, servicePort] = await Promise.all([freePort(), freePort()]);
    port = servicePort;
    server = await startRedis(serverPort);
    const admin = connect(serverPort);
    for (const user of USERS) await admin.call('ACL', 'SETUSER', user, 'on', `>${user}-word`, '~*', '&*', '+@all');
    await admin.call('ACL', 'SETUSER', 'reader', 'on', '>reader-word', '~*', '+@read', '+@connection');
    const folder = await bench.folder({
      'mesh.yaml': `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: cache, namespace: default }
spec:
  hosts: [cache.test]
  addresses: [127.0.0.1]
  resolution: STATIC
  ports: [{ name: tcp-redis, number: ${port}, protocol: TCP }]
  endpoints: [{ address: 127.0.0.1, ports: { tcp-redis: ${serverPort} } }]
`,
    });
    await bench.proxy((await bench.controlPlane(folder)).xdsAddress.port);
  });

  afterAll(async () => {
    for (const client of clients) client.disconnect();
    await bench.close();
    await server.close();
  });

  function connect(to: number, options: object = {}): Redis {
    const client = new Redis(to, '127.0.0.1', { maxRetriesPerRequest: 0, enableReadyCheck: false, ...options });
    client.on('error', () => {});
    clients.push(client);
    return client;
  }

  it('is always who it said, where it said, and gets its own answers', async () => {
    const callers = USERS.flatMap((user) =>
      DATABASES.flatMap((db) => [0, 1].map((number) => ({ user, db, number, name: `${user}/${db}/${number}` }))),
    );
    const passed = await Promise.all(
      callers.map(async ({ user, db, name }, seed) => {
        const client = connect(port, { username: user, password: `${user}-word`, db });
        const draw = lcg(seed + 1);
        // One key for all: what a caller reads of it tells whose database it is in.
        await client.set('where', `${db}`);
        for (let round = 0; round < ROUNDS; round++) {
          const pipeline = client.pipeline();
          const expected: unknown[] = [];
          const say = (answer: unknown, ...words: string[]) => {
            pipeline.call(words[0]!, ...words.slice(1));
            expected.push(answer);
          };
          for (let index = 0; index < 8; index++) {
            const text = `${name} ${round}.${index}`;
            const own = `own:${name}`;
            [
              () => say(user, 'ACL', 'WHOAMI'),
              () => say(`${db}`, 'GET', 'where'),
              () => say(text, 'ECHO', text),
              () => say(text, 'EVAL', 'return ARGV[1]', '0', text),
              () => {
                say('OK', 'SET', own, text);
                say(text, 'GET', own);
              },
              () => {
                say('OK', 'MULTI');
                say('QUEUED', 'SET', own, text);
                say('QUEUED', 'ACL', 'WHOAMI');
                say(['OK', user], 'EXEC');
              },
              () => {
                say('OK', 'WATCH', own);
                say(user, 'ACL', 'WHOAMI');
                say('OK', 'UNWATCH');
              },
              () => say(null, 'BLPOP', `nothing:${name}`, '0.001'),
              () => {
                const other = (db + 1) % DATABASES.length;
                say('OK', 'SELECT', `${other}`);
                say(`${other}`, 'GET', 'where');
                say('OK', 'SELECT', `${db}`);
              },
              () => {
                say(text, 'EVAL', 'return ARGV[1]', '0', text);
                say('RESET', 'RESET');
                say('default', 'ACL', 'WHOAMI');
                say('0', 'GET', 'where');
                say('OK', 'AUTH', user, `${user}-word`);
                say('OK', 'SELECT', `${db}`);
              },
            ][draw(10)]!();
          }
          const answers = await pipeline.exec();
          expect(answers!.map(([error, value]) => error?.message ?? value)).toEqual(expected);
        }
        return true;
      }),
    );
    expect(passed.length).toBe(18);
  });

  it('loses what it may not keep: a refused AUTH changes nothing, RESET gives nothing to the next one', async () => {
    const whoami = (client: Redis) => client.call('ACL', 'WHOAMI').catch((error: Error) => error.message);
    const reader = connect(port, { username: 'reader', password: 'reader-word' });
    const [ann, bob] = ['ann', 'bob'].map((user) => connect(port, { username: user, password: `${user}-word` }));
    const nobody = connect(port);
    expect(await whoami(bob!)).toBe('bob');
    for (let round = 0; round < 20; round++) {
      const refused = reader.call('AUTH', 'ann', 'guessed').catch((error: Error) => error.message);
      expect(await refused).toContain('WRONGPASS');
      await expect(reader.set('where', 'x')).rejects.toThrow('NOPERM');
      expect(await whoami(ann!)).toBe('ann');
      expect(await whoami(nobody)).toBe('default');
      const bound = connect(port);
      await bound.call('AUTH', 'bob', 'bob-word');
      expect(await bound.call('WATCH', 'where')).toBe('OK');
      expect(await bound.call('AUTH', 'ann', 'ann-word')).toBe('OK');
      expect(await whoami(bound)).toBe('ann');
      expect(await bound.call('RESET')).toBe('RESET');
      expect(await whoami(bound)).toBe('default');
      bound.disconnect();
      expect(await whoami(bob!)).toBe('bob');
    }
    // A user that is gone is so for callers on connections that were opened before.
    const admin = connect(server.port);
    await admin.call('ACL', 'SETUSER', 'ann', 'resetpass', '>new-word');
    await expect(connect(port).call('AUTH', 'ann', 'ann-word')).rejects.toThrow('WRONGPASS');
  });
});
