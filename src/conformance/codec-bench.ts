/** Sets up one codec of a factory between a RecordingSink and a RecordingOutput, started. */
import type { ClientCodec, CodecFactory, ServerCodec } from '../metaprotocol/codec.ts';
import type { RequestMessage, ResponseMessage } from '../metaprotocol/message.ts';
import { RecordingOutput } from './recording-output.ts';
import { RecordingSink } from './recording-sink.ts';

export interface CodecBench<C, M extends RequestMessage | ResponseMessage> {
  readonly codec: C;
  readonly sink: RecordingSink<M>;
  readonly out: RecordingOutput;
}

export function benchServer<O>(
  factory: CodecFactory<O>,
  rawOptions: unknown = undefined,
  maxStreams = factory.concurrency.downstream,
): CodecBench<ServerCodec, RequestMessage> {
  const sink = new RecordingSink<RequestMessage>();
  const out = new RecordingOutput();
  const codec = factory.createServerCodec(sink, out, factory.parseOptions(rawOptions), maxStreams);
  codec.start();
  return { codec, sink, out };
}

export function benchClient<O>(
  factory: CodecFactory<O>,
  rawOptions: unknown = undefined,
  connectionKey = '',
): CodecBench<ClientCodec, ResponseMessage> {
  const sink = new RecordingSink<ResponseMessage>();
  const out = new RecordingOutput();
  const codec = factory.createClientCodec(sink, out, factory.parseOptions(rawOptions), connectionKey);
  codec.start();
  return { codec, sink, out };
}
