/** Received: a message as it was received, with all that came of it, and how such a one is compared and written again. */
import type { Codec } from '../metaprotocol/codec.ts';
import type { Message, Trailers } from '../metaprotocol/message.ts';
import type { ProxyStatus } from '../metaprotocol/status.ts';

export interface Received<M extends Message> {
  readonly id: number;
  /** Informational heads in front of it. */
  readonly interim: readonly M[];
  readonly head: M;
  readonly chunks: readonly { readonly chunk: Buffer; readonly end: boolean }[];
  readonly trailers: Trailers | null;
  /** Nothing more comes of it. */
  readonly ended: boolean;
  /** Set: it was given up on the way. */
  readonly reset: ProxyStatus | null;
}

/** Attributes in wire order. */
export function attributesOf(message: Pick<Message, 'entries'>): [key: string, value: string][] {
  const attributes: [string, string][] = [];
  message.entries((key, value) => attributes.push([key, value]));
  return attributes;
}

export function dataOf({ chunks }: Received<Message>): Buffer {
  return Buffer.concat(chunks.map(({ chunk }) => chunk));
}

/** All that can be seen of it, however its data was cut. */
export function shown(message: Received<Message>): string {
  const { interim, head, trailers, ended } = message;
  const heads = [...interim, head].map((one) => [one.flags, one.raw?.toString('hex') ?? null, attributesOf(one)]);
  return JSON.stringify([heads, dataOf(message).toString('hex'), trailers && attributesOf(trailers), ended]);
}

/** Has a codec write what follows the head of a message. */
export function writeBody(codec: Codec, id: number, { chunks, trailers }: Received<Message>): void {
  for (const { chunk, end } of chunks) codec.data(id, chunk, end, false);
  if (trailers !== null) codec.trailers(id, trailers);
}
