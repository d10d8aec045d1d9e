/** The whole product on one screen: every protocol and filter that is built in. */
import { thriftPlugin } from '../codecs/thrift/plugin.ts';
import type { Plugin } from '../metaprotocol/plugin.ts';

export function builtInPlugins(): readonly Plugin[] {
  return [thriftPlugin];
}
