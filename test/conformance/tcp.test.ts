import { tcpFactory } from '../../src/codecs/tcp/plugin.ts';
import type { CodecFactory } from '../../src/metaprotocol/codec.ts';
import { conforms } from './conforms.ts';

await conforms(tcpFactory as CodecFactory);
