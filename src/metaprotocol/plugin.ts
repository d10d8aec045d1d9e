/** Plugin: the one object by which built-in and outside protocols and filters enter the product. */
import type { CodecFactory } from './codec.ts';
import type { FilterFactory } from './filter.ts';

export interface Plugin {
  readonly name: string;
  readonly version: string;
  /** Range of CODEC_API_VERSION it was written for: `^1.0.0`. A mismatch is refused by name and version. */
  readonly codecApi: string;
  readonly codecs?: readonly CodecFactory[];
  readonly filters?: readonly FilterFactory[];
}
