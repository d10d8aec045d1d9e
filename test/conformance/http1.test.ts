import { http1Factory } from '../../src/codecs/http1/plugin.ts';
import type { CodecFactory } from '../../src/metaprotocol/codec.ts';
import { conforms } from './conforms.ts';

await conforms(http1Factory as CodecFactory);
