/** Http1ClientCodec: writes requests and reads responses, one at a time. */
import type { ClientCodec, Output, UpstreamSink } from '../../metaprotocol/codec.ts';
import { Reset } from '../../metaprotocol/codec.ts';
import type { RequestMessage, ResponseMessage } from '../../metaprotocol/message.ts';
import { Flag } from '../../metaprotocol/message.ts';
import type { ProxyStatus } from '../../metaprotocol/status.ts';
import { Status, statusOf } from '../../metaprotocol/status.ts';
import { Http1Codec, Phase } from './codec.ts';
import { Fields, writeText } from './fields.ts';
import { areProtocols } from './head-rules.ts';
import { type Http1Request, Http1Response } from './message.ts';
import type { Http1Options } from './options.ts';
import { StatusLine } from './status-line.ts';
import { EMPTY, Framing, UPGRADE_REQUIRED } from './wire.ts';

/** They are passed on whole, so a server could make the proxy hold them without end where a caller does not read. */
const INFORMATIONAL_HEADS = 100;

export class Http1ClientCodec extends Http1Codec<ResponseMessage> implements ClientCodec {
  readonly #upstream: UpstreamSink;
  readonly #line = new StatusLine();
  #method = '';
  #asksTunnel = false;
  /** What an upgrade asks for. */
  #protocol: string | undefined;
  #requestEnded = true;
  #responseEnded = true;
  /** Of this answer so far. */
  #informationalHeads = 0;
  /** Another request may follow on this connection. */
  #reusable = true;

  constructor(sink: UpstreamSink, out: Output, options: Http1Options) {
    super(sink, out, options);
    this.#upstream = sink;
  }

  override start(): void {
    this.#upstream.onReady(1);
  }

  override goAway(): void {}

  encode(id: number, request: RequestMessage): void {
    const call = request as Http1Request;
    const { out } = this;
    const tunnel = (call.flags & Flag.Tunnel) !== 0;
    const from = call.startLineFrom;
    if (from < 0) writeText(out, `${call.method} ${call.target} HTTP/1.1\r\n`);
    let own = call.newHost === null ? '' : `host: ${call.newHost}\r\n`;
    if (call.framing === Framing.Chunked) own += 'transfer-encoding: chunked\r\n';
    if (tunnel && call.method !== 'CONNECT') own += 'connection: upgrade\r\n';
    call.fields.write(out, from, `${own}\r\n`);
    this.current = id;
    this.#method = call.method;
    this.#asksTunnel = tunnel;
    this.#protocol = tunnel ? call.fields.get('upgrade') : undefined;
    this.#requestEnded = (call.flags & Flag.End) !== 0;
    this.#responseEnded = false;
    this.#informationalHeads = 0;
    this.writer.start(call.framing, call.contentLength);
  }

  override reset(id: number, _status: ProxyStatus): Reset {
    if (id !== this.current || (this.#requestEnded && this.#responseEnded)) return Reset.Done;
    this.stop();
    return Reset.Close;
  }

  protected override sendEnded(): void {
    this.#requestEnded = true;
  }

  /** Bytes that no request asked for (a 408 before an idle close) would become the next one's answer. */
  protected override mayReadHead(): boolean {
    if (!this.#responseEnded) return true;
    this.stop();
    this.sink.onGoAway();
    return false;
  }

  protected override onHeadRead(bytes: Buffer, base: number, length: number, lent: boolean, left: boolean): void {
    const { section, rules } = this;
    const line = this.#line;
    const fields = Fields.of(section, bytes, base);
    if (section.skipped > 0 || !line.read(bytes, base, section.startLineEnd)) {
      this.#fail('a response without a valid status line');
      return;
    }
    if (!rules.read(fields)) {
      this.#fail(`${rules.fault!.text} in a response`);
      return;
    }
    const { status } = line;
    if (line.minor === 0 && rules.framing === Framing.Chunked) {
      this.#fail('Transfer-Encoding in an HTTP/1.0 response');
      return;
    }
    if (status === 101 || (this.#method === 'CONNECT' && status >= 200 && status < 300)) {
      this.#onTunnel(fields, length, lent);
      return;
    }
    if (status < 200) {
      if (++this.#informationalHeads > INFORMATIONAL_HEADS) {
        this.#fail(`more than ${INFORMATIONAL_HEADS} informational responses before the response`);
        return;
      }
      fields.remove('content-length');
      this.sink.onHead(
        this.current,
        new Http1Response(line, fields, length, Flag.Informational, Framing.None, 0, lent),
      );
      return;
    }
    // It answered before it had the request: what it does with the rest is unknown.
    if (!this.#requestEnded || rules.close || (line.minor === 0 && !rules.keepAlive)) this.#reusable = false;
    // Only here it is for the caller: what else a server offers is between it and its client, which is the proxy.
    if (status === UPGRADE_REQUIRED && areProtocols(rules.upgrades)) fields.add('upgrade', rules.upgrades);
    let framing: Framing = rules.framing === Framing.None ? Framing.UntilClose : rules.framing;
    if (status === 204) fields.remove('content-length');
    if (status === 204 || status === 304 || this.#method === 'HEAD') framing = Framing.None;
    if (framing === Framing.UntilClose) this.#reusable = false;
    const ends = framing === Framing.None || (framing === Framing.Length && rules.contentLength === 0);
    const id = this.current;
    this.startBody(id, ends ? Framing.None : framing, rules.contentLength);
    if (ends && !this.onEnding(left)) return;
    const flags = ends ? Flag.End : 0;
    this.sink.onHead(id, new Http1Response(line, fields, length, flags, framing, rules.contentLength, lent));
  }

  protected override onBadHead(at: number): void {
    this.#fail(`${this.section.fault!.text} in a response`, at);
  }

  protected override onBadBody(text: string): void {
    this.#fail(`${text} in a response`);
  }

  /** What follows the last byte of an answer would be taken for the next one's. */
  protected override onEnding(left: boolean): boolean {
    this.#responseEnded = true;
    if (this.#reusable && !left) return true;
    this.stop();
    this.sink.onGoAway();
    return !this.sink.closed;
  }

  protected override onPeerEnd(): void {
    const id = this.current;
    if (this.phase === Phase.Tunnel) {
      this.sink.onData(id, EMPTY, true);
      return;
    }
    if (this.#responseEnded) return;
    if (this.phase === Phase.UntilClose) {
      if (this.onEnding(false)) this.sink.onData(id, EMPTY, true);
      return;
    }
    const status = statusOf(Status.upstream_reset, this.describe('the upstream closed before its answer ended'));
    this.stop();
    this.#responseEnded = true;
    this.sink.onReset(id, status);
  }

  /** The grant of Upgrade or CONNECT, and nothing else, opens the tunnel. */
  #onTunnel(fields: Fields, length: number, lent: boolean): void {
    const { rules } = this;
    const line = this.#line;
    if (!this.#asksTunnel || (line.status === 101) === (this.#method === 'CONNECT')) {
      this.#fail(`status ${line.status}, but no upgrade was asked for`);
      return;
    }
    if (line.status === 101) {
      if (rules.upgrade === '') {
        this.#fail('status 101 without the protocol that it switches to');
        return;
      }
      if (rules.upgrade !== this.#protocol) {
        this.#fail(`status 101 to ${rules.upgrade}, expected ${this.#protocol}`);
        return;
      }
      fields.add('upgrade', rules.upgrade);
    }
    fields.remove('content-length');
    this.phase = Phase.Tunnel;
    this.#reusable = false;
    this.sink.onGoAway();
    if (this.sink.closed) return;
    this.sink.onHead(this.current, new Http1Response(line, fields, length, Flag.Tunnel, Framing.None, 0, lent));
  }

  #fail(text: string, at = 0): void {
    this.stop();
    this.sink.onError(statusOf(Status.upstream_malformed, this.describe(text, at)));
  }
}
