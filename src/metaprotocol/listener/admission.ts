/**
 * Admission: a connection between accept and its codec, where a listener's chains ask for more than addresses: its first bytes are
 * inspected, a chain is chosen, TLS is ended. All of it is bounded in time and bytes; what fails is closed, counted and logged once.
 */
import type { Duplex } from 'node:stream';
import { addressOf } from '../address.ts';
import type { CompiledChain, CompiledListener } from '../compile.ts';
import type { Core } from '../core.ts';
import type { TlsPeer } from '../filter.ts';
import { type TimerOwner, WheelTimer } from '../timer-wheel.ts';
import type { ClientHello } from '../tls/client-hello.ts';
import type { HandshakeOwner, ServerTls } from '../tls/server-tls.ts';
import type { Wire } from '../wire/wire.ts';
import type { ConnectionFacts } from './chain-match.ts';
import { type FirstBytes, InspectedWire, type Inspection, type InspectionOwner } from './inspected-wire.ts';
import type { AcceptContext } from './listener.ts';

/** Who accepted it. */
export interface AdmissionOwner {
  /** null: none, which is counted and logged. */
  chooseChain(listener: CompiledListener, facts: ConnectionFacts, context: AcceptContext): CompiledChain | null;
  onAdmitted(listener: CompiledListener, chosen: CompiledChain, wire: Wire, context: AcceptContext): void;
  /** Once, and last. */
  onAdmissionOver(admission: Admission): void;
}

export class Admission implements InspectionOwner, HandshakeOwner, TimerOwner {
  readonly #core: Core;
  readonly #owner: AdmissionOwner;
  readonly #listener: CompiledListener;
  readonly #context: AcceptContext;
  readonly #wire: InspectedWire;
  readonly #timer = new WheelTimer(this);
  #chosen: CompiledChain | null = null;
  /** TLS is being agreed upon. */
  #secured: { destroy(): void } | null = null;
  #over = false;

  constructor(
    core: Core,
    owner: AdmissionOwner,
    listener: CompiledListener,
    inspection: Inspection,
    wire: Wire,
    context: AcceptContext,
  ) {
    this.#core = core;
    this.#owner = owner;
    this.#listener = listener;
    this.#context = context;
    this.#wire = new InspectedWire(wire, inspection, this);
    core.wheel.arm(this.#timer, core.clock.nowMs(), inspection.timeoutMs);
  }

  start(): void {
    this.#wire.inspect();
  }

  /** At once, without a word in the log. */
  destroy(): void {
    this.#end();
    // The stream is TLS's from then on: closed under it, OpenSSL would go on in memory that is gone.
    if (this.#secured === null) this.#wire.destroy();
    else this.#secured.destroy();
  }

  // TimerOwner

  onTimer(): void {
    if (this.#chosen === null) this.#wire.giveUp();
    else this.onHandshakeFailed(`not agreed within ${this.#chosen.tls!.handshakeTimeoutMs} ms`);
  }

  // InspectionOwner

  onInspected({ hello, applicationProtocols }: FirstBytes): void {
    if (this.#over) return;
    const listener = this.#listener;
    const facts = {
      destination: this.#context.originalDestination ?? listener.description.serviceAddress,
      isTls: hello !== null,
      serverName: hello?.serverName ?? null,
      applicationProtocols,
    };
    const chosen = this.#owner.chooseChain(listener, facts, this.#context);
    if (chosen === null) this.destroy();
    else if (chosen.tls === null) this.#admit(chosen, this.#wire, hello === null ? null : passedThrough(hello));
    else if (hello === null) this.#refuse('no TLS where it is required');
    else this.#secure(chosen, chosen.tls, hello);
  }

  onNotInspected(why: string | null): void {
    if (this.#over) return;
    if (why === null) this.destroy();
    else this.#refuse(why);
  }

  // HandshakeOwner

  onSecure(wire: Wire, peer: TlsPeer): void {
    if (this.#over) return;
    this.#listener.stats.handshakes.add();
    this.#admit(this.#chosen!, wire, peer);
  }

  onHandshakeFailed(why: string): void {
    if (this.#over) return;
    this.#listener.stats.handshakeErrors.add();
    this.#warn(why, 'TLS handshake failed');
    this.destroy();
  }

  #secure(chosen: CompiledChain, tls: ServerTls, hello: ClientHello): void {
    const stream: Duplex | undefined = this.#wire.release();
    if (stream === undefined) {
      this.#refuse('this wire has no stream to speak TLS over');
      return;
    }
    this.#chosen = chosen;
    const { clock, wheel } = this.#core;
    wheel.arm(this.#timer, clock.nowMs(), tls.handshakeTimeoutMs);
    this.#secured = tls.handshake(stream, hello, this);
  }

  #admit(chosen: CompiledChain, wire: Wire, tls: TlsPeer | null): void {
    this.#end();
    this.#owner.onAdmitted(this.#listener, chosen, wire, { ...this.#context, tls });
  }

  #refuse(why: string): void {
    this.#listener.stats.notAdmitted.add();
    this.#warn(why, 'connection closed by what its first bytes are');
    this.destroy();
  }

  #warn(why: string, text: string): void {
    const { source } = this.#context;
    this.#core.log.warn({ listener: this.#listener.description.name, source: addressOf(source), why }, text);
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#core.wheel.cancel(this.#timer);
    this.#owner.onAdmissionOver(this);
  }
}

function passedThrough({ serverName }: ClientHello): TlsPeer {
  return { serverName, alpn: null, version: null, uriSans: [] };
}
