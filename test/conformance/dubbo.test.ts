import { dubboFactory } from '../../src/codecs/dubbo/plugin.ts';
import type { CodecFactory } from '../../src/metaprotocol/codec.ts';
import { conforms } from './conforms.ts';

await conforms(dubboFactory as CodecFactory);
