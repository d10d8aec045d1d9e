/** SplitRequest: one request sent as parts to the endpoints that own its keys, and their answers joined. */

import type { AttemptOwner } from '../attempt.ts';
import { LiveAttempt } from '../attempt.ts';
import type { RequestMessage, ResponseMessage, Split } from '../message.ts';
import { Flag } from '../message.ts';
import type { ProxyStatus } from '../status.ts';
import type { LiveStream } from '../stream.ts';
import type { Cluster } from '../upstream/cluster.ts';
import type { Endpoint } from '../upstream/endpoint.ts';

/** A request in parts, and the endpoints that own their keys: a part's `group` is an index among these. */
export interface PlacedParts {
  readonly split: Split;
  readonly endpoints: readonly Endpoint[];
}

/** null: nothing to split. Only clusters that place requests by key are split over. */
export function placeParts(request: RequestMessage, cluster: Cluster, random: () => number): PlacedParts | null {
  if (request.split === undefined || !cluster.balancer.hashes || cluster.usableCount < 2) return null;
  if ((request.flags & Flag.End) === 0) return null;
  const endpoints: Endpoint[] = [];
  const split = request.split((hashKey) => {
    const endpoint = cluster.balancer.pick(hashKey, random)!;
    const known = endpoints.indexOf(endpoint);
    return known >= 0 ? known : endpoints.push(endpoint) - 1;
  });
  return split === null ? null : { split, endpoints };
}

export class SplitRequest implements AttemptOwner {
  readonly #stream: LiveStream;
  readonly #split: Split;
  readonly #endpoints: readonly Endpoint[];
  readonly #attempts: (LiveAttempt | null)[];
  readonly #answers: (ResponseMessage | null)[];
  readonly #replayed: boolean[];
  #missing: number;
  #cancelled = false;

  private constructor(stream: LiveStream, split: Split, endpoints: readonly Endpoint[]) {
    this.#stream = stream;
    this.#split = split;
    this.#endpoints = endpoints;
    this.#attempts = split.parts.map(() => null);
    this.#answers = split.parts.map(() => null);
    this.#replayed = split.parts.map(() => false);
    this.#missing = split.parts.length;
  }

  /** null: nothing to split, one endpoint takes it all. */
  static of(stream: LiveStream, cluster: Cluster): SplitRequest | null {
    const placed = placeParts(stream.request, cluster, stream.connection.core.random);
    return placed === null ? null : new SplitRequest(stream, placed.split, placed.endpoints);
  }

  /** Its keys are at several endpoints, and it cannot be sent in parts: the codec answers it. */
  get refused(): boolean {
    return this.#split.parts.length === 0;
  }

  start(): void {
    if (this.refused) this.#stream.onAnswer(this.#split.merge([]));
    for (let part = 0; part < this.#split.parts.length && !this.#cancelled; part++) this.#try(part, false);
  }

  cancel(status: ProxyStatus): void {
    this.#cancelled = true;
    for (const attempt of this.#attempts) attempt?.cancel(status);
  }

  onAttemptHead(attempt: LiveAttempt, response: ResponseMessage): void {
    if ((response.flags & Flag.Informational) !== 0) return;
    response.keep();
    this.#onAnswer(this.#partOf(attempt), response);
  }

  onAttemptFailed(attempt: LiveAttempt, status: ProxyStatus): void {
    this.#onFailure(this.#partOf(attempt), attempt.request, status);
  }

  mayReplay(attempt: LiveAttempt, status: ProxyStatus): boolean {
    if (this.#cancelled || this.#replayed[this.#partOf(attempt)] === true) return false;
    return attempt.sent && (attempt.isUntouched(status) || (attempt.onStaleConnection && attempt.request.replaySafe));
  }

  replay(attempt: LiveAttempt): void {
    const part = this.#partOf(attempt);
    this.#replayed[part] = true;
    this.#try(part, true);
  }

  /** Parts of whole messages have no data of their own. */
  onAttemptData(attempt: LiveAttempt, chunk: Buffer): void {
    attempt.credit(chunk.length);
  }

  onAttemptEncoded(): void {}
  onAttemptWritten(): void {}
  onAttemptTrailers(): void {}
  onAttemptWritable(): void {}

  #try(part: number, replayed: boolean): void {
    const { group, request } = this.#split.parts[part]!;
    const { caller } = this.#stream.connection;
    request.keep();
    const attempt = new LiveAttempt(this, caller, this.#endpoints[group]!, request, replayed);
    this.#attempts[part] = attempt;
    this.#stream.addAttempt(attempt);
    attempt.start(this.#stream.startMs);
  }

  #partOf(attempt: LiveAttempt): number {
    return this.#attempts.indexOf(attempt);
  }

  #onFailure(part: number, request: RequestMessage, status: ProxyStatus): void {
    if (this.#cancelled || part < 0) return;
    const reply = this.#stream.connection.answers.localReply(status, request);
    if (reply !== null) this.#onAnswer(part, reply);
  }

  #onAnswer(part: number, response: ResponseMessage): void {
    if (this.#cancelled || part < 0 || this.#answers[part] !== null) return;
    this.#answers[part] = response;
    if (--this.#missing > 0) return;
    this.#stream.onAnswer(this.#split.merge(this.#answers as ResponseMessage[]));
  }
}
