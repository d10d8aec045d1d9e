/** Joined calls: Redis with a single mistake for each way to be wrong. */
import { redisFactory } from '../../../src/codecs/redis/plugin.ts';
import type { CodecFactory } from '../../../src/metaprotocol/codec.ts';
import { type BrokenCodec, brokenFrom } from './breaking.ts';

const broken = brokenFrom(redisFactory as CodecFactory);

export const BROKEN_RUNS: readonly BrokenCodec[] = [
  broken('runs', 'writes more than the call that joins', /run of 3 × .* upstream: byte \d+ differs/, {
    client(codec, _sink, out) {
      const join = codec.join!.bind(codec);
      codec.join = (id, request, next) => {
        join(id, request, next);
        out.append(Buffer.from('\r\n'), 0, 2);
      };
    },
  }),
  broken('runs', 'keeps answers back until more come', /cut at byte \d+: given behind the first read/, {
    client(codec) {
      const decode = codec.decode.bind(codec);
      let held = Buffer.alloc(0);
      codec.decode = (chunk) => {
        held = Buffer.concat([held, chunk]);
        if (held.length < 40) return;
        decode(held, false);
        held = Buffer.alloc(0);
      };
    },
  }),
  broken('runs', 'begins a response for each read', /core ids of heads: \[ 1, 1/, {
    clientSink(sink) {
      const onData = sink.onData.bind(sink);
      let last: Parameters<typeof sink.onHead>[1];
      const onHead = sink.onHead.bind(sink);
      sink.onHead = (id, head) => {
        last = head;
        onHead(id, head);
      };
      sink.onData = (id, chunk, end) => {
        onHead(id, last);
        onData(id, chunk, end);
      };
    },
  }),
  broken('runs', 'replies once for all that were not answered', /local replies to 3 × .*: responseBytes/, {
    server(codec) {
      const replyRest = codec.replyRest!.bind(codec);
      codec.replyRest = (status, request) => {
        const rest = replyRest(status, request);
        return rest.subarray(0, rest.indexOf('\n') + 1);
      };
    },
  }),
  broken('runs', 'takes a late answer for the next one', /core id of the answer behind the late ones/, {
    client(codec) {
      const decode = codec.decode.bind(codec);
      const reset = codec.reset.bind(codec);
      let drops = false;
      codec.reset = (id, status) => {
        drops = true;
        return reset(id, status);
      };
      codec.decode = (chunk, lent) => {
        if (!drops) decode(chunk, lent);
      };
    },
  }),
  broken('runs', 'offers what it cannot join', /offered to be joined, and the client codec has no `join`/, {
    client: (codec) => Object.defineProperty(codec, 'join', { value: undefined }),
  }),
];
