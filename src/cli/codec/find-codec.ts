/** findCodec: the codec that a command line names: built in, or the first of a plugin's file or package. */
import type { CodecFactory } from '../../metaprotocol/codec.ts';
import { Registry } from '../../metaprotocol/registry.ts';
import { loadPlugin } from '../../proxy/plugin-loading/load-plugin.ts';
import { PluginModules } from '../../proxy/plugin-loading/plugin-modules.ts';
import { builtInPlugins } from '../../proxy/plugins.ts';

export async function findCodec(reference: string): Promise<CodecFactory> {
  const builtIn = new Registry(builtInPlugins());
  const known = builtIn.codec(reference);
  if (known !== undefined) return known;
  const modules = new PluginModules();
  const plugin = await loadPlugin(reference, process.cwd(), modules).catch((error: Error) => {
    if (!/^[a-z0-9-]+$/.test(reference)) throw error;
    const names = builtIn.manifests().map(({ name }) => name);
    throw new Error(`${error.message}; built in are ${names.join(', ')}`, { cause: error });
  });
  // The registry refuses what was written for another codec API.
  const [manifest] = new Registry([plugin]).manifests();
  const codec = plugin.codecs?.find((one) => one.manifest === manifest);
  if (codec === undefined) throw new Error(`plugin ${reference} has no codec`);
  return codec;
}
