/** parseOptions: codec options by their schema, as a plugin's author reads them. */
import { parseCodecOptions } from '../codecs/codec-options.ts';
import type { OptionSchema } from '../metaprotocol/manifest.ts';

/** `raw` is JSON from configuration, or undefined. Throws ConfigError with every bad field. */
export function parseOptions(
  codec: string,
  schemas: readonly OptionSchema[],
  raw: unknown,
): Map<string, string | number | boolean> {
  return new Map(Object.entries(parseCodecOptions(codec, schemas, raw) as Record<string, string | number | boolean>));
}
