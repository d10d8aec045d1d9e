/** readManifests: what outside plugins say of their protocols, for checks without a proxy. Their code runs in threads that end. */
import type { ProtocolManifest } from '../../metaprotocol/manifest.ts';
import { spawnThread } from '../workers/worker-handle.ts';
import type { PluginReference } from '../workers/worker-messages.ts';
import { doubledProtocol } from './doubled-protocol.ts';

const LOAD_TIMEOUT_MS = 10_000;

/** Rejects with the reason of a plugin that cannot be used. */
export async function readManifests(plugins: readonly PluginReference[]): Promise<ProtocolManifest[]> {
  const manifests = await Promise.all(plugins.map(readOne));
  const doubled = doubledProtocol(plugins.map(({ reference }, index) => ({ reference, manifests: manifests[index]! })));
  if (doubled !== null) throw new Error(doubled);
  return manifests.flat();
}

function readOne(plugin: PluginReference): Promise<readonly ProtocolManifest[]> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(
      () => end(new Error(`plugin ${plugin.reference}: not loaded within ${LOAD_TIMEOUT_MS} ms`)),
      LOAD_TIMEOUT_MS,
    );
    const thread = spawnThread(
      { reusePort: false, ticketKeys: new Uint8Array(), plugin },
      {
        onMessage(message) {
          if (message.type === 'loaded') {
            resolve(message.plugin.manifests);
            end(null);
          } else if (message.type === 'refused') {
            end(new Error(message.reason));
          }
        },
        onExit(error) {
          const why = error === null ? '' : `: ${error.message}`;
          end(new Error(`plugin ${plugin.reference}: its thread ended${why}`, { cause: error }));
        },
      },
    );
    function end(error: Error | null): void {
      clearTimeout(late);
      if (error !== null) reject(error);
      thread.terminate();
    }
  });
}
