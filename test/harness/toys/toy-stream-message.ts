/** The messages of toy-stream: a head of `key=value` lines, trailers of the same. */
import {
  Flag,
  type Message,
  type Outcome,
  type RequestMessage,
  type ResponseMessage,
  type Trailers,
} from '../../../src/metaprotocol/message.ts';
import { AttributeBlock } from './attribute-block.ts';
import { FrameFlag } from './toy-stream-wire.ts';

abstract class ToyStreamMessage implements Message {
  readonly family = 'toy-stream';
  readonly raw = null;
  readonly flags: number;
  protected block: AttributeBlock;
  #kept = false;

  constructor(block: AttributeBlock, flags: number) {
    this.block = block;
    this.flags = flags;
  }

  keep(): void {
    if (this.#kept) return;
    this.#kept = true;
    if (!this.block.edited) this.block.rebase(Buffer.from(this.block.encoded()));
  }

  encoded(): Buffer {
    return this.block.encoded();
  }

  get(key: string): string | undefined {
    return this.block.get(key);
  }

  entries(visit: (key: string, value: string) => void): void {
    this.block.entries(visit);
  }

  set(key: string, value: string): boolean {
    return this.block.set(key, value);
  }

  add(key: string, value: string): boolean {
    return this.block.add(key, value);
  }

  remove(key: string): boolean {
    return this.block.remove(key);
  }

  abstract fork(): this;
}

export class ToyStreamRequest extends ToyStreamMessage implements RequestMessage {
  readonly connectionKey = '';
  readonly answer = null;

  get replaySafe(): boolean {
    return this.get('method')?.startsWith('get') === true;
  }

  fork(): this {
    return new ToyStreamRequest(this.block.fork(), this.flags) as this;
  }
}

export class ToyStreamResponse extends ToyStreamMessage implements ResponseMessage {
  get outcome(): Outcome | null {
    return outcomeOf(this.block);
  }

  fork(): this {
    return new ToyStreamResponse(this.block.fork(), this.flags) as this;
  }
}

export class ToyStreamTrailers implements Trailers {
  readonly #block: AttributeBlock;

  constructor(block: AttributeBlock) {
    this.#block = block;
  }

  get outcome(): Outcome | null {
    return outcomeOf(this.#block);
  }

  encoded(): Buffer {
    return this.#block.encoded();
  }

  get(key: string): string | undefined {
    return this.#block.get(key);
  }

  entries(visit: (key: string, value: string) => void): void {
    this.#block.entries(visit);
  }

  set(key: string, value: string): boolean {
    return this.#block.set(key, value);
  }

  remove(key: string): boolean {
    return this.#block.remove(key);
  }
}

type Attributes = Readonly<Record<string, string>>;

/** Messages as a peer makes them. */
export function toyStreamRequest(attributes: Attributes, flags = 0): ToyStreamRequest {
  return new ToyStreamRequest(AttributeBlock.of(Object.entries(attributes)), flags);
}

export function toyStreamResponse(attributes: Attributes, flags = 0): ToyStreamResponse {
  return new ToyStreamResponse(AttributeBlock.of(Object.entries(attributes)), flags);
}

export function toyStreamTrailers(attributes: Attributes): ToyStreamTrailers {
  return new ToyStreamTrailers(AttributeBlock.of(Object.entries(attributes)));
}

/** The bytes of a head or of trailers, of whatever family. */
export function blockOf(message: Message | Trailers): Buffer {
  if (message instanceof ToyStreamMessage || message instanceof ToyStreamTrailers) return message.encoded();
  return AttributeBlock.from(message).encoded();
}

export function messageFlagsOf(frameFlags: number): number {
  let flags = 0;
  if ((frameFlags & FrameFlag.End) !== 0) flags |= Flag.End;
  if ((frameFlags & FrameFlag.Informational) !== 0) flags |= Flag.Informational;
  if ((frameFlags & FrameFlag.Tunnel) !== 0) flags |= Flag.Tunnel;
  return flags;
}

export function frameFlagsOf(flags: number): number {
  let frameFlags = 0;
  if ((flags & Flag.End) !== 0) frameFlags |= FrameFlag.End;
  if ((flags & Flag.Informational) !== 0) frameFlags |= FrameFlag.Informational;
  if ((flags & Flag.Tunnel) !== 0) frameFlags |= FrameFlag.Tunnel;
  return frameFlags;
}

function outcomeOf(block: AttributeBlock): Outcome | null {
  const status = block.get('status');
  return status === undefined ? null : { code: Number(status), ok: status === '0' };
}
