/** CodecDeclaration: all that an author says of a framed protocol. Everything else is derived from it. */
import type { RequestMessage } from '../metaprotocol/message.ts';
import type { ProxyStatus, StatusName } from '../metaprotocol/status.ts';
import type { Field } from './field.ts';
import type { IdName, NumberName } from './number-format.ts';
import type { TextMap } from './text-map.ts';

export interface FrameDeclaration {
  /** The first bytes of every frame. Without them a connection cannot be detected as this protocol's. */
  readonly magic?: readonly number[];
  /** Bytes of the fixed head, magic included. No frame is shorter. */
  readonly headBytes: number;
  readonly length: {
    readonly at: number;
    readonly as: NumberName;
    /** What it counts: `body` all behind the head, `rest` all behind the length field itself, `frame` everything. */
    readonly of: 'body' | 'rest' | 'frame';
  };
  /** Default of the option `frameLimitBytes`: the largest frame, all of it. */
  readonly limitBytes: number;
}

/** What tells the kinds of frames apart: a number of the head, or some of its bits. */
export interface KindDeclaration {
  readonly at: number;
  readonly as: NumberName;
  /** Only these bits tell the kind. Default: all. */
  readonly mask?: number;
  readonly request: number;
  readonly response: number;
  /** A request that nobody answers. */
  readonly oneway?: number;
  /** Answered at once, never routed. */
  readonly heartbeat?: number;
  /** Without it a heartbeat is answered by a heartbeat, and only callers ask. */
  readonly heartbeatAnswer?: number;
}

export interface OutcomeDeclaration {
  readonly at: number;
  readonly as: NumberName;
  /** Codes that mean success. Default: 0. */
  readonly ok?: readonly number[];
}

export interface ErrorsDeclaration<Code extends string> {
  /** The code of a local reply whose status is not listed. */
  readonly otherwise: Code;
  readonly of?: { readonly [Name in StatusName]?: Code };
  /** Its body. Default: the text `no_route: no route matches this request`. */
  readonly body?: (status: ProxyStatus) => string | Uint8Array;
}

export interface CodecDeclaration<Code extends string = string> {
  /** As in port names and ApplicationProtocol: lower case letters, digits and dashes. */
  readonly name: string;
  /** Of this codec: `1.0.0`. */
  readonly version: string;
  /** The codec API that it was written for: `^1.0.0`. */
  readonly codecApi: string;
  readonly aliases?: readonly string[];
  readonly frame: FrameDeclaration;
  /** Pairs requests and answers. The proxy puts its own there upstream and restores the caller's, bit by bit. */
  readonly id: { readonly at: number; readonly as: IdName };
  readonly kind: KindDeclaration;
  readonly outcome: OutcomeDeclaration;
  /** Named codes of the outcome, for faults and status rules. */
  readonly codes: Readonly<Record<Code, number>>;
  /** Which code says a local reply. */
  readonly errors: ErrorsDeclaration<NoInfer<Code>>;
  /** Keys that routes may name. Parts behind the head lie in this order. */
  readonly attributes: Readonly<Record<string, Field>>;
  /** Further keys, chosen by the application; lies behind all declared parts, in requests and responses. */
  readonly open?: TextMap;
  /** May the request be sent twice? Default: nobody knows, so it is not. */
  readonly replaySafe?: (request: RequestMessage) => boolean;
  /** Requests at once on one upstream connection. Default 1,024: servers of protocols with ids answer as they finish. */
  readonly concurrency?: number;
}
