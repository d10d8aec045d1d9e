import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/harness/fake-clock.ts';
import type { RuntimeIssue } from '../../metaprotocol/compile.ts';
import type { RuntimeDescription } from '../../metaprotocol/description.ts';
import { StatsStore } from '../../metaprotocol/stats.ts';
import { StatTotals } from '../stat-totals.ts';
import { recordingLog } from '../testing/recording-log.ts';
import { WorkerGroup } from './worker-group.ts';
import type { WorkerEvents } from './worker-handle.ts';
import type { FromWorker, PluginReference, ToWorker } from './worker-messages.ts';

const turn = () => new Promise(setImmediate);

/** A worker that answers as it is told to. */
class FakeWorker {
  readonly got: ToWorker[] = [];
  readonly #events: WorkerEvents;
  issues: RuntimeIssue[] = [];
  running: string | null = null;
  reusePort = false;
  diesOnPrepare = false;
  silent = false;
  #prepared: string | null = null;

  constructor(events: WorkerEvents, isReady: boolean) {
    this.#events = events;
    if (isReady) setImmediate(() => events.onMessage({ type: 'ready' }));
  }

  say(message: FromWorker): void {
    this.#events.onMessage(message);
  }

  post(message: ToWorker): void {
    this.got.push(message);
    if (this.silent) return;
    setImmediate(() => this.#answer(message));
  }

  terminate(): void {
    setImmediate(() => this.#events.onExit(null));
  }

  die(): void {
    this.#events.onExit(new Error('killed'));
  }

  count(name: string, amount: number): void {
    const stats = new StatsStore((definition) => this.#events.onMessage({ type: 'defined', definition }));
    stats.counter(name).add(amount);
    stats.gauge(`${name}_active`).add(amount);
  }

  #answer(message: ToWorker): void {
    switch (message.type) {
      case 'prepare':
        this.#prepared = message.description.version;
        if (this.diesOnPrepare) this.die();
        else this.#events.onMessage({ type: 'prepared', round: message.round, issues: this.issues });
        break;
      case 'commit':
        this.running = this.#prepared;
        this.#events.onMessage({ type: 'committed', round: message.round });
        break;
      case 'drain':
        this.#events.onMessage({ type: 'drained' });
        break;
      case 'reopen_logs':
        this.#events.onMessage({ type: 'logs_reopened', question: message.question });
        break;
      case 'status':
        this.#events.onMessage({ type: 'status', question: message.question, clusters: [] });
        break;
      case 'ping':
        this.#events.onMessage({ type: 'pong' });
        break;
      case 'abandon':
        this.#prepared = null;
        break;
    }
  }
}

class Bench {
  readonly clock = new FakeClock();
  readonly workers: FakeWorker[] = [];
  readonly totals = new StatTotals();
  readonly restarts = new StatsStore().counter('worker_restarts_total');
  readonly probed: string[] = [];
  taken: string | null = null;
  onSpawn: (worker: FakeWorker) => void = () => {};
  readonly group: WorkerGroup;

  constructor(workers: number, plugin: PluginReference | null = null, isReady = true) {
    this.group = new WorkerGroup({
      name: 'w',
      workers,
      spawn: ({ reusePort }, events) => {
        const worker = new FakeWorker(events, isReady);
        worker.reusePort = reusePort;
        this.onSpawn(worker);
        this.workers.push(worker);
        return worker;
      },
      clock: this.clock,
      log: recordingLog(),
      stats: this.totals,
      ticketKeys: new Uint8Array(),
      restarts: this.restarts,
      plugin,
      shareAddresses: plugin !== null,
      writeLines: () => {},
      probe: async ({ host, port }) => {
        this.probed.push(`${host}:${port}`);
        return this.taken;
      },
    });
  }

  get running(): (string | null)[] {
    return this.workers.map(({ running }) => running);
  }

  async roll(version: string): Promise<RuntimeIssue[]> {
    const issues = await this.group.prepare(description(version));
    if (issues.length === 0) await this.group.commit();
    return issues;
  }
}

function description(version: string): RuntimeDescription {
  const listener = { name: 'L', bind: { host: '127.0.0.1', port: 7 } };
  return { version, listeners: [listener as RuntimeDescription['listeners'][number]], clusters: [] };
}

const issue: RuntimeIssue = { kind: 'listener', name: 'L', path: '', message: 'no' };

describe('WorkerGroup', () => {
  it('commits on all what was prepared on all', async () => {
    const bench = new Bench(2);
    expect(await bench.group.prepare(description('1'))).toEqual([]);
    expect(bench.running).toEqual([null, null]);
    await bench.group.commit();
    expect(bench.running).toEqual(['1', '1']);
    expect(bench.workers.map(({ reusePort }) => reusePort)).toEqual([true, true]);
  });

  it('changes nothing when one worker has an issue, and tells it once', async () => {
    const bench = new Bench(2);
    await bench.roll('1');
    for (const worker of bench.workers) worker.issues = [issue];
    expect(await bench.roll('2')).toEqual([issue]);
    await turn();
    expect(bench.running).toEqual(['1', '1']);
    expect(bench.workers[0]!.got.at(-1)!.type).toBe('abandon');
  });

  it('gives a worker that died what the others run, counts it and keeps its counts', async () => {
    const bench = new Bench(2);
    await bench.roll('1');
    bench.workers[1]!.count('calls', 5);
    bench.clock.advance(10_000);
    bench.workers[1]!.die();
    await bench.roll('2');
    await turn();
    for (let turns = 0; turns < 5; turns++) await turn();
    expect(bench.workers).toHaveLength(3);
    expect(bench.running).toEqual(['2', '1', '2']);
    expect(bench.restarts.value).toBe(1);
    expect(bench.totals.series().map(({ name, values }) => [name, values])).toEqual([
      ['calls', [5]],
      ['calls_active', [0]],
    ]);
  });

  it('starts a worker again at once, and in a crash loop twice a second', async () => {
    const bench = new Bench(1);
    await bench.roll('1');
    bench.workers[0]!.die();
    expect(bench.workers).toHaveLength(2);
    bench.workers[1]!.die();
    expect(bench.workers).toHaveLength(2);
    bench.clock.advance(500);
    expect(bench.workers).toHaveLength(3);
    bench.clock.advance(5_000);
    bench.workers[2]!.die();
    expect(bench.workers).toHaveLength(4);
  });

  it('does not wait for a worker that dies instead of answering', async () => {
    const bench = new Bench(2);
    await bench.roll('1');
    bench.workers[0]!.silent = true;
    const rolled = bench.roll('2');
    await turn();
    bench.workers[0]!.die();
    expect(await rolled).toEqual([]);
    expect(bench.workers[1]!.running).toBe('2');
  });

  it('rejects a change that ends workers twice, and goes back to what ran', async () => {
    const bench = new Bench(1);
    await bench.roll('1');
    bench.clock.advance(10_000);
    const killing = (worker: FakeWorker) => {
      // What runs is fine; only the new description is deadly.
      const post = worker.post.bind(worker);
      worker.post = (message) => {
        worker.diesOnPrepare = message.type === 'prepare' && message.description.version === '2';
        post(message);
      };
      return worker;
    };
    killing(bench.workers[0]!);
    bench.onSpawn = killing;
    const rolled = expect(bench.roll('2')).rejects.toThrow('ended while it prepared');
    for (let turns = 0; turns < 20; turns++) {
      await turn();
      bench.clock.advance(1_000);
    }
    await rolled;
    for (let turns = 0; turns < 20; turns++) {
      await turn();
      bench.clock.advance(1_000);
    }
    expect(bench.running.at(-1)).toBe('1');
  });

  it('binds a new address alone before several workers share it', async () => {
    const bench = new Bench(2);
    bench.taken = 'EADDRINUSE';
    expect(await bench.roll('1')).toMatchObject([{ kind: 'listener', name: 'L', message: 'EADDRINUSE' }]);
    bench.taken = null;
    await bench.roll('2');
    await bench.roll('3');
    expect(bench.probed).toEqual(['127.0.0.1:7', '127.0.0.1:7']);
    const alone = new Bench(1);
    await alone.roll('1');
    expect(alone.probed).toEqual([]);
  });

  it('says that logs are reopened when every worker that lives has done it', async () => {
    const bench = new Bench(3);
    await bench.roll('1');
    for (const worker of bench.workers) worker.silent = true;
    let isDone = false;
    const reopened = bench.group.reopenLogs().then(() => {
      isDone = true;
    });
    const [message] = bench.workers[0]!.got.slice(-1);
    const question = message?.type === 'reopen_logs' ? message.question : -1;
    for (const worker of bench.workers.slice(0, 2)) worker.say({ type: 'logs_reopened', question });
    await turn();
    expect(isDone).toBe(false);
    bench.workers[2]!.die();
    await reopened;
  });

  it('drains all and starts none again', async () => {
    const bench = new Bench(2);
    await bench.roll('1');
    await bench.group.drain(1_000);
    expect(bench.workers.map(({ got }) => got.at(-1))).toEqual([
      { type: 'drain', deadlineMs: 1_000, quietMs: 0 },
      { type: 'drain', deadlineMs: 1_000, quietMs: 0 },
    ]);
    bench.workers[0]!.die();
    bench.clock.advance(10_000);
    await bench.group.close();
    expect(bench.workers).toHaveLength(2);
    expect(bench.restarts.value).toBe(0);
  });
});

const plugin = { reference: './codec.ts', directory: '/' };
const turns = async () => {
  for (let count = 0; count < 8; count++) await turn();
};

describe('WorkerGroup of a plugin', () => {
  it('ends a worker that gives no sign of life, and brings its successor up', async () => {
    const bench = new Bench(1, plugin);
    await bench.roll('1');
    for (let step = 0; step < 20; step++) {
      bench.clock.advance(200);
      await turn();
    }
    expect(bench.workers).toHaveLength(1);
    bench.workers[0]!.silent = true;
    for (let step = 0; step < 5; step++) bench.clock.advance(200);
    await turns();
    expect(bench.running).toEqual(['1', '1']);
    expect(bench.restarts.value).toBe(1);
    await bench.group.close();
    expect(bench.clock.pendingTimers).toBe(0);
  });

  it('is over when the first worker refuses the plugin', async () => {
    const bench = new Bench(1, plugin, false);
    bench.workers[0]!.say({ type: 'refused', reason: 'no such file', files: [] });
    await expect(bench.group.loaded).rejects.toThrow('no such file');
    bench.workers[0]!.die();
    expect(bench.workers).toHaveLength(1);
    expect(bench.clock.pendingTimers).toBe(0);
  });

  it('is over when the first worker ends before it loaded the plugin', async () => {
    const bench = new Bench(1, plugin, false);
    bench.workers[0]!.die();
    await expect(bench.group.loaded).rejects.toThrow(`plugin ${plugin.reference}: its thread ended: killed`);
    expect(bench.workers).toHaveLength(1);
    expect(bench.clock.pendingTimers).toBe(0);
  });

  it('does not wait for ever for a plugin to load', async () => {
    const bench = new Bench(1, plugin, false);
    bench.clock.advance(10_000);
    await expect(bench.group.loaded).rejects.toThrow(`plugin ${plugin.reference}: not loaded within 10000 ms`);
    await turns();
    expect(bench.workers).toHaveLength(1);
  });

  it('starts workers anew with what it adopts', async () => {
    const bench = new Bench(1, plugin);
    await bench.roll('1');
    expect(bench.group.isServing).toBe(true);
    bench.group.adopt(description('2'));
    await turns();
    expect(bench.running).toEqual(['1', '2']);
  });

  it('shares its addresses, once they are found to be free', async () => {
    const bench = new Bench(1, plugin);
    await bench.roll('1');
    expect(bench.workers[0]!.reusePort).toBe(true);
    expect(bench.probed).toEqual(['127.0.0.1:7']);
  });
});
