/** WorkerSession: one data plane, driven by messages. It does not know whether a thread lies between it and the main thread. */
import type { Clock } from '../../metaprotocol/clock.ts';
import type { Registry } from '../../metaprotocol/registry.ts';
import type { DataPlane, DataPlaneOptions, Prepared } from '../../metaprotocol/runtime.ts';
import { StatsStore } from '../../metaprotocol/stats.ts';
import { LineBatcher } from '../line-batcher.ts';
import { isProcessStream, LogFiles } from '../log-files.ts';
import type { FromWorker, LogLevel, ToWorker } from './worker-messages.ts';

export interface WorkerSessionOptions {
  readonly registry: Registry;
  readonly clock: Clock;
  /** Several workers listen at the same addresses. */
  readonly reusePort: boolean;
  readonly ticketKeys: Uint8Array;
  readonly createDataPlane: (options: DataPlaneOptions) => DataPlane;
}

export class WorkerSession {
  readonly #dataPlane: DataPlane;
  readonly #lines: LineBatcher;
  readonly #logFiles: LogFiles;
  readonly #post: (message: FromWorker) => void;
  #prepared: { readonly round: number; readonly prepared: Prepared } | null = null;
  #closed = false;

  constructor(options: WorkerSessionOptions, post: (message: FromWorker) => void) {
    const logAs = (level: LogLevel) => (fields: object, text: string) => post({ type: 'log', level, fields, text });
    const log = { info: logAs('info'), warn: logAs('warn'), error: logAs('error') };
    const stats = new StatsStore((definition) => post({ type: 'defined', definition }));
    this.#post = post;
    this.#logFiles = new LogFiles({
      clock: options.clock,
      log,
      stats,
      onDone: (bytes) => this.#lines.reuse(bytes),
    });
    this.#lines = new LineBatcher(options.clock, (path, bytes, count) => {
      if (isProcessStream(path)) {
        post({ type: 'lines', path, bytes: new Uint8Array(bytes), count });
        this.#lines.reuse(bytes);
      } else this.#logFiles.write(path, bytes, count);
    });
    this.#dataPlane = options.createDataPlane({
      registry: options.registry,
      clock: options.clock,
      random: Math.random,
      stats,
      log,
      openLog: (path) => this.#lines.open(path),
      reusePort: options.reusePort,
      ticketKeys: options.ticketKeys,
    });
    post({ type: 'ready' });
  }

  onMessage(message: ToWorker): void {
    switch (message.type) {
      case 'prepare':
        void this.#prepare(message.round, message.description);
        return;
      case 'commit':
        this.#commit(message.round);
        return;
      case 'abandon':
        this.#abandon(message.round);
        return;
      case 'drain':
        void this.#drain(message.deadlineMs, message.quietMs);
        return;
      case 'ping':
        this.#post({ type: 'pong' });
        return;
      case 'reopen_logs':
        void this.#reopenLogs(message.question);
        return;
      case 'status':
        this.#post({ type: 'status', question: message.question, clusters: this.#dataPlane.clusters() });
        return;
    }
  }

  /** Closes every connection at once. */
  close(): void {
    this.#closed = true;
    this.#abandon(this.#prepared?.round ?? -1);
    this.#dataPlane.close();
    this.#lines.flush();
    void this.#logFiles.close();
  }

  async #prepare(round: number, description: Extract<ToWorker, { type: 'prepare' }>['description']): Promise<void> {
    if (this.#prepared !== null) this.#abandon(this.#prepared.round);
    const { prepared, issues } = await this.#dataPlane.prepare(description);
    if (prepared !== null) {
      if (this.#closed) return this.#dataPlane.abandon(prepared);
      this.#prepared = { round, prepared };
    }
    this.#post({ type: 'prepared', round, issues });
  }

  #commit(round: number): void {
    if (this.#prepared?.round !== round)
      throw new Error(`commit of round ${round}, prepared is ${this.#prepared?.round}`);
    const { prepared } = this.#prepared;
    this.#prepared = null;
    this.#dataPlane.commit(prepared);
    this.#post({ type: 'committed', round });
  }

  #abandon(round: number): void {
    if (this.#prepared?.round !== round) return;
    this.#dataPlane.abandon(this.#prepared.prepared);
    this.#prepared = null;
  }

  async #reopenLogs(question: number): Promise<void> {
    await this.#logFiles.reopen();
    this.#post({ type: 'logs_reopened', question });
  }

  async #drain(deadlineMs: number, quietMs: number): Promise<void> {
    await this.#dataPlane.drain(deadlineMs, quietMs);
    this.#lines.flush();
    await this.#logFiles.settled();
    this.#post({ type: 'drained' });
  }
}
