/** WorkerHandle: a data plane as the main thread holds it, in a thread of its own or in this one. */
import { Worker } from 'node:worker_threads';
import type { WorkerStart } from './worker.ts';
import type { FromWorker, ToWorker } from './worker-messages.ts';
import { WorkerSession, type WorkerSessionOptions } from './worker-session.ts';

/** Of a worker's heap: semi-spaces of 8 MB instead of 16, a thread 18 MB smaller under load. No dearer call; with 2 MB Redis has 3–5 %. */
const YOUNG_GENERATION_MB = 24;

export interface WorkerHandle {
  post(message: ToWorker): void;
  /** Ends it at once, connections included; `onExit` follows. */
  terminate(): void;
}

export interface WorkerEvents {
  onMessage(message: FromWorker): void;
  /** Once, and last. `error` null: it was asked to end. */
  onExit(error: Error | null): void;
}

export type SpawnWorker = (start: WorkerStart, events: WorkerEvents) => WorkerHandle;

/** In a thread: a crash ends that thread's connections only. */
export const spawnThread: SpawnWorker = (start, events) => {
  const file = import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js';
  const thread = new Worker(new URL(file, import.meta.url), {
    workerData: start,
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
  });
  let failure: Error | null = null;
  let terminated = false;
  thread.on('message', (message: FromWorker) => events.onMessage(message));
  thread.on('error', (error: Error) => {
    failure = error;
  });
  thread.on('exit', (code) =>
    events.onExit(terminated ? null : (failure ?? new Error(`worker ended with code ${code}`))),
  );
  return {
    post: (message) => thread.postMessage(message),
    terminate: () => {
      terminated = true;
      void thread.terminate();
    },
  };
};

/** In this thread, for the library and for tests: filters may be closures. */
export function spawnInProcess(options: Omit<WorkerSessionOptions, 'reusePort' | 'ticketKeys'>): SpawnWorker {
  return (start, events) => {
    // As between threads: nobody is called back from inside a call.
    const later = (task: () => void) => setImmediate(task);
    const { reusePort, ticketKeys } = start;
    const session = new WorkerSession({ ...options, reusePort, ticketKeys }, (message) =>
      later(() => events.onMessage(message)),
    );
    return {
      post: (message) => later(() => session.onMessage(message)),
      terminate: () => {
        session.close();
        later(() => events.onExit(null));
      },
    };
  };
}
