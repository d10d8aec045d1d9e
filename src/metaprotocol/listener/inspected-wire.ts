/**
 * InspectedWire: a wire whose first bytes are looked at before anybody knows what it carries: TLS or not, which of some protocols.
 * Then it is an ordinary wire that begins with those bytes again, or gives its stream away to TLS.
 */
import type { Duplex } from 'node:stream';
import type { CodecFactory } from '../codec.ts';
import { type ClientHello, ClientHelloReader, type HelloReading } from '../tls/client-hello.ts';
import type { Wire, WireHandler } from '../wire/wire.ts';

/** What first bytes are asked, compiled. */
export interface Inspection {
  /** Are they TLS? Else they go to the detectors at once. */
  readonly readsHello: boolean;
  /** In this order: while one is not sure, those behind it are not asked, so that reads may fall anywhere. */
  readonly detectors: readonly Detector[];
  readonly detectBytes: number;
  readonly timeoutMs: number;
  readonly continueOnTimeout: boolean;
}

export interface Detector {
  readonly detect: NonNullable<CodecFactory['detect']>;
  readonly applicationProtocols: readonly string[];
}

export interface FirstBytes {
  /** null: not TLS, as far as anybody asked. */
  readonly hello: ClientHello | null;
  readonly applicationProtocols: readonly string[];
}

/** Told one of both, once. */
export interface InspectionOwner {
  /** Opens the wire or releases it before this returns: bytes may be lent. */
  onInspected(found: FirstBytes): void;
  /** `why` null: the peer left without a word. */
  onNotInspected(why: string | null): void;
}

const NOTHING_KNOWN: FirstBytes = Object.freeze({ hello: null, applicationProtocols: [] });

export class InspectedWire implements Wire, WireHandler {
  readonly #wire: Wire;
  readonly #inspection: Inspection;
  readonly #owner: InspectionOwner;
  readonly #reader: ClientHelloReader | null;
  /** All bytes so far; ours, unless `#lent`. */
  #head: Buffer | null = null;
  #lent = false;
  #isTls: boolean | null;
  #peerEnded = false;
  #decided = false;
  #handler: WireHandler | null = null;

  constructor(wire: Wire, inspection: Inspection, owner: InspectionOwner) {
    this.#wire = wire;
    this.#inspection = inspection;
    this.#owner = owner;
    this.#reader = inspection.readsHello ? new ClientHelloReader() : null;
    this.#isTls = inspection.readsHello ? null : false;
  }

  inspect(): void {
    this.#wire.open(this);
  }

  /** Time is over. */
  giveUp(): void {
    if (this.#decided) return;
    const { continueOnTimeout, timeoutMs } = this.#inspection;
    if (continueOnTimeout) this.#decide(NOTHING_KNOWN);
    else if (this.#head === null) this.#fail(`not a byte within ${timeoutMs} ms`);
    else this.#fail(`only ${this.#head.length} bytes within ${timeoutMs} ms, not enough to tell what they are`);
  }

  /** The stream below, as if nothing had been read of it; this wire is over. undefined: it has none. */
  release(): Duplex | undefined {
    const stream = this.#wire.detach?.();
    if (this.#head !== null) stream?.unshift(this.#lent ? Buffer.from(this.#head) : this.#head);
    this.#head = null;
    return stream;
  }

  // WireHandler

  onOpen(): void {}

  onBytes(chunk: Buffer, lent: boolean): void {
    if (this.#decided) {
      this.#handler?.onBytes(chunk, lent);
      return;
    }
    this.#lent = lent && this.#head === null;
    this.#head = this.#head === null ? chunk : joined(this.#head, chunk);
    this.#look(this.#head);
    // Read on: what is kept has to be ours.
    if (!this.#decided && this.#lent) {
      this.#head = Buffer.from(this.#head);
      this.#lent = false;
    }
  }

  onEnd(): void {
    this.#peerEnded = true;
    if (this.#decided) this.#handler?.onEnd();
    else if (this.#head === null) this.#fail(null);
    else if (this.#isTls === null) this.#fail('the caller ended within its ClientHello');
    else this.#decide(NOTHING_KNOWN);
  }

  onDrain(): void {
    this.#handler?.onDrain();
  }

  onClose(error: Error | null): void {
    if (this.#decided) this.#handler?.onClose(error);
    else this.#fail(this.#head === null ? null : (error?.message ?? 'the caller closed'));
  }

  // Wire

  open(handler: WireHandler): void {
    this.#handler = handler;
    const head = this.#head;
    this.#head = null;
    if (head !== null) handler.onBytes(head, this.#lent);
    if (this.#peerEnded) handler.onEnd();
  }

  write(parts: readonly Buffer[]): void {
    this.#wire.write(parts);
  }

  get queuedBytes(): number {
    return this.#wire.queuedBytes;
  }

  pause(): void {
    this.#wire.pause();
  }

  resume(): void {
    this.#wire.resume();
  }

  end(): void {
    this.#wire.end();
  }

  destroy(): void {
    this.#wire.destroy();
  }

  reset(): void {
    this.#wire.reset();
  }

  #look(head: Buffer): void {
    if (this.#isTls === null) {
      const reading = this.#reader!.read(head);
      if (reading.kind === 'more') return;
      this.#isTls = reading.kind !== 'other';
      if (reading.kind !== 'other') {
        this.#onHello(reading);
        return;
      }
    }
    const protocols = this.#detect(head);
    if (protocols !== null) this.#decide({ hello: null, applicationProtocols: protocols });
  }

  #onHello(reading: Exclude<HelloReading, { kind: 'more' | 'other' }>): void {
    if (reading.kind === 'malformed') this.#fail(reading.why);
    else this.#decide({ hello: reading.hello, applicationProtocols: reading.hello.applicationProtocols });
  }

  /** null: more bytes may tell. */
  #detect(head: Buffer): readonly string[] | null {
    const { detectors, detectBytes } = this.#inspection;
    for (const { detect, applicationProtocols } of detectors) {
      const detection = detect(head);
      if (detection === 'match') return applicationProtocols;
      if (detection === 'more' && head.length < detectBytes) return null;
    }
    return [];
  }

  #decide(found: FirstBytes): void {
    this.#decided = true;
    this.#owner.onInspected(found);
  }

  #fail(why: string | null): void {
    if (this.#decided) return;
    this.#decided = true;
    this.#owner.onNotInspected(why);
  }
}

/** First bytes come in one read nearly always, and are few. */
function joined(head: Buffer, chunk: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(head.length + chunk.length);
  head.copy(bytes);
  chunk.copy(bytes, head.length);
  return bytes;
}
