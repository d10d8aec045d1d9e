/** Http1ServerCodec: reads requests and writes responses. One stream at a time, by Hold. */
import type { Output, ServerCodec, Sink } from '../../metaprotocol/codec.ts';
import { Reset } from '../../metaprotocol/codec.ts';
import type { RequestMessage, ResponseMessage } from '../../metaprotocol/message.ts';
import { Flag, refused } from '../../metaprotocol/message.ts';
import type { ProxyStatus } from '../../metaprotocol/status.ts';
import { Status, statusOf } from '../../metaprotocol/status.ts';
import { Http1Codec, Phase } from './codec.ts';
import { Fields, writeText } from './fields.ts';
import { Http1Request, type Http1Response } from './message.ts';
import type { Http1Options } from './options.ts';
import { httpReply } from './reply.ts';
import { RequestLine } from './request-line.ts';
import { EMPTY, Framing, UPGRADE_REQUIRED } from './wire.ts';

const REQUEST_TIMEOUT = 408;

export class Http1ServerCodec extends Http1Codec<RequestMessage> implements ServerCodec {
  readonly #line = new RequestLine(this.options.pathNormalization === 'base');
  #lastId = 0;
  /** The next head waits for `resume`. */
  #holding = false;
  #requestEnded = true;
  #responseStarted = false;
  #responseEnded = true;
  /** Another request may follow on this connection. */
  #keepAlive = true;
  #draining = false;
  #goneAway = false;

  constructor(sink: Sink<RequestMessage>, out: Output, options: Http1Options) {
    super(sink, out, options);
  }

  override start(): void {}

  override goAway(): void {
    this.#draining = true;
  }

  override resume(): void {
    if (this.phase === Phase.Tunnel) this.#leave();
    else if (this.#holding && this.#requestEnded && this.#responseEnded && this.phase !== Phase.Stopped) {
      if (this.#keepAlive) {
        this.#holding = false;
      } else {
        this.stop();
        this.#leave();
      }
    }
    super.resume();
  }

  encode(id: number, response: ResponseMessage, request: RequestMessage | null): void {
    if (request === null) throw new Error('http1: a server cannot push');
    const call = request as Http1Request;
    const answer = response as Http1Response;
    if ((answer.flags & Flag.Informational) !== 0) {
      if (call.minor === 1) this.#writeHead(answer, '');
      return;
    }
    if ((answer.flags & Flag.Tunnel) !== 0) {
      this.#writeHead(answer, answer.status === 101 ? 'connection: upgrade\r\n' : '');
      this.#responseStarted = true;
      this.phase = Phase.Tunnel;
      return;
    }
    const ends = (answer.flags & Flag.End) !== 0;
    const framing = ends ? Framing.None : framingFor(answer.framing, call.minor);
    const keepAlive = this.#keepAlive && !this.#mustClose(call, framing);
    let own = framing === Framing.Chunked ? 'transfer-encoding: chunked\r\n' : '';
    if (!keepAlive) own += 'connection: close\r\n';
    else if (call.minor === 0) own += 'connection: keep-alive\r\n';
    if (answer.status === UPGRADE_REQUIRED && answer.get('upgrade') !== undefined) own += 'connection: upgrade\r\n';
    this.#writeHead(answer, own);
    if (ends && answer.body.length > 0 && call.method !== 'HEAD') this.out.append(answer.body, 0, answer.body.length);
    if (id !== this.current) return;
    this.#keepAlive = keepAlive;
    this.#responseStarted = true;
    this.#responseEnded = ends;
    this.writer.start(framing, answer.contentLength);
  }

  /** What the caller itself was too slow for is 408, not 504. */
  reply(status: ProxyStatus, _request: RequestMessage | null): ResponseMessage {
    const late = status.name === 'timeout' && status.code === null && !this.#requestEnded;
    return httpReply(late ? statusOf(status, status.detail, REQUEST_TIMEOUT) : status, this.sink.dateText);
  }

  get midHead(): boolean {
    return this.phase === Phase.Head && !this.section.fresh;
  }

  refuseHead(status: ProxyStatus): void {
    this.#answer(statusOf(status, this.describe(status.detail), REQUEST_TIMEOUT));
  }

  override reset(id: number, _status: ProxyStatus): Reset {
    if (id !== this.current || (this.#requestEnded && this.#responseEnded)) return Reset.Done;
    this.stop();
    return Reset.Close;
  }

  protected override sendEnded(): void {
    this.#responseEnded = true;
  }

  protected override mayReadHead(): boolean {
    return !this.#holding;
  }

  protected override onHeadRead(bytes: Buffer, base: number, length: number, lent: boolean): void {
    const { section, rules } = this;
    const line = this.#line;
    const fields = Fields.of(section, bytes, base);
    if (!rules.read(fields)) {
      this.#refuse(rules.fault!.text, rules.fault!.httpStatus, 0);
      return;
    }
    if (!line.read(bytes, base, section.skipped, section.startLineEnd, fields, rules)) {
      this.#refuse(line.fault!.text, line.fault!.httpStatus, 0);
      return;
    }
    if (line.minor === 0 && rules.framing === Framing.Chunked) {
      this.#refuse('Transfer-Encoding in HTTP/1.0', 400, 0);
      return;
    }
    const ends = rules.framing === Framing.None || (rules.framing === Framing.Length && rules.contentLength === 0);
    if (rules.expect >= 0) {
      if (fields.get('expect')?.toLowerCase() !== '100-continue') {
        this.#refuse('an expectation other than 100-continue', 417, 0);
        return;
      }
      if (ends || line.minor === 0) fields.drop(rules.expect);
    }
    let flags: number = Flag.Hold;
    if (ends) flags |= Flag.End;
    if (line.method === 'CONNECT') flags |= Flag.Tunnel;
    else if (ends && line.minor === 1 && mayUpgrade(rules.upgrade)) {
      flags |= Flag.Tunnel;
      fields.add('upgrade', rules.upgrade);
    }
    const id = ++this.#lastId;
    this.startBody(id, ends ? Framing.None : rules.framing, rules.contentLength);
    this.#holding = true;
    this.#requestEnded = ends;
    this.#responseStarted = false;
    this.#responseEnded = false;
    this.#keepAlive = (line.minor === 1 || rules.keepAlive) && !rules.close;
    const { framing, contentLength } = rules;
    const hasHost = rules.host >= 0;
    this.sink.onHead(
      id,
      new Http1Request(line, section, hasHost, fields, length, flags, framing, contentLength, lent, null),
    );
  }

  protected override onBadHead(at: number): void {
    const { text, over } = this.section.fault!;
    const httpStatus = over === 'none' ? 400 : over === 'target' ? 414 : 431;
    this.#refuse(text, httpStatus, at);
  }

  protected override onBadBody(text: string): void {
    const status = statusOf(Status.malformed, this.describe(text));
    if (this.#responseStarted) {
      this.stop();
      this.sink.onError(status);
      return;
    }
    this.#requestEnded = true;
    this.sink.onReset(this.current, status);
    if (!this.sink.closed) this.#refuse(text, 400, 0);
  }

  protected override onEnding(): boolean {
    this.#requestEnded = true;
    return !this.sink.closed;
  }

  protected override onPeerEnd(): void {
    if (this.phase === Phase.Tunnel) {
      this.sink.onData(this.current, EMPTY, true);
      return;
    }
    if (this.#requestEnded && this.#responseEnded) return;
    if (this.#requestEnded && this.options.halfClose === 'answer') return;
    const what = this.#requestEnded ? 'while it waited for its answer' : 'in the middle of its request';
    const id = this.current;
    this.stop();
    this.sink.onReset(id, statusOf(Status.downstream_reset, this.describe(`the caller ended ${what}`)));
  }

  #mustClose(call: Http1Request, framing: Framing): boolean {
    if (this.#draining || framing === Framing.UntilClose) return true;
    // Once its answer has ended, what is left of the request would be read as the next one. The head is the last place to say so.
    if (!this.#requestEnded) return true;
    // What a caller sent into a tunnel that it did not get must not be read as requests.
    return (call.flags & Flag.Tunnel) !== 0 && (call.method === 'CONNECT' || this.parkedBytes > 0);
  }

  #writeHead(answer: Http1Response, own: string): void {
    const { fields } = answer;
    if (answer.minor === 1) {
      fields.write(this.out, 0, `${own}\r\n`);
    } else {
      writeText(this.out, 'HTTP/1.1');
      this.out.append(fields.bytes, fields.base + 8, fields.base + answer.startLineEnd + 1);
      fields.write(this.out, -1, `${own}\r\n`);
    }
  }

  #leave(): void {
    if (this.#goneAway || this.sink.closed) return;
    this.#goneAway = true;
    this.sink.onGoAway();
  }

  /** The caller gets the status, then the connection ends: where the next request begins is unknown. */
  #refuse(text: string, httpStatus: number, at: number): void {
    const base =
      httpStatus === 400
        ? Status.malformed
        : httpStatus >= 500 || httpStatus === 417
          ? Status.unsupported
          : Status.too_large;
    this.#answer(statusOf(base, this.describe(text, at), httpStatus));
  }

  #answer(status: ProxyStatus): void {
    this.stop();
    this.#keepAlive = false;
    this.#requestEnded = true;
    this.#responseEnded = false;
    this.current = ++this.#lastId;
    const { section } = this;
    section.reset(true);
    const line = new RequestLine();
    line.target = '';
    const fields = Fields.of(section, EMPTY, 0);
    const answer = httpReply(status, this.sink.dateText);
    const request = new Http1Request(line, section, false, fields, 0, Flag.End, Framing.None, 0, false, answer);
    this.sink.onHead(this.current, refused(request, status));
    if (!this.sink.closed) this.sink.onGoAway(status);
  }
}

function framingFor(framing: Framing, minor: number): Framing {
  if (framing === Framing.Length) return framing;
  return minor === 1 ? Framing.Chunked : Framing.UntilClose;
}

/** Another version of HTTP, or TLS, inside the connection would pass everything that routes and filters say. */
function mayUpgrade(protocol: string): boolean {
  return protocol !== '' && !/^(h2c|h2|http|tls)/.test(protocol);
}
