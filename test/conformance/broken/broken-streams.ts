/** Messages that stream: HTTP/1.1 and opaque TCP with a single mistake for each way to be wrong. */
import { http1Factory } from '../../../src/codecs/http1/plugin.ts';
import { tcpFactory } from '../../../src/codecs/tcp/plugin.ts';
import type { CodecFactory } from '../../../src/metaprotocol/codec.ts';
import { Reset } from '../../../src/metaprotocol/codec.ts';
import type { RequestMessage } from '../../../src/metaprotocol/message.ts';
import { Status } from '../../../src/metaprotocol/status.ts';
import { type BrokenCodec, brokenFrom, type PassingSink } from './breaking.ts';

const http = brokenFrom(http1Factory as CodecFactory);
const tcp = brokenFrom(tcpFactory as CodecFactory);

/** Hands data on by another way. */
function withData(
  sink: PassingSink<RequestMessage>,
  change: (
    onData: (id: number, chunk: Buffer, end: boolean) => void,
  ) => (id: number, chunk: Buffer, end: boolean) => void,
): void {
  sink.onData = change(sink.onData.bind(sink));
}

export const BROKEN_STREAMS: readonly BrokenCodec[] = [
  http('golden-requests', 'loses the first byte of data', /request of .*: data: byte \d+ differs/, {
    serverSink: (sink) => withData(sink, (onData) => (id, chunk, end) => onData(id, chunk.subarray(1), end)),
  }),
  http('golden-requests', 'reads another trailer', /trailer x-sum: 'other'/, {
    serverSink(sink) {
      const onTrailers = sink.onTrailers.bind(sink);
      sink.onTrailers = (id, trailers) => {
        trailers.set('x-sum', 'other');
        onTrailers(id, trailers);
      };
    },
  }),
  http('golden-responses', 'would use a closed connection again', /the client codec would use its connection again/, {
    clientSink(sink) {
      sink.onGoAway = () => {};
    },
  }),
  http('split-points', 'ends a body with each read', /emitted data of a message that had ended/, {
    serverSink: (sink) => withData(sink, (onData) => (id, chunk) => onData(id, chunk, true)),
  }),
  http('many-in-one-read', 'reads on behind what should be the last', /behind close the server codec would read on/, {
    serverSink(sink) {
      sink.onGoAway = () => {};
    },
  }),
  http('pass-through', 'adds to each piece of a body', /request of .* upstream: byte \d+ differs/, {
    client(codec) {
      const data = codec.data.bind(codec);
      codec.data = (id, chunk, end, lent) => data(id, end ? chunk : Buffer.concat([chunk, chunk]), end, lent);
    },
  }),
  http('lent-bytes', 'passes lent bytes by reference', /forwarded while it was lent/, {
    client(codec, _sink, out) {
      codec.data = (_id, chunk) => {
        out.view(chunk);
        return true;
      };
    },
  }),
  http('ids', 'does not wait for an answer', /request of .*: it has no Hold/, {
    request: (head) => Object.defineProperty(head, 'flags', { value: head.flags & ~128 }),
  }),
  http('repeated-ids', 'is done after its first request', /number 2: not read/, {
    server(codec) {
      codec.resume = () => {};
    },
  }),
  http('late-answers', 'reads the answer of a request that was given up', /after a reset that closes/, {
    client(codec) {
      codec.reset = () => Reset.Close;
    },
  }),
  http('request-mutation', 'loses trailers of what is edited', /trailers: request of/, {
    client(codec) {
      const encode = codec.encode.bind(codec);
      const trailers = codec.trailers.bind(codec);
      codec.encode = (id, request) => {
        encode(id, request);
        if (request.get('x-conformance') === undefined) codec.trailers = trailers;
        else codec.trailers = () => codec.data(id, Buffer.alloc(0), true, false);
      };
    },
  }),
  http('local-replies', 'says all is well', /ok: true, expected false/, {
    server(codec) {
      const reply = codec.reply.bind(codec);
      codec.reply = (status, request) => reply({ ...status, code: 200 }, request);
    },
  }),
  tcp('local-replies', 'answers where it cannot', /bytes of a reply/, {
    server(codec, _sink, out) {
      codec.encode = () => out.append(Buffer.from('no'), 0, 2);
    },
  }),
  http('close-in-callback', 'ends the body of a sink that closed', /into a closed sink/, {
    serverSink: (sink) =>
      withData(sink, (onData) => (id, chunk, end) => {
        onData(id, chunk, false);
        if (end) onData(id, Buffer.alloc(0), true);
      }),
  }),
  http('pause-in-callback', 'does not hold its data back', /messages and pieces of .* resumes: \d+, expected/, {
    serverSink: (sink) =>
      withData(sink, (onData) => (id, chunk, end) => {
        for (let at = 0; at < chunk.length; at++) onData(id, chunk.subarray(at, at + 1), false);
        if (end) onData(id, Buffer.alloc(0), true);
      }),
  }),
  http('truncated', 'takes half a body for a whole one', /requests in .* and the end of the connection: 1/, {
    serverSink(sink) {
      sink.onReset = (id) => sink.onData(id, Buffer.alloc(0), true);
    },
  }),
  http('truncated', 'leaves half a body open', /went unnoticed/, {
    serverSink(sink) {
      sink.onReset = () => {};
    },
  }),
  http('truncated', 'does not know that it is in a head', /midHead in the first 1 of \d+ bytes of .*: false/, {
    server: (codec) => Object.defineProperty(codec, 'midHead', { value: false }),
  }),
  http('truncated', 'waits for a head for ever', /refuseHead\(\) did not refuse it/, {
    server(codec) {
      codec.refuseHead = () => {};
    },
  }),
  http('long-body', 'hands a body on when it has all of it', /the rest is kept back/, {
    serverSink(sink) {
      const chunks: Buffer[] = [];
      withData(sink, (onData) => (id, chunk, end) => {
        chunks.push(Buffer.from(chunk));
        if (end) onData(id, Buffer.concat(chunks.splice(0)), true);
      });
    },
  }),
  http('long-body', 'remembers what it passed on', /more are held than before/, {
    server(codec) {
      const decode = codec.decode.bind(codec);
      const remembered: Buffer[] = [];
      codec.decode = (chunk, lent) => {
        remembered.push(Buffer.from(chunk));
        decode(chunk, lent);
      };
    },
  }),
  tcp('long-body', 'mixes up what it passes on', /bytes of the response .*, and their hash/, {
    client(codec) {
      const decode = codec.decode.bind(codec);
      codec.decode = (chunk, lent) => {
        const other = Buffer.from(chunk);
        other[0] = (other[0]! + 1) % 256;
        decode(other, lent);
      };
    },
  }),
  http('backpressure', 'takes ever more', /data\(\) while the output is full: true/, {
    client(codec) {
      const data = codec.data.bind(codec);
      codec.data = (id, chunk, end, lent) => data(id, chunk, end, lent) || true;
    },
  }),
  http('backpressure', 'drops what it answers with false', /the data that was answered with false is not written/, {
    server(codec, _sink, out) {
      const data = codec.data.bind(codec);
      codec.data = (id, chunk, end, lent) =>
        out.full || (out as { highWaterBytes?: number }).highWaterBytes === 1 ? false : data(id, chunk, end, lent);
    },
  }),
  tcp('backpressure', 'says so again and again', /onWritable after a second room\(\): \[ 1, 1 \]/, {
    client(codec, sink) {
      codec.room = () => sink.onWritable(1);
    },
  }),
  http('window', 'reads on whatever is taken', /still reading after \d+ bytes/, {
    server: (codec) => Object.defineProperty(codec, 'reading', { value: true }),
  }),
  http('window', 'never goes on', /not reading after all was credited/, {
    client(codec) {
      codec.credit = () => {};
    },
  }),
  http('early-answer', 'would use its connection again', /no onGoAway before it ends/, {
    clientSink(sink) {
      sink.onGoAway = () => {};
    },
  }),
  http('early-answer', 'says that it closes, and reads on', /further requests are read out of the rest/, {
    server(codec, sink) {
      codec.reset = () => {
        codec.decode = () => sink.onHead(2, { keep() {}, flags: 0 } as RequestMessage);
        return Reset.Close;
      };
    },
  }),
  http('trailers', 'takes a change and does not make it', /trailers that the next codec reads/, {
    serverSink(sink) {
      const onTrailers = sink.onTrailers.bind(sink);
      sink.onTrailers = (id, trailers) => {
        trailers.set = () => true;
        onTrailers(id, trailers);
      };
    },
  }),
  http('tunnel', 'ends both halves with one', /and so did the half of the/, {
    server(codec, _sink, out) {
      const peerEnded = codec.peerEnded.bind(codec);
      codec.peerEnded = () => {
        peerEnded();
        out.end();
      };
    },
  }),
  tcp('tunnel', 'keeps an end to itself', /ended too, and the other side was not told/, {
    client(codec) {
      codec.peerEnded = () => {};
    },
  }),
  http('fuzz', 'throws in the middle of a body', /seed 1, input \d+, request .*: .*unlucky/s, {
    serverSink: (sink) =>
      withData(sink, (onData) => (id, chunk, end) => {
        if (chunk.length === 1) throw new Error('unlucky');
        onData(id, chunk, end);
      }),
  }),
  http('drain', 'answers something else when it says goodbye', /it is another one, and says no goodbye/, {
    server(codec) {
      const data = codec.data.bind(codec);
      codec.goAway = () => {
        codec.data = (id, chunk, end, lent) => data(id, Buffer.alloc(chunk.length), end, lent);
      };
    },
  }),
  http('quiet-commands', 'calls back from data', /events made by commands/, {
    server(codec, sink) {
      const data = codec.data.bind(codec);
      codec.data = (id, chunk, end, lent) => {
        sink.onReset(id, Status.downstream_reset);
        return data(id, chunk, end, lent);
      };
    },
  }),
];
