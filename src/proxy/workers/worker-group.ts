/**
 * WorkerGroup: workers that run the same description. A change is prepared on all before it is committed on any; a worker that
 * dies is started again with what runs now, and the others do not notice.
 */
import type { Clock, TimerHandle } from '../../metaprotocol/clock.ts';
import type { RuntimeIssue } from '../../metaprotocol/compile.ts';
import type { Log } from '../../metaprotocol/core.ts';
import type { RuntimeDescription } from '../../metaprotocol/description.ts';
import type { Address } from '../../metaprotocol/filter.ts';
import type { ClusterStatus } from '../../metaprotocol/runtime.ts';
import type { Counter } from '../../metaprotocol/stats.ts';
import { splitPools } from '../describe/split-pools.ts';
import type { StatTotals } from '../stat-totals.ts';
import { Watchdog } from './watchdog.ts';
import type { SpawnWorker, WorkerHandle } from './worker-handle.ts';
import {
  type FromWorker,
  type LoadedPlugin,
  type PluginReference,
  PluginRefused,
  type ToWorker,
} from './worker-messages.ts';

export interface WorkerGroupOptions {
  /** Part of its workers' names. */
  readonly name: string;
  readonly workers: number;
  readonly spawn: SpawnWorker;
  readonly clock: Clock;
  readonly log: Log;
  readonly stats: StatTotals;
  readonly restarts: Counter;
  /** Run besides what is built in, and watched: code of others may loop. null: nothing of others. */
  readonly plugin: PluginReference | null;
  /** Its addresses may be shared, with other workers of its own or the group that takes its place. */
  readonly shareAddresses: boolean;
  /** Of TLS sessions, for all groups of a proxy. */
  readonly ticketKeys: Uint8Array;
  readonly writeLines: (path: string, bytes: Uint8Array, count: number) => void;
  /** Why we alone cannot bind there; null: we can. Asked once for each new address that several workers shall share. */
  readonly probe: (bind: Address) => Promise<string | null>;
}

/** A worker is started again at once; one that dies young again waits, so that a crash loop does not eat the machine. */
const RESTART_DELAY_MS = 500;
const YOUNG_MS = 5_000;
/** A plugin that is not loaded by then never will be: it loops, or waits for something. */
const LOAD_TIMEOUT_MS = 10_000;

interface Round {
  readonly number: number;
  readonly description: RuntimeDescription;
}

/** One life of a worker. */
interface Member {
  readonly index: number;
  readonly name: string;
  readonly startedAtMs: number;
  /** How many lives before this one ended young, in a row. */
  readonly youngDeaths: number;
  handle: WorkerHandle | null;
  watchdog: Watchdog | null;
  loading: TimerHandle | null;
  /** Its plugin, where it has one. */
  isLoaded: boolean;
  alive: boolean;
  /** Runs what the others run, and takes part in rounds. */
  joined: boolean;
  preparedRound: number;
  runningRound: number;
  /** Who waits for which answer; answered with null when it dies. */
  readonly waiting: Map<string, (message: FromWorker | null) => void>;
}

export class WorkerGroup {
  readonly #options: WorkerGroupOptions;
  readonly #members: Member[] = [];
  #lives = 0;
  #rounds = 0;
  #questions = 0;
  #current: Round | null = null;
  #pending: Round | null = null;
  #ending = false;
  readonly #loaded = Promise.withResolvers<LoadedPlugin>();
  /** Resolved whenever a worker joined or ended. */
  #changed = Promise.withResolvers<void>();

  constructor(options: WorkerGroupOptions) {
    this.#options = options;
    // Nobody may be waiting for it.
    this.#loaded.promise.catch(() => {});
    for (let index = 0; index < options.workers; index++) this.#spawn(index, 0);
  }

  get workers(): number {
    return this.#options.workers;
  }

  /** What the first worker found its plugin to be. Rejects with the reason why it cannot be used; then the group is over. */
  get loaded(): Promise<LoadedPlugin> {
    return this.#loaded.promise;
  }

  /** Some worker runs and answers. */
  get isServing(): boolean {
    return this.#joined().length > 0;
  }

  /** Workers run it as soon as they are there again; those that run now are started anew. */
  adopt(description: RuntimeDescription): void {
    this.#pending = null;
    this.#current = { number: ++this.#rounds, description };
    for (const member of this.#joined()) member.handle?.terminate();
  }

  /**
   * Every issue that any worker has with it; none: `commit` may follow. Nothing visible changes. Rejects when workers die of it.
   */
  async prepare(description: RuntimeDescription): Promise<RuntimeIssue[]> {
    this.abandon();
    const taken = await this.#probe(description);
    if (taken.length > 0) return taken;
    for (let tries = 1; ; tries++) {
      while (!this.#ending && !this.#isComplete()) await this.#changed.promise;
      const round = { number: ++this.#rounds, description };
      this.#pending = round;
      const answers = await Promise.all(this.#joined().map((member) => this.#prepareOn(member, round)));
      const issues = distinct(answers.flatMap((answer) => answer ?? []));
      if (issues.length > 0) this.abandon();
      if (issues.length > 0 || !answers.includes(null)) return issues;
      // Once may be chance; a description that ends workers twice is not given to any that has not seen it.
      this.abandon();
      if (tries === 2) throw new Error('a worker ended while it prepared the change');
    }
  }

  /** What was prepared runs on every worker when this resolves. */
  async commit(): Promise<void> {
    const round = this.#pending;
    if (round === null) throw new Error('commit without a successful prepare');
    this.#current = round;
    this.#pending = null;
    await Promise.all(this.#joined().map((member) => this.#bringUp(member, round)));
  }

  abandon(): void {
    if (this.#pending === null) return;
    for (const member of this.#joined()) member.handle?.post({ type: 'abandon', round: this.#pending.number });
    this.#pending = null;
  }

  /** No new connections; resolves when the running streams ended, or at the deadline. No worker is started again. */
  async drain(deadlineMs: number, quietMs = 0): Promise<void> {
    this.#ending = true;
    const message = { type: 'drain', deadlineMs, quietMs } as const;
    await Promise.all(this.#joined().map((member) => this.#ask(member, message, 'drained')));
  }

  /** What each worker says of its clusters. */
  async clusters(): Promise<{ worker: number; clusters: readonly ClusterStatus[] }[]> {
    const question = ++this.#questions;
    const answers = this.#joined().map(async (member) => {
      const answer = await this.#ask(member, { type: 'status', question }, `status ${question}`);
      return answer?.type === 'status' ? [{ worker: member.index, clusters: answer.clusters }] : [];
    });
    return (await Promise.all(answers)).flat();
  }

  /** Resolves when no worker writes any more to access logs that were renamed or deleted. */
  async reopenLogs(): Promise<void> {
    const question = ++this.#questions;
    const message = { type: 'reopen_logs', question } as const;
    await Promise.all(this.#joined().map((member) => this.#ask(member, message, `logs_reopened ${question}`)));
  }

  /** Ends every worker at once. */
  async close(): Promise<void> {
    this.#ending = true;
    this.#loaded.reject(new Error('closed before it was loaded'));
    for (const member of this.#members) member.handle?.terminate();
    while (this.#members.some((member) => member.alive)) await this.#changed.promise;
  }

  get #sharesAddresses(): boolean {
    return this.#options.workers > 1 || this.#options.shareAddresses;
  }

  #joined(): Member[] {
    return this.#members.filter((member) => member.joined);
  }

  /** At the first round every worker is there; later ones do not wait for one that is being started again. */
  #isComplete(): boolean {
    const joined = this.#joined().length;
    return this.#current === null ? joined === this.#options.workers : joined > 0;
  }

  #spawn(index: number, youngDeaths: number): void {
    const member: Member = {
      index,
      name: `${this.#options.name}/${index}#${++this.#lives}`,
      startedAtMs: this.#options.clock.nowMs(),
      youngDeaths,
      handle: null,
      watchdog: null,
      loading: null,
      isLoaded: this.#options.plugin === null,
      alive: true,
      joined: false,
      preparedRound: 0,
      runningRound: 0,
      waiting: new Map(),
    };
    this.#members[index] = member;
    if (this.#options.plugin !== null) {
      member.loading = this.#options.clock.setTimer(LOAD_TIMEOUT_MS, () => {
        this.#refuse(member, this.#unloadable(`not loaded within ${LOAD_TIMEOUT_MS} ms`));
        member.handle?.terminate();
      });
    }
    member.handle = this.#options.spawn(
      {
        reusePort: this.#sharesAddresses,
        ticketKeys: this.#options.ticketKeys,
        plugin: this.#options.plugin,
      },
      {
        onMessage: (message) => this.#onMessage(member, message),
        onExit: (error) => this.#onExit(member, error),
      },
    );
  }

  #onMessage(member: Member, message: FromWorker): void {
    switch (message.type) {
      case 'loaded':
        member.isLoaded = true;
        this.#loaded.resolve(message.plugin);
        break;
      case 'refused':
        this.#refuse(member, new PluginRefused(message.reason, message.files));
        break;
      case 'ready':
        member.loading?.cancel();
        if (this.#options.plugin !== null) member.watchdog = this.#watch(member);
        void this.#join(member);
        break;
      case 'pong':
        member.watchdog?.onAnswer();
        break;
      case 'defined':
        this.#options.stats.define(member.name, message.definition);
        break;
      case 'log':
        this.#options.log[message.level]({ worker: member.index, ...message.fields }, message.text);
        break;
      case 'lines':
        this.#options.writeLines(message.path, message.bytes, message.count);
        break;
      case 'prepared':
        if (message.issues.length === 0) member.preparedRound = message.round;
        this.#answer(member, `prepared ${message.round}`, message);
        break;
      case 'committed':
        member.runningRound = message.round;
        this.#answer(member, `committed ${message.round}`, message);
        break;
      case 'drained':
        this.#answer(member, 'drained', message);
        break;
      case 'logs_reopened':
        this.#answer(member, `logs_reopened ${message.question}`, message);
        break;
      case 'status':
        this.#answer(member, `status ${message.question}`, message);
        break;
    }
  }

  #onExit(member: Member, error: Error | null): void {
    this.#options.stats.retire(member.name);
    member.watchdog?.stop();
    member.loading?.cancel();
    member.alive = false;
    member.joined = false;
    for (const answer of member.waiting.values()) answer(null);
    member.waiting.clear();
    this.#tellChange();
    if (!member.isLoaded && this.#current === null && !this.#ending)
      this.#refuse(member, this.#unloadable(`its thread ended: ${error?.message ?? 'terminated'}`));
    if (this.#ending) return;
    this.#options.restarts.add();
    const fields = { worker: member.index, error: error?.stack ?? 'terminated' };
    this.#options.log.error(fields, 'worker ended, starting it again');
    const livedMs = this.#options.clock.nowMs() - member.startedAtMs;
    const youngDeaths = livedMs < YOUNG_MS ? member.youngDeaths + 1 : 0;
    const respawn = () => {
      if (!this.#ending) this.#spawn(member.index, youngDeaths);
    };
    if (youngDeaths < 2) respawn();
    else this.#options.clock.setTimer(RESTART_DELAY_MS, respawn);
  }

  #watch(member: Member): Watchdog {
    return new Watchdog({
      clock: this.#options.clock,
      ask: () => member.handle?.post({ type: 'ping' }),
      onSilence: (silentMs) => {
        const fields = { worker: member.name, silentMs };
        this.#options.log.error(fields, 'worker does not answer, its plugin seems to loop: ending it');
        member.handle?.terminate();
      },
    });
  }

  /** At the start the group has no use; later the file may be mended before the next start. */
  #refuse(member: Member, refusal: PluginRefused): void {
    if (this.#current === null) {
      this.#ending = true;
      this.#loaded.reject(refusal);
    } else {
      this.#options.log.error({ worker: member.name, reason: refusal.message }, 'plugin not loaded');
    }
  }

  #unloadable(reason: string): PluginRefused {
    return new PluginRefused(`plugin ${this.#options.plugin?.reference}: ${reason}`, []);
  }

  /** A new worker first runs what the others run, however often that changes meanwhile. */
  async #join(member: Member): Promise<void> {
    while (this.#current !== null && member.runningRound !== this.#current.number) {
      await this.#bringUp(member, this.#current);
      if (!member.alive) return;
    }
    member.joined = true;
    this.#tellChange();
  }

  async #bringUp(member: Member, round: Round): Promise<void> {
    if (member.preparedRound !== round.number) {
      const issues = await this.#prepareOn(member, round);
      if (issues !== null && issues.length > 0) {
        // It runs on the others, so a fresh start is the way on; the restart delay spaces the tries.
        this.#options.log.error({ worker: member.index, issues }, 'worker cannot run what the others run');
        member.handle?.terminate();
        await this.#ask(member, null, 'end');
      }
    }
    if (member.alive) {
      await this.#ask(member, { type: 'commit', round: round.number }, `committed ${round.number}`);
    }
  }

  /** Null when the worker died of it. */
  async #prepareOn(member: Member, round: Round): Promise<readonly RuntimeIssue[] | null> {
    const description = splitPools(round.description, member.index, this.#options.workers);
    const message = { type: 'prepare', round: round.number, description } as const;
    const answer = await this.#ask(member, message, `prepared ${round.number}`);
    return answer?.type === 'prepared' ? answer.issues : null;
  }

  /** Null when it died before it answered. */
  #ask(member: Member, message: ToWorker | null, answer: string): Promise<FromWorker | null> {
    if (!member.alive) return Promise.resolve(null);
    return new Promise((resolve) => {
      member.waiting.set(answer, resolve);
      if (message !== null) member.handle?.post(message);
    });
  }

  #answer(member: Member, key: string, message: FromWorker): void {
    const waiting = member.waiting.get(key);
    member.waiting.delete(key);
    waiting?.(message);
  }

  #tellChange(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }

  /** With `reusePort` a foreign process could share our address unseen, so it is bound alone once before. */
  async #probe(description: RuntimeDescription): Promise<RuntimeIssue[]> {
    if (!this.#sharesAddresses) return [];
    const ours = new Set(this.#current?.description.listeners.map(({ bind }) => `${bind.host} ${bind.port}`));
    const fresh = description.listeners.filter(({ bind }) => !ours.has(`${bind.host} ${bind.port}`));
    const faults = await Promise.all(fresh.map(({ bind }) => this.#options.probe(bind)));
    return fresh.flatMap(({ name }, index): RuntimeIssue[] => {
      const message = faults[index] ?? null;
      return message === null ? [] : [{ kind: 'listener', name, path: 'bind', message }];
    });
  }
}

/** Each worker finds the same faults. */
function distinct(issues: readonly RuntimeIssue[]): RuntimeIssue[] {
  return [...new Map(issues.map((issue) => [JSON.stringify(issue), issue])).values()];
}
