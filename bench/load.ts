/**
 * The load generator process, `load.ts PROTOCOL`: runs one job at a time, sent by its parent. Every answer is compared with its call byte by byte. Processor time of
 * the proxy is read here, at the very edges of the measured window.
 */
import net from 'node:net';
import { echoProtocolNamed } from './echo-protocols.ts';
import { FrameSplitter } from './frame-splitter.ts';
import { LatencyHistogram } from './latency-histogram.ts';
import type { LoadJob, LoadResult } from './load-job.ts';
import { cpuTimeNs } from './process-usage.ts';

const frameLimitBytes = 1 << 20;
const drainMs = 2000;
const protocol = echoProtocolNamed(process.argv[2]);

/** One read buffer for all sockets: a chunk is parsed before the next is read. */
const readBuffer = Buffer.alloc(256 * 1024);

/** What the callers of one job share. */
interface Run {
  sending: boolean;
  /** null outside the measured window. */
  latencies: LatencyHistogram | null;
  calls: number;
  failures: number;
  firstFailure: string | null;
}

class Caller {
  readonly socket: net.Socket;
  /** Calls that wait for their answer. */
  pending = 0;
  readonly #run: Run;
  readonly #template: Buffer;
  readonly #expected: Buffer;
  /** Call `n` uses slot `n % inFlight`, so answers may come in any order. */
  readonly #calls: Uint32Array;
  readonly #startedMs: Float64Array;
  #answeredSlots: number[] = [];
  readonly #splitter: FrameSplitter;

  constructor(run: Run, job: LoadJob, index: number) {
    this.#run = run;
    this.#template = protocol.createCall(job.payloadBytes, index);
    this.#expected = protocol.replyTo(this.#template, 0, this.#template.length);
    this.#calls = Uint32Array.from({ length: job.inFlight }, (_, slot) => slot);
    this.#startedMs = new Float64Array(job.inFlight);
    this.#splitter = new FrameSplitter(protocol.frame, frameLimitBytes, (bytes, from, to) =>
      this.#onAnswer(bytes, from, to),
    );
    this.socket = net.connect({
      port: job.port,
      host: '127.0.0.1',
      noDelay: true,
      onread: { buffer: readBuffer, callback: (length) => this.#onRead(length) },
    });
    this.socket.on('error', (error) => this.#fail(0, error.message));
    this.socket.on('close', () => {
      this.#fail(Math.max(1, this.pending), 'connection closed');
      this.pending = 0;
    });
  }

  start(): void {
    this.#send([...this.#calls.keys()], performance.now());
  }

  #onRead(length: number): boolean {
    const now = performance.now();
    this.#answeredSlots.length = 0;
    try {
      this.#splitter.push(readBuffer, length);
    } catch (error) {
      this.#fail(0, String(error));
      this.socket.destroy();
      return true;
    }
    const { latencies, sending } = this.#run;
    for (const slot of this.#answeredSlots) {
      latencies?.add((now - this.#startedMs[slot]!) * 1000);
      this.#calls[slot]! += this.#calls.length;
    }
    if (latencies) this.#run.calls += this.#answeredSlots.length;
    if (sending && this.#answeredSlots.length > 0) this.#send(this.#answeredSlots, now);
    return true;
  }

  #onAnswer(bytes: Buffer, from: number, to: number): void {
    const call = protocol.callNumber(bytes, from, to);
    const slot = call % this.#calls.length;
    if (call < 0 || this.#calls[slot] !== call || this.#answeredSlots.includes(slot)) {
      this.#fail(1, `answer to call ${call}, which is not in flight`);
      return;
    }
    protocol.stampReply(this.#expected, call);
    if (this.#expected.compare(bytes, from, to) !== 0) {
      this.#fail(1, `wrong answer to call ${call}: ${bytes.toString('latin1', from, Math.min(to, from + 120))}`);
    }
    this.pending--;
    this.#answeredSlots.push(slot);
  }

  #send(slots: number[], now: number): void {
    const frameBytes = this.#template.length;
    const batch = Buffer.allocUnsafe(slots.length * frameBytes);
    for (let i = 0; i < slots.length; i++) {
      const slot = slots[i]!;
      this.#template.copy(batch, i * frameBytes);
      protocol.stampCall(batch, i * frameBytes, this.#calls[slot]!);
      this.#startedMs[slot] = now;
    }
    this.pending += slots.length;
    this.socket.write(batch);
  }

  #fail(calls: number, reason: string): void {
    this.#run.failures += calls;
    this.#run.firstFailure ??= reason;
  }
}

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

async function runJob(job: LoadJob): Promise<LoadResult> {
  const run: Run = { sending: true, latencies: null, calls: 0, failures: 0, firstFailure: null };
  const callers = Array.from({ length: job.callers }, (_, index) => new Caller(run, job, index));
  await Promise.all(
    callers.map(({ socket }) => new Promise((resolve) => socket.once('connect', resolve).once('close', resolve))),
  );
  for (const caller of callers) caller.start();
  await sleep(job.warmUpMs);

  const latencies = new LatencyHistogram();
  run.latencies = latencies;
  const cpuBeforeNs = job.proxyPid === null ? 0 : cpuTimeNs(job.proxyPid);
  const before = performance.now();
  await sleep(job.measureMs);
  run.latencies = null;
  const elapsedMs = performance.now() - before;
  const cpuNs = job.proxyPid === null ? null : cpuTimeNs(job.proxyPid) - cpuBeforeNs;

  run.sending = false;
  const pending = () => callers.reduce((sum, caller) => sum + caller.pending, 0);
  for (let waitedMs = 0; pending() > 0 && waitedMs < drainMs; waitedMs += 10) await sleep(10);
  const unanswered = pending();
  if (unanswered > 0) run.firstFailure ??= `${unanswered} calls without an answer after ${drainMs} ms`;
  for (const caller of callers) caller.socket.removeAllListeners('close').destroy();
  return {
    calls: run.calls,
    failures: run.failures + unanswered,
    firstFailure: run.firstFailure,
    callsPerSecond: (run.calls / elapsedMs) * 1000,
    p50Us: latencies.quantileUs(0.5),
    p99Us: latencies.quantileUs(0.99),
    cpuUsPerCall: cpuNs === null || run.calls === 0 ? null : cpuNs / 1000 / run.calls,
  };
}

process.on('message', (job: LoadJob) => {
  runJob(job).then((result) => process.send?.(result));
});
process.on('disconnect', () => process.exit());
