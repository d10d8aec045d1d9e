/** Entry of a worker thread: a data plane with the built-in plugins, and perhaps an outside one, answering to the main thread. */
import { parentPort, workerData } from 'node:worker_threads';
import { SystemClock } from '../../metaprotocol/clock.ts';
import { ConfigError } from '../../metaprotocol/config-error.ts';
import { Registry } from '../../metaprotocol/registry.ts';
import { DataPlane } from '../../metaprotocol/runtime.ts';
import { PluginModules } from '../plugin-loading/plugin-modules.ts';
import { builtInPlugins } from '../plugins.ts';
import type { FromWorker, PluginReference, ToWorker } from './worker-messages.ts';
import { WorkerSession } from './worker-session.ts';

/** What a thread is started with. */
export interface WorkerStart {
  readonly reusePort: boolean;
  /** So that a TLS session that began at one worker goes on at another. */
  readonly ticketKeys: Uint8Array;
  /** null: only what is built in. */
  readonly plugin: PluginReference | null;
}

const port = parentPort;
if (port === null) throw new Error('worker.ts runs as a worker thread only');
const post = (message: FromWorker) => port.postMessage(message);
const { reusePort, ticketKeys, plugin } = workerData as WorkerStart;

/** null: refused. */
async function registryWith({ reference, directory }: PluginReference): Promise<Registry | null> {
  const modules = new PluginModules();
  const refuse = (reason: string) => post({ type: 'refused', reason, files: [...modules.files] });
  const onExit = (code: number) => {
    const how = code === 0 ? 'waits for what never comes, in a top-level await' : `ended its thread with code ${code}`;
    refuse(`plugin ${reference}: ${how}`);
  };
  process.once('exit', onExit);
  try {
    // Schemas take their time and memory: only the threads that check a plugin load them.
    const { loadPlugin } = await import('../plugin-loading/load-plugin.ts');
    const loaded = await loadPlugin(reference, directory, modules);
    const { name, version } = loaded;
    const manifests = new Registry([loaded]).manifests();
    const registry = new Registry([...builtInPlugins(), loaded]);
    post({ type: 'loaded', plugin: { name, version, manifests, files: [...modules.files] } });
    return registry;
  } catch (error) {
    const { message } = error as Error;
    refuse(error instanceof ConfigError ? `plugin ${reference}: ${message}` : message);
    return null;
  } finally {
    process.off('exit', onExit);
  }
}

async function start(): Promise<void> {
  const registry = plugin === null ? new Registry(builtInPlugins()) : await registryWith(plugin);
  if (registry === null) return;
  const createDataPlane = (options: ConstructorParameters<typeof DataPlane>[0]) => new DataPlane(options);
  const session = new WorkerSession(
    { registry, clock: new SystemClock(), reusePort, ticketKeys, createDataPlane },
    post,
  );
  parentPort?.on('message', (message: ToWorker) => session.onMessage(message));
}

// Not awaited: Node would print a warning of its own where a plugin's load never ends.
void start();
