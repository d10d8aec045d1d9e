import { redisFactory } from '../../src/codecs/redis/plugin.ts';
import type { CodecFactory } from '../../src/metaprotocol/codec.ts';
import { conforms } from './conforms.ts';

await conforms(redisFactory as CodecFactory);
