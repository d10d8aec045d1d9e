/** Whole messages: echo-rpc with a single mistake for each way to be wrong. */
import echoRpc from '../../../plugins/echo-rpc/codec.ts';
import type { CodecFactory } from '../../../src/metaprotocol/codec.ts';
import { Reset } from '../../../src/metaprotocol/codec.ts';
import { Status } from '../../../src/metaprotocol/status.ts';
import { type Breakage, type BrokenCodec, breaking, brokenFrom } from './breaking.ts';

const GOOD = echoRpc.codecs[0] as CodecFactory;
const broken = brokenFrom(GOOD);

const withManifest = (change: Partial<CodecFactory['manifest']>): Breakage => ({
  factory: ({ manifest }) => ({ manifest: { ...manifest, ...change } }),
});

/** The good one's own fields that types hide. */
interface Inside {
  edits: Map<string, string | null> | null;
  bytes: Buffer;
  answerHeartbeat(): void;
}
const inside = (part: object) => part as unknown as Inside;

export const BROKEN_CODECS: readonly BrokenCodec[] = [
  broken(
    'manifest',
    'names a code twice',
    /code ok is declared twice/,
    withManifest({ codes: [...GOOD.manifest.codes, { name: 'ok', code: 9 }] }),
  ),
  broken(
    'manifest',
    'has a name that no port can have',
    /manifest\.name: actual "Echo_RPC"/,
    withManifest({ name: 'Echo_RPC' }),
  ),
  broken('manifest', 'has no limit', /limits are mandatory/, withManifest({ options: [] })),
  broken('manifest', 'takes any option', /options \{"no-such-option":1\} were accepted/, {
    factory: ({ parseOptions }) => ({ parseOptions: () => parseOptions(undefined) }),
  }),
  broken('golden-requests', 'reads another method', /attribute method: 'other'/, {
    request(head) {
      head.get = () => 'other';
    },
  }),
  broken('golden-responses', 'reads another outcome', /outcome of .*: \{ code: 99/, {
    response: (head) => Object.defineProperty(head, 'outcome', { value: { code: 99, ok: false } }),
  }),
  broken('attributes', 'lists another value than it gives', /get\("method"\) against entries/, {
    request(head) {
      head.entries = (visit) => visit('method', 'other');
    },
  }),
  broken(
    'attributes',
    'has attributes that it does not declare',
    /attribute tenant is not in the manifest/,
    withManifest({ attributes: { ...GOOD.manifest.attributes, open: null } }),
  ),
  broken('byte-access', 'knows another beginning than its text has', /beginsWith\("method", ""\).*: false/, {
    request(head) {
      head.beginsWith = () => false;
    },
  }),
  broken(
    'byte-access',
    'finds a text beside its place',
    /locate\("method"\) of a request of .*: 'get', expected 'getWeather'/,
    {
      request(head) {
        head.locate = (key, range) => {
          const text = head.get(key);
          if (text === undefined) return false;
          Object.assign(range, { bytes: Buffer.from(text), from: 0, to: Math.min(text.length, 3) });
          return true;
        };
      },
    },
  ),
  broken('byte-access', 'finds nothing where a text is', /locate\("code"\) of a response of .*: false, expected true/, {
    response(head) {
      head.locate = () => false;
    },
  }),
  broken('byte-access', 'adds more bytes than it was given', /^attributes: "added" added to x-conformance as bytes/, {
    request(head) {
      head.addBytes = (key, { bytes }) => head.add(key, bytes.toString('latin1'));
    },
  }),
  broken('split-points', 'loses reads of a single byte', /split at byte 1|byte by byte/, {
    server(codec) {
      const decode = codec.decode.bind(codec);
      codec.decode = (chunk, lent) => {
        if (chunk.length > 1) decode(chunk, lent);
      };
    },
  }),
  broken('many-in-one-read', 'reads sixteen messages and forgets the rest', /requests in one read .*: 16/, {
    serverSink(sink) {
      const onHead = sink.onHead.bind(sink);
      sink.onHead = (id, head) => {
        if (id <= 16) onHead(id, head);
      };
    },
  }),
  broken('pass-through', 'writes more than the id', /upstream: byte 3 differs/, {
    client(codec, _sink, out) {
      const encode = codec.encode.bind(codec);
      codec.encode = (id, request) => {
        encode(id, request);
        out.slab[3] = 0x55;
      };
    },
  }),
  broken('pass-through', 'stamps the message itself', /raw of .* after it was sent: byte 4 differs/, {
    client(codec) {
      const encode = codec.encode.bind(codec);
      codec.encode = (id, request) => {
        request.raw!.writeBigUInt64BE(BigInt(id), 4);
        encode(id, request);
      };
    },
  }),
  broken('lent-bytes', 'keeps nothing', /after keep\(\)/, {
    request(head) {
      head.keep = () => {};
    },
  }),
  broken('lent-bytes', 'needs keep before it can be sent', /forwarded while it was lent/, {
    client(codec) {
      const encode = codec.encode.bind(codec);
      codec.encode = (id, request) => {
        encode(id, request);
        if ((request as unknown as { lent: boolean }).lent) encode(id, request);
      };
    },
  }),
  broken('ids', 'carries ids as numbers', /response of .* downstream: byte \d+ differs/, {
    request(head) {
      const { idHigh } = head as unknown as { idHigh: number };
      Object.defineProperty(head, 'idHigh', { value: idHigh & 0x001f_ffff });
    },
  }),
  broken('repeated-ids', 'pairs answers by their order', /core ids .*\[ 1, 2, 3, 4, 5 \]/, {
    clientSink(sink) {
      const onHead = sink.onHead.bind(sink);
      let next = 0;
      sink.onHead = (_id, head) => onHead(++next, head);
    },
  }),
  broken('late-answers', 'forgets what it is owed', /reset of .* before its answer .*: 0, expected 1/, {
    client(codec) {
      codec.reset = () => Reset.Done;
    },
  }),
  broken('late-answers', 'gives a late answer to who waits', /answers under core id 2/, {
    clientSink(sink) {
      const onHead = sink.onHead.bind(sink);
      sink.onHead = (_id, head) => onHead(2, head);
    },
  }),
  broken('request-mutation', 'changes another attribute too', /other attributes/, {
    request(head) {
      const set = head.set.bind(head);
      head.set = (key, value) => set('side-effect', value.slice(0, 5)) && set(key, value);
    },
  }),
  broken(
    'request-mutation',
    'says that it cannot, and does',
    /set\(method\) of a request that cannot be changed/,
    withManifest({ capabilities: { ...GOOD.manifest.capabilities, requestMutation: false } }),
  ),
  broken('response-mutation', 'says yes and does nothing', /get after set/, {
    response(head) {
      head.set = () => true;
    },
  }),
  broken('fork', 'shares edits with its forks', /after an edit of its fork/, {
    request(head) {
      const fork = head.fork.bind(head);
      head.fork = () => {
        const forked = fork();
        inside(forked).edits = inside(head).edits ??= new Map();
        return forked;
      };
    },
  }),
  broken('local-replies', 'answers errors with success', /ok: true, expected false/, {
    server(codec) {
      const reply = codec.reply.bind(codec);
      codec.reply = (status, request) => reply({ ...status, code: 0 }, request);
    },
  }),
  broken('oneway', 'waits for an answer that never comes', /reset of oneway/, {
    client(codec) {
      codec.reset = () => Reset.Owed;
    },
  }),
  broken(
    'oneway',
    'has oneway requests that it does not declare',
    /the manifest says there are none/,
    withManifest({ capabilities: { ...GOOD.manifest.capabilities, oneway: false } }),
  ),
  broken('heartbeat', 'leaves heartbeats without answer', /answer to heartbeat/, {
    server(codec) {
      inside(codec).answerHeartbeat = () => {};
    },
  }),
  broken('drain', 'forgets what is in flight when it says goodbye', /after goAway/, {
    client(codec) {
      codec.goAway = () => {
        codec.decode = () => {};
      };
    },
  }),
  broken('close-in-callback', 'goes on when the sink has closed', /into a closed sink/, {
    serverSink: (sink) => Object.defineProperty(sink, 'closed', { value: false }),
  }),
  broken('pause-in-callback', 'does not stop when paused', /after 0 resumes: [24]/, {
    server(codec) {
      codec.pause = () => {};
    },
  }),
  broken('pause-in-callback', 'takes in all that comes while it is paused', /still reading while paused/, {
    server: (codec) => Object.defineProperty(codec, 'reading', { value: true }),
  }),
  broken('quiet-commands', 'calls back from encode', /events made by commands/, {
    server(codec, sink) {
      const encode = codec.encode.bind(codec);
      codec.encode = (id, response, request) => {
        encode(id, response, request);
        sink.onGoAway();
      };
    },
  }),
  broken('oversize', 'buffers all of a frame before it looks at its size', /buffered up to its last byte/, {
    factory: (good) => ({
      createServerCodec(sink, out, options, maxStreams) {
        const { frameLimitBytes } = options as { frameLimitBytes: number };
        return breaking(good, {
          serverSink(passing) {
            const onHead = passing.onHead.bind(passing);
            passing.onHead = (id, head) => {
              if (head.raw!.length > frameLimitBytes) passing.onError(Status.too_large);
              else onHead(id, head);
            };
          },
        }).createServerCodec(sink, out, good.parseOptions(undefined), maxStreams);
      },
    }),
  }),
  broken('oversize', 'keeps no limit', /no sample request is refused/, {
    factory: (good) => ({
      createServerCodec: (sink, out, _options, maxStreams) =>
        good.createServerCodec(sink, out, good.parseOptions(undefined), maxStreams),
    }),
  }),
  broken('truncated', 'does not notice the end', /went unnoticed/, {
    server(codec) {
      codec.peerEnded = () => {};
    },
  }),
  broken('truncated', 'leaves an owed answer open for ever', /neither reset nor failed/, {
    client(codec) {
      codec.peerEnded = () => {};
    },
  }),
  broken('fuzz', 'throws at some input', /seed 1, input \d+, request .*: .*unlucky/s, {
    server(codec) {
      const decode = codec.decode.bind(codec);
      codec.decode = (chunk, lent) => {
        if (chunk.includes(0x7f)) throw new Error('unlucky');
        decode(chunk, lent);
      };
    },
  }),
  broken('fuzz', 'gives messages without taking bytes', /events from \d+ bytes/, {
    serverSink(sink) {
      const onHead = sink.onHead.bind(sink);
      sink.onHead = (id, head) => {
        const isOfSamples = ['say', 'getWeather', 'γειά', 'note'].includes(head.get('method')!);
        for (let again = isOfSamples ? 999 : 0; again < 1_000; again++) onHead(id, head);
      };
    },
  }),
  broken('detection', 'takes everything for its own', /was detected as echo-rpc/, {
    factory: () => ({ detect: () => 'match' }),
  }),
  broken('bounded-memory', 'remembers every answer', /bytes more are held/, {
    clientSink(sink) {
      const remembered: Buffer[] = [];
      const onHead = sink.onHead.bind(sink);
      sink.onHead = (id, head) => {
        remembered.push(Buffer.alloc(100));
        onHead(id, head);
      };
    },
  }),
  broken('bounded-memory', 'allocates much for each message', /bytes are allocated for each/, {
    server(codec) {
      const decode = codec.decode.bind(codec);
      codec.decode = (chunk, lent) =>
        decode(Buffer.concat([chunk, Buffer.alloc(16_000)]).subarray(0, chunk.length), lent);
    },
  }),
];
