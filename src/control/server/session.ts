/** What both ADS protocols share: the seam to the stream, the order of types, and how a NACK is read. */
import type { RpcStatus } from '../../xds/discovery.ts';
import { TypeUrl } from '../../xds/type-urls.ts';
import type { Xds } from '../../xds/xds.ts';
import type { ClientResources, RejectedResource } from './client-resources.ts';
import type { Snapshot } from './snapshot.ts';

/** One ADS stream of one client. Sends only from inside these calls. */
export interface Session<Request> {
  /** Each request of the stream, the first included. */
  onRequest(request: Request): void;
  /** The generator made another snapshot for this client. */
  setGenerated(snapshot: Snapshot): void;
  readonly resources: ClientResources;
}

/**
 * New routes wait until the clusters they name are on their way. They do not wait for any ACK: a client may hold the ACK of a
 * cluster until its endpoints came. What waits behind what must stay free of circles.
 */
export const waitsFor: ReadonlyMap<string, readonly string[]> = new Map([
  [TypeUrl.Listener, [TypeUrl.Cluster, TypeUrl.Secret]],
  [TypeUrl.RouteConfiguration, [TypeUrl.Cluster, TypeUrl.Secret]],
]);

/** LDS and CDS: complete in state of the world, and an empty first subscription means all. */
export function isWildcardType(typeUrl: string): boolean {
  return typeUrl === TypeUrl.Listener || typeUrl === TypeUrl.Cluster;
}

/**
 * The resources a NACK names: by our own details, else, for other clients, those whose names stand in its text. Empty: it
 * names none of `sent`.
 */
export function rejectedResources(
  xds: Xds,
  error: RpcStatus,
  sent: readonly { readonly name: string }[],
): RejectedResource[] {
  const detailed: RejectedResource[] = [];
  for (const detail of error.details) {
    if (detail.typeUrl !== TypeUrl.ResourceError) continue;
    const { name, message } = xds.decodeMessage(detail.typeUrl, detail.value) as { name?: string; message?: string };
    if (name !== undefined) detailed.push({ name, message: message ?? error.message });
  }
  if (detailed.length > 0) return detailed;
  return sent.filter(({ name }) => standsIn(name, error.message)).map(({ name }) => ({ name, message: error.message }));
}

/** As a whole name: `web` does not stand in "web-2: bad". */
function standsIn(name: string, text: string): boolean {
  const nameCharacter = /[\w|.-]/;
  for (let at = text.indexOf(name); at >= 0; at = text.indexOf(name, at + 1)) {
    const before = text[at - 1] ?? ' ';
    // A sentence may end in a full stop right behind the name.
    const after = text.slice(at + name.length).replace(/^\.(?=\s|$)/, ' ')[0] ?? ' ';
    if (!nameCharacter.test(before) && !nameCharacter.test(after)) return true;
  }
  return false;
}
