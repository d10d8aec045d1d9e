/**
 * What a protocol says of itself, as plain data: the only thing the control plane ever learns of a codec.
 * Serializable as JSON (it travels in a proxy's xDS Node metadata), so it holds no functions.
 */

/** One attribute key that every message of the protocol can be asked for. */
export interface FixedAttribute {
  readonly key: string;
  readonly description: string;
  /** May a route set or remove it? Most fixed keys are read-only facts of the frame. */
  readonly mutable: boolean;
}

/** Keys beyond the fixed ones, chosen by the application (THeader headers, Dubbo attachments, HTTP headers). */
export interface OpenAttributes {
  readonly description: string;
  readonly mutable: boolean;
}

/** The keys that routes, hash policies and mutations of a protocol may name. */
export interface AttributeSchema {
  readonly fixed: readonly FixedAttribute[];
  /** null: a key that is not fixed is a config error. Where both know a key, the fixed one wins. */
  readonly open: OpenAttributes | null;
  /** How keys compare. Config is checked in this case; `insensitive` keys are written lower case. */
  readonly keyCase: 'sensitive' | 'insensitive';
  /** The attribute that virtual hosts are matched on (HTTP `:authority`); null: the protocol has one host, `*`. */
  readonly hostKey: string | null;
  /** Where endpoints hold different things (a sharded store): the attribute that is hashed unless a rule says otherwise. */
  readonly placementKey?: string;
}

/** A named outcome of the protocol, for faults and status rules: Thrift `INTERNAL_ERROR` 6, Dubbo `SERVER_TIMEOUT` 31. */
export interface NamedCode {
  readonly name: string;
  readonly code: number;
}

/** Which options a codec must run with for a capability to hold. */
export interface OptionCondition {
  readonly option: string;
  /** Values that always carry the capability. */
  readonly always: readonly string[];
  /** Values that carry it for some messages only (a detected transport): accepted, misses are counted and reported. */
  readonly sometimes: readonly string[];
}

/** A direction of mutation: never, always, or depending on one codec option. */
export type MutationCapability = boolean | OptionCondition;

/** What routes may ask of a protocol. A flag gates features; it never switches a correctness check off. */
export interface Capabilities {
  readonly requestMutation: MutationCapability;
  readonly responseMutation: MutationCapability;
  readonly oneway: boolean;
  /** Messages stream (head, data, trailers) rather than arrive whole. */
  readonly streaming: boolean;
  /** The codec can say an error to its caller (local reply). */
  readonly errorReply: boolean;
  /** The codec knows which requests may be sent twice (`replaySafe`). */
  readonly idempotencyHint: boolean;
  /** The server speaks first, so nothing can be detected from the caller's first bytes. */
  readonly serverFirst: boolean;
  /** One connection can carry requests of several callers at once and pair the answers. */
  readonly multiplexing: boolean;
}

/** One codec option that configuration may set, for offline validation and documentation. */
export interface OptionSchema {
  readonly key: string;
  readonly type: 'integer' | 'boolean' | 'string';
  /** Allowed values of a string option; absent: any. */
  readonly values?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly default: string | number | boolean;
  /** What another option must be where this one is not its default. */
  readonly needs?: { readonly option: string; readonly value: string };
  readonly description: string;
}

/** Everything the control plane, `validate` and the docs know of one protocol. */
export interface ProtocolManifest {
  /** The name in port names (`tcp-metaprotocol-<name>`), ApplicationProtocol and listeners. */
  readonly name: string;
  readonly version: string;
  /** Other names it answers to, such as Aeraki's `aeraki.meta_protocol.codec.thrift`. */
  readonly aliases: readonly string[];
  /** Messages of one family are understood by every codec of it (`http`: HTTP/1.1 and HTTP/2). */
  readonly family: string;
  readonly attributes: AttributeSchema;
  readonly codes: readonly NamedCode[];
  readonly options: readonly OptionSchema[];
  readonly capabilities: Capabilities;
}
