/** `meltemi codec decode`: what a codec reads in bytes, field by field with offsets. */
import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { benchServer } from '../../conformance/codec-bench.ts';
import { feed } from '../../conformance/feed.ts';
import { RecordingOutput } from '../../conformance/recording-output.ts';
import { RecordingSink } from '../../conformance/recording-sink.ts';
import { goOn } from '../../conformance/subject.ts';
import type { Codec, CodecFactory, FrameField, ServerCodec } from '../../metaprotocol/codec.ts';
import { Flag, type Message, type RequestMessage, type ResponseMessage } from '../../metaprotocol/message.ts';
import { ExitCode, UsageError } from '../command.ts';
import { findCodec } from './find-codec.ts';
import { hexLines } from './hex-view.ts';
import { readCodecArguments } from './read-codec-arguments.ts';
import { readFrameBytes } from './read-frame-bytes.ts';

const MANY = 1_000_000;

export async function decodeFrames(argv: readonly string[]): Promise<number> {
  const { codec: file, values } = readCodecArguments(
    argv,
    { codec: { type: 'string' }, responses: { type: 'boolean', default: false } },
    'FILE, or - for standard input',
  );
  if (values.codec === undefined) throw new UsageError('--codec CODEC is missing: a file, package or protocol name');
  const factory = await findCodec(values.codec);
  const { name, capabilities } = factory.manifest;
  if (values.responses && capabilities.streaming) {
    throw new UsageError(`--responses: how far a response of ${name} goes depends on what was asked`);
  }
  if (values.responses && factory.replies === 'in-order' && factory.fieldsOf === undefined) {
    throw new UsageError(
      `--responses: whose answer it is tells ${name} by order alone; its factory must have fieldsOf`,
    );
  }
  const bytes = readFrameBytes(file === '-' ? await buffer(process.stdin) : await readFile(file));
  const { text, ok } = decodedText(factory, bytes, values.responses);
  process.stdout.write(text);
  return ok ? ExitCode.Ok : ExitCode.Failure;
}

interface Reading {
  readonly heads: readonly Message[];
  readonly error: string | null;
}

/** `ok`: everything could be read. Where nobody said `responses`, what cannot be requests is taken for them. */
export function decodedText(factory: CodecFactory, bytes: Buffer, responses = false): { text: string; ok: boolean } {
  if (factory.manifest.capabilities.streaming) return streamedText(factory, bytes);
  if (responses && factory.replies === 'in-order') return orderedAnswersText(factory, bytes);
  const asRequests = readWith(factory, bytes, 'server');
  const asResponses = readWith(factory, bytes, 'client');
  const seemResponses = asResponses.error === null || asResponses.heads.length > asRequests.heads.length;
  const isResponses = responses || (asRequests.error !== null && seemResponses);
  const { heads, error } = isResponses ? asResponses : asRequests;
  let at = 0;
  let text = '';
  for (const head of heads) {
    const frame = head.raw;
    if (frame === null) continue;
    const found = bytes.indexOf(frame, at);
    if (found > at) text += gapLines(factory, bytes.subarray(at, found), at);
    at = found === -1 ? at : found;
    text += `${nameOf(head, isResponses)} at byte ${at}, ${frame.length} bytes\n`;
    const fields = factory.fieldsOf?.(frame) ?? [];
    const placed = new Set(fields.map(({ name }) => name));
    text += fieldLines([...fields, ...attributeFields(head).filter(({ name }) => !placed.has(name))], frame, at);
    at += frame.length;
  }
  const rest = bytes.subarray(at);
  if (rest.length > 0) {
    text += error === null ? gapLines(factory, rest, at) : `not readable at byte ${at}, ${rest.length} bytes\n`;
    if (error !== null) text += fieldLines(factory.fieldsOf?.(rest) ?? [], rest, at) + firstLines(rest, at);
  }
  if (error !== null) text += `${error}\n`;
  return { text, ok: error === null };
}

/** A codec takes no answers that nobody asked for where their order alone says whose they are: their fields are what can be told. */
function orderedAnswersText(factory: CodecFactory, bytes: Buffer): { text: string; ok: boolean } {
  const fields = factory.fieldsOf?.(bytes) ?? [];
  const last = fields.at(-1);
  const end = last === undefined ? 0 : last.at + last.bytes;
  const text = `responses, ${bytes.length} bytes\n${fieldLines(fields, bytes, 0)}`;
  if (end === bytes.length) return { text, ok: true };
  const rest = bytes.subarray(end);
  return {
    text: `${text}not read from byte ${end}, ${rest.length} bytes\n${firstLines(rest, end)}`,
    ok: false,
  };
}

/** Requests only: how far a response goes depends on what was asked. A stream has no frame, so its fields have no offsets. */
function streamedText(factory: CodecFactory, bytes: Buffer): { text: string; ok: boolean } {
  const server = benchServer(factory);
  feed(server.codec, bytes);
  goOn(server);
  const { sink } = server;
  const isInHead = server.codec.midHead === true;
  if (!sink.closed) server.codec.peerEnded();
  const last = sink.messages.at(-1);
  const isWhole = !isInHead && last?.ended === true && last.reset === null;
  let text = '';
  for (const { head, chunks, trailers } of sink.messages) {
    if (head.answer !== null) continue;
    const data = Buffer.concat(chunks.map(({ chunk }) => chunk));
    text += `request, ${data.length} bytes of data\n${fieldLines(attributeFields(head), data, 0)}`;
    text += firstLines(data, 0);
    if (trailers !== null) text += `trailers\n${fieldLines(attributeFields(trailers), data, 0)}`;
  }
  const fault = sink.error ?? sink.goAwayReason;
  if (fault !== null) text += `${fault.detail}\n`;
  else if (!isWhole) text += `${factory.manifest.name}: the last request is not whole\n`;
  return { text, ok: fault === null && isWhole };
}

/** As much of it as somebody looks at. */
function firstLines(bytes: Buffer, from: number): string {
  return hexLines(bytes.subarray(0, 64), from);
}

/** What the codec kept for itself: heartbeats. */
function gapLines(factory: CodecFactory, gap: Buffer, from: number): string {
  const fields = fieldLines(factory.fieldsOf?.(gap) ?? [], gap, from);
  return `not routed at byte ${from}, ${gap.length} bytes\n${fields === '' ? firstLines(gap, from) : fields}`;
}

function nameOf(head: Message, isResponse: boolean): string {
  if (isResponse) {
    const { outcome } = head as ResponseMessage;
    return `response (code ${outcome?.code ?? '?'}, ${outcome?.ok === true ? 'ok' : 'not ok'})`;
  }
  return (head.flags & Flag.Oneway) !== 0 ? 'oneway request' : 'request';
}

function attributeFields(head: Pick<Message, 'entries'>): FrameField[] {
  const fields: FrameField[] = [];
  head.entries((name, value) => fields.push({ name, at: -1, bytes: 0, value }));
  return fields;
}

function fieldLines(fields: readonly FrameField[], frame: Buffer, from: number): string {
  const width = Math.max(0, ...fields.map(({ name }) => name.length));
  return fields
    .map(({ name, at, bytes, value }) => {
      if (at === -1) return `           ${name.padEnd(width)}  ${value}\n`;
      const hex = frame.toString('hex', at, at + Math.min(bytes, 12));
      return `  ${String(from + at).padStart(7)}  ${name.padEnd(width)}  ${value}  [${hex}${bytes > 12 ? '…' : ''}]\n`;
    })
    .join('');
}

function readWith(factory: CodecFactory, bytes: Buffer, side: 'server' | 'client'): Reading {
  const options = factory.parseOptions(undefined);
  const out = new RecordingOutput();
  if (side === 'server') {
    const sink = new RecordingSink<RequestMessage>();
    return readIn(factory.createServerCodec(sink, out, options, MANY), sink, bytes, ({ answer }) => answer === null);
  }
  const sink = new RecordingSink<ResponseMessage>();
  return readIn(factory.createClientCodec(sink, out, options, ''), sink, bytes, () => true);
}

function readIn<M extends Message>(
  codec: Codec & Pick<ServerCodec, 'midHead'>,
  sink: RecordingSink<M>,
  bytes: Buffer,
  isPeers: (head: M) => boolean,
): Reading {
  try {
    codec.start();
    codec.decode(Buffer.from(bytes), true);
    for (let count = -1; count !== sink.heads.length && !sink.closed; codec.resume()) count = sink.heads.length;
    const half = codec.midHead === true ? 'the last message is not whole' : null;
    if (!sink.closed) codec.peerEnded();
    const heads = sink.heads.filter(isPeers);
    return { heads, error: (sink.error ?? sink.goAwayReason)?.detail ?? half };
  } catch (error) {
    return { heads: sink.heads, error: `the codec failed: ${(error as Error).message}` };
  }
}
