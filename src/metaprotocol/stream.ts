/**
 * LiveStream: one request and its response, from the head to the end. Its phases stand here in their order:
 * start, match, request filters, forward, attempt, answer, response filters, deliver, end (docs/life-of-a-request.md).
 */

import type { AttemptOwner } from './attempt.ts';
import { LiveAttempt } from './attempt.ts';
import { pickAnother } from './balancer/balancer.ts';
import type { DirectionHooks, FilterChain } from './chain.ts';
import type { DownstreamConnection } from './downstream.ts';
import { textOf } from './error-text.ts';
import type { Attempt, ConnectionInfo, Mutation, Stream } from './filter.ts';
import { mutate } from './filter.ts';
import type { RequestMessage, ResponseMessage, Trailers } from './message.ts';
import { Flag } from './message.ts';
import type { Destination, Route } from './router/route.ts';
import type { ProxyStatus } from './status.ts';
import { Status, statusOf } from './status.ts';
import type { RunTarget } from './stream/filter-run.ts';
import { FilterRun, HEAD_OVER, HEAD_PASSED, passHead } from './stream/filter-run.ts';
import type { MirroredRequest } from './stream/mirror.ts';
import { startMirrors } from './stream/mirror.ts';
import type { BodySource } from './stream/request-body.ts';
import { RequestBody } from './stream/request-body.ts';
import { SplitRequest } from './stream/split.ts';
import { isUnbind } from './upstream/binding.ts';
import type { Cluster } from './upstream/cluster.ts';
import type { Endpoint } from './upstream/endpoint.ts';

/** A request body that outgrows this cannot be sent a second time. */
const REPLAY_LIMIT_BYTES = 64 * 1024;
const NO_ATTEMPTS: readonly LiveAttempt[] = Object.freeze([]);
/** A timeout that ends no more. */
const CANCELLED = -1;

export class LiveStream implements Stream, AttemptOwner, BodySource {
  readonly id: number;
  readonly connection: DownstreamConnection;
  readonly chain: FilterChain;
  readonly request: RequestMessage;
  /** How many calls it is: more than one of a run. */
  calls = 1;
  attempts = NO_ATTEMPTS;
  response: ResponseMessage | null = null;
  route: Route | null = null;
  status: ProxyStatus = Status.no_error;
  committed = false;
  requestBytes = 0;
  responseBytes = 0;
  ended = false;
  readonly startMs: number;
  /** When it had ended; 0 before. */
  endMs = 0;
  /** When its route's timeout has passed, in whole milliseconds of the clock; 0: not begun, negative: it ends no more. */
  dueMs = 0;
  /** The response's last byte was given to the codec, or there is none to give. */
  responseEnded = false;
  #slots: unknown[] | null = null;
  #destination: Destination | null = null;
  #hashInput: string | null = null;
  #attempt: LiveAttempt | null = null;
  #split: SplitRequest | null = null;
  #mirrors: readonly MirroredRequest[] = [];
  #body: RequestBody | null = null;
  #requestRun: FilterRun<RequestMessage> | null = null;
  #responseRun: FilterRun<ResponseMessage> | null = null;
  #requestEnded: boolean;
  #rematch = false;
  #filterFailed = false;
  #freeReplayUsed = false;
  #kept = false;
  /** It counts towards what its caller has in flight. */
  #forwarded = false;
  #headDelivered = false;
  /** Of its response, informational ones included. */
  #heads = 0;

  constructor(connection: DownstreamConnection, id: number, request: RequestMessage) {
    this.connection = connection;
    this.id = id;
    this.request = request;
    this.chain = connection.chain;
    this.#requestEnded = (request.flags & Flag.End) !== 0;
    this.startMs = connection.core.clock.nowMs();
    this.requestBytes = request.rawBytes ?? request.raw?.length ?? 0;
  }

  get downstream(): ConnectionInfo {
    return this.connection.info;
  }

  get requestEnded(): boolean {
    return this.#requestEnded;
  }

  /** Another number than before: something of it moved, either way. */
  get moves(): number {
    return this.requestBytes + this.responseBytes + this.#heads;
  }

  /** Made for the first filter that asks: most never do. */
  get slots(): unknown[] {
    this.#slots ??= new Array<unknown>(this.chain.filterCount).fill(undefined);
    return this.#slots;
  }

  get elapsedMs(): number {
    return (this.ended ? this.endMs : this.connection.core.clock.nowMs()) - this.startMs;
  }

  // Phase 1: start. The codec's own answer needs no route.

  start(): void {
    const { answer } = this.request;
    if (answer !== null) {
      this.status = this.request.refusal ?? Status.no_error;
      this.#deliverHead(answer);
      return;
    }
    this.#matchRoute();
    if (this.ended || this.response !== null) return;
    const hooks = this.chain.request;
    const at = this.#passHead(hooks, this.request);
    if (at === HEAD_PASSED) {
      this.#forward();
    } else if (at !== HEAD_OVER) {
      this.#requestRun = new FilterRun(this, hooks, this.#requestTarget(), this.request);
      if (hooks.headOnly) this.#requestRun.halt(at);
      else this.#requestRun.start();
    }
  }

  /** Heads that are not held need no run of their own where nothing else is looked at. */
  #passHead<M>(hooks: DirectionHooks<M>, head: M): number {
    if (hooks.empty) return HEAD_PASSED;
    if (!hooks.headOnly) return 0;
    try {
      return passHead(this, hooks.head, head, 0);
    } catch (error) {
      this.#onFilterError(error);
      return HEAD_OVER;
    }
  }

  // Phase 2: match. First, so that filters see per-route options.

  #matchRoute(): void {
    this.#rematch = false;
    const { request } = this;
    const { routes } = this.chain;
    this.route = routes.match(request);
    if (this.route === null) this.reply(Status.no_route);
    else if (routes.divides(request, this.route)) {
      this.reply(statusOf(Status.unsupported, `parts of this request take other routes than ${this.route.name}`));
    }
  }

  rematch(): void {
    this.#rematch = true;
  }

  // Phase 3: request filters. What passes them arrives here.

  #requestTarget(): RunTarget<RequestMessage> {
    return {
      passHead: () => this.#forward(),
      passData: (chunk, end, lent, received) => this.#sendData(chunk, end, lent, received),
      passTrailers: (trailers) => this.#sendTrailers(trailers),
      onPaused: () => this.connection.onStreamPaused(),
      onResumed: () => this.connection.onStreamResumed(),
      onFilterError: (error) => this.#onFilterError(error),
    };
  }

  /** After a filter's Pause, of either direction. */
  resume(): void {
    if (this.#requestRun?.paused === true) this.#requestRun.resume();
    else this.#responseRun?.resume();
  }

  onData(chunk: Buffer, end: boolean): void {
    this.requestBytes += chunk.length;
    if (end) this.#requestEnded = true;
    if (this.#requestRun !== null) this.#requestRun.data(chunk, end, true);
    else this.#sendData(chunk, end, true, chunk.length);
    // The other half of a tunnel.
    if (end && this.responseEnded) this.#end();
  }

  onTrailers(trailers: Trailers): void {
    this.#requestEnded = true;
    if (this.#requestRun !== null) this.#requestRun.trailers(trailers);
    else this.#sendTrailers(trailers);
  }

  // Phase 4: forward. Chooses a cluster by weight, then lets the attempts begin.

  #forward(): void {
    if (this.#rematch) {
      this.#matchRoute();
      if (this.response !== null || this.ended) return;
    }
    if ((this.request.flags & Flag.Bind) !== 0 && !this.connection.mayBind(this)) {
      // A Bind waits for the caller's earlier answers; the connection calls `forwardBind` then.
      this.request.keep();
      return;
    }
    const route = this.route!;
    route.stats.requests.add();
    const { binding } = this.connection.caller;
    const bound = binding === null ? null : route.destinationAt(binding.cluster);
    const destination = bound ?? route.destination(this.connection.core.random);
    this.#destination = destination;
    this.#mutate(this.request, destination.requestMutation);
    this.#mutate(this.request, route.requestMutation); // It has the last word, as in Envoy.
    const { cluster } = destination;
    if (cluster === null) {
      this.reply(
        statusOf(Status.no_cluster, `route ${route.name} names cluster ${destination.clusterName}, which is unknown`),
      );
      return;
    }
    this.connection.onCallForwarded(cluster.state);
    this.#forwarded = true;
    // Where there is nothing to choose, nothing is hashed.
    this.#hashInput = cluster.balancer.hashes && cluster.usableCount > 1 ? route.hashInput(this.request) : null;
    if (this.#requestEnded) this.#startTimeout();
    // Forks share its bytes.
    if (this.chain.attempt.length > 0) this.#keep();
    this.#place(cluster);
  }

  /** At one endpoint, or in parts at several; a caller that is bound to one has only that. */
  #place(cluster: Cluster): void {
    const split = SplitRequest.of(this, cluster);
    if (split !== null && this.connection.caller.binding !== null) {
      this.#onElsewhere(`this request belongs to several endpoints of ${cluster.name}, its caller is bound to one`);
      return;
    }
    const { mirrors } = this.route!;
    // What is refused here is not done elsewhere either; one that waited for the end of a binding is there already.
    if (mirrors.length > 0 && this.#mirrors.length === 0 && split?.refused !== true) {
      this.#mirrors = startMirrors(this, mirrors);
    }
    if (split === null) {
      this.#tryEndpoint(this.#pickEndpoint(false), false);
    } else {
      this.#split = split;
      this.committed = true;
      split.start();
    }
  }

  /** What does not belong to the binding waits for its end, where that was asked for. */
  #onElsewhere(detail: string): void {
    if (this.connection.caller.binding!.ending) {
      this.#keep();
      this.connection.awaitUnbound(this);
    } else this.reply(statusOf(Status.unsupported, detail));
  }

  /** One more call, that came right behind. False: it does not take the same way, or this stream goes on already. */
  join(next: RequestMessage): boolean {
    const { route } = this;
    if (!this.chain.takesRuns || this.response !== null || route?.takesRuns !== true) return false;
    // Who was sent a fork would make a run of that alone.
    if (this.#attempt?.request !== this.request || this.chain.routes.match(next) !== route) return false;
    if (!this.#attempt.join(next)) return false;
    this.calls++;
    this.requestBytes += next.rawBytes ?? next.raw?.length ?? 0;
    route.stats.requests.add();
    this.connection.onCallForwarded(this.#destination!.cluster!.state);
    return true;
  }

  /** The caller's earlier answers are out: a Bind may take its connection. */
  forwardBind(): void {
    if (!this.ended && this.response === null) this.#forward();
  }

  /** The caller's binding ended: what did not belong there may go its own way. */
  forwardUnbound(): void {
    if (!this.ended && this.response === null) this.#place(this.#destination!.cluster!);
  }

  #startTimeout(): void {
    const timeoutMs = this.route?.timeoutMs ?? 0;
    if (timeoutMs === 0 || this.dueMs !== 0 || this.request.mayWait === true) return;
    const nowMs = this.connection.core.clock.nowMs();
    this.dueMs = Math.ceil(nowMs + timeoutMs);
    this.connection.timeouts.expect(this.dueMs, nowMs);
  }

  onTimeout(): void {
    this.reply(statusOf(Status.timeout, `no complete answer within ${this.route!.timeoutMs} ms`));
  }

  // Phase 5: attempts.

  #pickEndpoint(another: boolean): Endpoint | null {
    const { balancer } = this.#destination!.cluster!;
    const { random } = this.connection.core;
    if (!another) return balancer.pick(this.#hashInput, random);
    return pickAnother(balancer, this.#hashInput, random, (endpoint) => {
      return this.attempts.some((attempt) => attempt.endpoint.address === endpoint.address);
    });
  }

  #tryEndpoint(endpoint: Endpoint | null, replayed: boolean): void {
    const cluster = this.#destination!.cluster!;
    if (endpoint === null) {
      this.reply(statusOf(Status.no_healthy_endpoint, `cluster ${cluster.name} has no endpoint to send to`));
      return;
    }
    const { binding } = this.connection.caller;
    const mayLeave = binding !== null && !isUnbind(this.request);
    if (mayLeave && !binding.serves(endpoint.pools, cluster.balancer.hashes && Boolean(this.#hashInput))) {
      this.#onElsewhere(
        `this request belongs to ${endpoint.address} of ${cluster.name}, its caller is bound to another endpoint`,
      );
      return;
    }
    // The first attempt edits nothing that a later one must not see, unless filters edit per attempt.
    const forks = this.attempts.length > 0 || this.chain.attempt.length > 0;
    const request = forks ? this.request.fork() : this.request;
    const attempt = new LiveAttempt(this, this.connection.caller, endpoint, request, replayed);
    this.addAttempt(attempt);
    for (const hook of this.chain.attempt) {
      try {
        hook(this, attempt satisfies Attempt);
      } catch (error) {
        this.#onFilterError(error);
        return;
      }
    }
    this.#attempt = attempt;
    attempt.start(this.startMs);
    // Whoever waits, or may be sent again, outlives this read.
    if (!attempt.ended && (!attempt.sent || this.#isWorthKeeping())) this.#keep();
  }

  addAttempt(attempt: LiveAttempt): void {
    this.attempts = this.attempts.length === 0 ? [attempt] : [...this.attempts, attempt];
  }

  /** Keeping a whole message only for the rare connection that dies in its first turn would cost each of them a copy. */
  #isWorthKeeping(): boolean {
    const isWhole = (this.request.flags & Flag.End) !== 0 && this.requestBytes > 0;
    return !isWhole || this.route!.retry.retries > 0 || this.request.replaySafe;
  }

  #keep(): void {
    this.#kept = true;
    this.request.keep();
  }

  #sendData(chunk: Buffer, end: boolean, lent: boolean, received: number): void {
    for (const mirror of this.#mirrors) mirror.data(chunk, end, lent);
    this.#body ??= new RequestBody(this, this.committed);
    this.#body.add(chunk, end, lent, received, this.#attempt);
    if (end && !this.responseEnded) this.#startTimeout();
    if (!this.committed && this.#body.keptBytes > REPLAY_LIMIT_BYTES && this.#attempt?.sent === true) this.#commit();
  }

  #sendTrailers(trailers: Trailers): void {
    for (const mirror of this.#mirrors) mirror.trailers(trailers);
    this.#body ??= new RequestBody(this, this.committed);
    this.#body.addTrailers(trailers, this.#attempt);
    if (!this.responseEnded) this.#startTimeout();
  }

  #commit(): void {
    this.committed = true;
    this.#body?.commit();
  }

  creditCaller(bytes: number): void {
    this.connection.credit(this.id, bytes);
  }

  onAttemptEncoded(attempt: LiveAttempt): void {
    this.#body?.pump(attempt);
  }

  onAttemptWritable(attempt: LiveAttempt): void {
    this.#body?.onWritable(attempt);
  }

  /** Oneway ends when it was written. */
  onAttemptWritten(): void {
    this.#end();
  }

  // Failed attempts: again with a fork, or an answer of our own.

  mayReplay(attempt: LiveAttempt, status: ProxyStatus): boolean {
    if (this.committed || this.ended || !this.#kept) return false;
    if (!attempt.isUntouched(status) && !this.request.replaySafe) return false;
    return (attempt.sent && this.#isFree(attempt, status)) || this.#policyAllows(status);
  }

  /** Once, outside the policy: the connection had gone stale, or nobody can have processed the request. */
  #isFree(attempt: LiveAttempt, status: ProxyStatus): boolean {
    return !this.#freeReplayUsed && (attempt.onStaleConnection || attempt.isUntouched(status));
  }

  replay(attempt: LiveAttempt, status: ProxyStatus): void {
    const free = this.#isFree(attempt, status);
    if (free) this.#freeReplayUsed = true;
    this.#destination!.cluster!.state.stats.retries.add();
    this.#body?.rewind();
    this.#tryEndpoint(this.#pickEndpoint(!free), true);
  }

  onAttemptFailed(attempt: LiveAttempt, status: ProxyStatus): void {
    if (this.ended || this.#attempt !== attempt) return;
    // It never reached a connection: nothing was processed.
    if (!attempt.sent && !this.committed && status.name !== 'overloaded' && this.#policyAllows(status)) {
      this.#destination!.cluster!.state.stats.retries.add();
      this.#tryEndpoint(this.#pickEndpoint(true), false);
      return;
    }
    this.reply(status);
  }

  #policyAllows(status: ProxyStatus): boolean {
    return status.retryable && this.attempts.length <= (this.route?.retry.retries ?? 0);
  }

  // Phase 6: the answer.

  onAttemptHead(attempt: LiveAttempt, response: ResponseMessage): void {
    if (this.ended || this.#attempt !== attempt) return;
    if ((response.flags & Flag.Informational) !== 0) {
      this.#heads++;
      this.connection.answers.head(this, response);
      return;
    }
    this.onAnswer(response);
  }

  /** The response that goes to the caller: an upstream's, or the joined one of a split request. */
  onAnswer(response: ResponseMessage): void {
    this.#commit();
    this.response = response;
    if ((response.flags & Flag.Tunnel) !== 0) {
      this.#requestEnded = false;
      this.dueMs = CANCELLED;
    }
    this.#mutate(response, this.#destination!.responseMutation);
    this.#mutate(response, this.route!.responseMutation);
    this.#runResponse(response);
  }

  onAttemptData(attempt: LiveAttempt, chunk: Buffer, end: boolean): void {
    if (this.ended || this.#attempt !== attempt) return;
    if (this.#responseRun !== null) this.#responseRun.data(chunk, end, true);
    else this.#deliverData(chunk, end, true, chunk.length);
  }

  onAttemptTrailers(attempt: LiveAttempt, trailers: Trailers): void {
    if (this.ended || this.#attempt !== attempt) return;
    if (this.#responseRun !== null) this.#responseRun.trailers(trailers);
    else this.#deliverTrailers(trailers);
  }

  /** A local reply instead of an upstream's answer. Where nothing can be said, as after a head was forwarded, the stream is reset. */
  reply(status: ProxyStatus): void {
    if (this.ended) return;
    this.status = status;
    this.#cancelUpstream(status);
    this.#requestRun?.stop();
    if (this.attempts.length === 0 && isUnbind(this.request)) this.connection.caller.binding?.endUntold();
    if ((this.request.flags & Flag.Oneway) !== 0) {
      this.#end();
      return;
    }
    if (this.#headDelivered && this.calls > 1) {
      const rest = this.connection.answers.replyRest(status, this.request);
      if (rest !== null) this.#deliverData(rest, true, false, 0);
      return;
    }
    if (this.#headDelivered || !this.chain.factory.manifest.capabilities.errorReply) {
      this.connection.resetStream(this, status);
      this.#end();
      return;
    }
    this.#responseRun?.stop();
    this.#responseRun = null;
    const response = this.connection.answers.localReply(status, this.request);
    if (response === null) return;
    this.response = response;
    if (status.name === 'no_error') this.#mutate(response, this.route?.responseMutation ?? null);
    this.#runResponse(response);
  }

  // Phase 7: response filters, in reverse.

  #runResponse(response: ResponseMessage): void {
    const hooks = this.chain.response;
    const at = this.#filterFailed ? HEAD_PASSED : this.#passHead(hooks, response);
    if (at === HEAD_PASSED) {
      this.#deliverHead(response);
    } else if (at !== HEAD_OVER) {
      this.#responseRun = new FilterRun(this, hooks, this.#responseTarget(), response);
      if (hooks.headOnly) this.#responseRun.halt(at);
      else this.#responseRun.start();
    }
  }

  #responseTarget(): RunTarget<ResponseMessage> {
    return {
      passHead: (head) => this.#deliverHead(head),
      passData: (chunk, end, lent, received) => this.#deliverData(chunk, end, lent, received),
      passTrailers: (trailers) => this.#deliverTrailers(trailers),
      onPaused: () => {},
      onResumed: () => {},
      onFilterError: (error) => this.#onFilterError(error),
    };
  }

  // Phase 8: deliver, when it is this stream's turn.

  #deliverHead(response: ResponseMessage): void {
    this.response = response;
    this.responseBytes = response.rawBytes ?? response.raw?.length ?? 0;
    this.#headDelivered = true;
    this.#heads++;
    if (!this.connection.answers.head(this, response)) return;
    if ((response.flags & Flag.End) !== 0) this.onResponseDelivered();
  }

  #deliverData(chunk: Buffer, end: boolean, lent: boolean, received: number): void {
    this.responseBytes += chunk.length;
    if (this.connection.answers.data(this, chunk, end, lent, received)) this.creditUpstream(received);
    if (end) this.onResponseDelivered();
  }

  #deliverTrailers(trailers: Trailers): void {
    this.connection.answers.trailers(this, trailers);
    this.onResponseDelivered();
  }

  /** The caller's side took it: the upstream's window opens. */
  creditUpstream(bytes: number): void {
    if (bytes > 0) this.#attempt?.credit(bytes);
  }

  /** The response ended. A tunnel goes on until its other direction ends too. */
  onResponseDelivered(): void {
    this.responseEnded = true;
    const tunnelling = this.response !== null && (this.response.flags & Flag.Tunnel) !== 0 && !this.#requestEnded;
    if (!tunnelling) this.#end();
  }

  // Phase 9: the end, exactly once, whatever happened.

  /** The caller is gone. Nothing more can be said. */
  abort(status: ProxyStatus): void {
    if (this.ended) return;
    this.status = status;
    this.#cancelUpstream(status);
    this.#end();
  }

  #end(): void {
    if (this.ended) return;
    const { core } = this.connection;
    this.ended = true;
    this.responseEnded = true;
    this.endMs = core.clock.nowMs();
    this.#requestRun?.stop();
    this.#responseRun?.stop();
    // The answer came before the request ended: the upstream need not hear the rest.
    this.#cancelUpstream(Status.no_error);
    this.chain.endStream(this, core.log);
    if (this.#forwarded) this.connection.onForwardEnded(this.#destination!.cluster!.state, this.calls);
    this.connection.onStreamEnded(this, this.#requestEnded);
  }

  #cancelUpstream(status: ProxyStatus): void {
    this.#split?.cancel(status);
    const attempt = this.#attempt;
    this.#attempt = null;
    if (attempt !== null && !attempt.ended) attempt.cancel(status);
  }

  #mutate(message: RequestMessage | ResponseMessage, mutation: Mutation | null): void {
    if (mutation === null) return;
    const refused = mutate(message, mutation);
    if (refused > 0) this.route!.stats.mutationsRefused.add(refused);
  }

  #onFilterError(error: unknown): void {
    this.chain.noteFilterError(error, this.connection.core.log);
    // The reply passes no filter: the one that failed would fail again.
    this.#filterFailed = true;
    this.reply(statusOf(Status.internal_error, `a filter failed: ${textOf(error)}`));
  }
}
