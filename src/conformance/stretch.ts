/**
 * stretch: a message of a sample that can be written on and on, as no sample is long enough. Only one whose head does not tell its
 * length is such: chunks, bytes up to the end of the connection.
 */
import { Flag, type RequestMessage } from '../metaprotocol/message.ts';
import { fail } from './expect.ts';
import type { Received } from './received.ts';
import { type AnsweredExchange, type ClientBench, feedWire, type ServerBench, type Subject } from './subject.ts';

export const DIRECTIONS = ['request', 'response'] as const;
export type Direction = (typeof DIRECTIONS)[number];

interface Begun {
  readonly exchange: AnsweredExchange;
  readonly request: Received<RequestMessage>;
  readonly id: number;
  /** All that was written so far. */
  readonly head: Buffer;
}

/** The codec that writes the message. */
export type StretchedRequest = Begun & ClientBench;
export type StretchedResponse = Begun & ServerBench;
export type Stretched = StretchedRequest | StretchedResponse;

export function stretch(subject: Subject, direction: Direction): Stretched {
  return direction === 'request' ? stretchRequest(subject) : stretchResponse(subject);
}

export function stretchRequest(subject: Subject): StretchedRequest {
  return firstThatGoesOn(subject, 'request', (exchange) => {
    const { message: request } = subject.request(exchange);
    const client = subject.client(request.head.connectionKey);
    client.codec.encode(1, request.head);
    return { ...client, exchange, request, id: 1, head: client.out.take() };
  });
}

export function stretchResponse(subject: Subject): StretchedResponse {
  return firstThatGoesOn(subject, 'response', (exchange) => {
    const { codec, sink, out, message: request } = subject.request(exchange);
    const { head } = subject.response(exchange);
    if ((head.flags & Flag.Tunnel) !== 0 && !subject.isOpaque) throw new Error('what a tunnel carries is no message');
    codec.encode(request.id, head, request.head);
    return { codec, sink, out, exchange, request, id: request.id, head: out.take() };
  });
}

const LONGER_THAN_SAMPLES = Buffer.alloc(128 * 1024);

function firstThatGoesOn<S extends Stretched>(
  subject: Subject,
  direction: Direction,
  begin: (exchange: AnsweredExchange) => S,
): S {
  for (const exchange of subject.answered) {
    try {
      const { codec, id } = begin(exchange);
      codec.data(id, LONGER_THAN_SAMPLES, false, false);
    } catch {
      // Its length is told, or it is whole.
      continue;
    }
    return begin(exchange);
  }
  fail(`no ${direction} of the samples can go on and on: one is needed whose head does not tell its length`);
}

/** The codec that reads the message, behind its head. */
export function readerOf(
  subject: Subject,
  { request, head }: Stretched,
  direction: Direction,
): ServerBench | ClientBench {
  const reader = direction === 'request' ? subject.server() : subject.asking(request);
  if (head.length > 0) feedWire(reader, { bytes: head, fin: false });
  return reader;
}

/** What is written for this data. */
export function piece({ codec, id, out }: Stretched, chunk: Buffer, end = false): Buffer {
  codec.data(id, chunk, end, false);
  return out.take();
}
