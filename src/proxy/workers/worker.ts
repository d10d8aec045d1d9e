/** Entry of a worker thread: a data plane with the built-in plugins, answering to the main thread. */
import { parentPort, workerData } from 'node:worker_threads';
import { SystemClock } from '../../metaprotocol/clock.ts';
import { Registry } from '../../metaprotocol/registry.ts';
import { DataPlane } from '../../metaprotocol/runtime.ts';
import { builtInPlugins } from '../plugins.ts';
import type { FromWorker, ToWorker } from './worker-messages.ts';
import { WorkerSession } from './worker-session.ts';

/** What a thread is started with. */
export interface WorkerStart {
  readonly reusePort: boolean;
}

const port = parentPort;
if (port === null) throw new Error('worker.ts runs as a worker thread only');
const { reusePort } = workerData as WorkerStart;
const session = new WorkerSession(
  {
    registry: new Registry(builtInPlugins()),
    clock: new SystemClock(),
    reusePort,
    createDataPlane: (options) => new DataPlane(options),
  },
  (message: FromWorker) => port.postMessage(message),
);
port.on('message', (message: ToWorker) => session.onMessage(message));
