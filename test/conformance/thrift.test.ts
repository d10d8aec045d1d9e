import { thriftFactory } from '../../src/codecs/thrift/plugin.ts';
import type { CodecFactory } from '../../src/metaprotocol/codec.ts';
import { conforms } from './conforms.ts';

await conforms(thriftFactory as CodecFactory);
