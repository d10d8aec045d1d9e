/** What the control plane knows of a connected client, resource by resource, for `meltemi status`. */
import type { NodeInfo } from '../../xds/node.ts';
import type { UnsendableResource } from './snapshot.ts';

export interface Rejection {
  readonly version: string;
  readonly message: string;
  readonly atMs: number;
}

/**
 * `pending`: not sent yet (the client did not ask for it, or an earlier response is unanswered); `sent`: unanswered;
 * `acknowledged`: valid and accepted, see `liveVersion` for what runs; `rejected`: the client keeps `acknowledgedVersion`.
 */
export type ResourceState = 'pending' | 'sent' | 'acknowledged' | 'rejected';

export interface ClientResourceStatus {
  readonly typeUrl: string;
  readonly name: string;
  readonly state: ResourceState;
  /** The newest one generated for this client; null: no longer generated, kept until the client stops referring to it. */
  readonly version: string | null;
  readonly sentVersion: string | null;
  readonly acknowledgedVersion: string | null;
  /** What runs on all workers of the proxy; null for clients that do not report it, and before they did. */
  readonly liveVersion: string | null;
  readonly rejection: Rejection | null;
  /** What the proxy has to say of the live version. */
  readonly notes: readonly string[];
  readonly sentAtMs: number | null;
  readonly acknowledgedAtMs: number | null;
  readonly liveAtMs: number | null;
}

export interface ClientStatus {
  readonly node: NodeInfo;
  readonly protocol: 'delta' | 'sotw';
  /** Address of the client's end of the connection. */
  readonly peer: string;
  readonly connectedAtMs: number;
  readonly resources: readonly ClientResourceStatus[];
  /** Resources generated for it that could not be encoded. */
  readonly unsendable: readonly UnsendableResource[];
}
