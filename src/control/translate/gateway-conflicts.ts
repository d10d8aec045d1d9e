/** Servers of Gateways that cannot both be had: at one address and port callers of both look the same. The first one has it. */
import { type Gateway, type GatewayRoutes, type GatewayServer, isHttp } from './mesh.ts';
import type { TranslationRound } from './translation-round.ts';
import { overlaps } from './visibility.ts';

interface Claim {
  readonly gateway: Gateway;
  readonly server: GatewayServer;
}

/** `gateways` in order of precedence. Said where some router is sure to be selected by both. */
export function reportGatewayConflicts(
  gateways: readonly Gateway[],
  routes: readonly GatewayRoutes[],
  round: TranslationRound,
): void {
  const claims = gateways.flatMap((gateway) => gateway.servers.map((server): Claim => ({ gateway, server })));
  claims.forEach((later, at) => {
    for (const earlier of claims.slice(0, at)) {
      if (!isNested(earlier.gateway, later.gateway)) continue;
      const subject = sharedSubject(earlier.server, later.server);
      if (subject === null) continue;
      const message = `no effect on ${subject}: server ${earlier.server.index} has it`;
      if (earlier.gateway === later.gateway)
        round.warn(later.gateway.source, ['spec', 'servers', later.server.index], message);
      else round.conflict(earlier.gateway.source, later.gateway.source, subject);
    }
  });
  const taken = new Map<string, GatewayRoutes>();
  for (const each of routes) {
    if (each.routes.kind === 'http') continue;
    const names =
      each.routes.kind === 'table'
        ? ['']
        : each.routes.routes.flatMap(({ sniHosts, callers }) => {
            return callers !== undefined ? [] : sniHosts.length === 0 ? [''] : sniHosts;
          });
    for (const name of names) {
      const subject = `server ${each.server} of ${each.gateway}${name === '' ? '' : ` and SNI ${name}`}`;
      const first = taken.get(subject);
      if (first === undefined) taken.set(subject, each);
      else if (overlaps(first, each)) round.conflict(first.source, each.source, subject);
    }
  }
}

/** null: both can be had. Else what only the first one gets. */
export function sharedSubject(a: GatewayServer, b: GatewayServer): string | null {
  if (a.port !== b.port || (a.bind !== b.bind && a.bind !== null && b.bind !== null)) return null;
  const socket = `${a.bind ?? b.bind ?? ''}${(a.bind ?? b.bind) ? ' ' : ''}port ${a.port}`;
  if (a.bind !== b.bind) return socket;
  if (a.tls === null || b.tls === null) {
    const mergeable = a.tls !== b.tls || (isHttp(a.protocol) && isHttp(b.protocol));
    return mergeable ? null : `${socket} in plaintext`;
  }
  // Routes by SNI are told apart one by one.
  if (a.tls === 'passthrough' && b.tls === 'passthrough') return null;
  const names = new Set(a.hosts.map(({ host }) => host));
  const shared = b.hosts.find(({ host }) => names.has(host));
  return shared === undefined ? null : `${socket} with the SNI ${shared.host}`;
}

/** Every proxy that one of them selects is selected by the other. */
export function isNested(a: Gateway, b: Gateway): boolean {
  const within = (narrow: Gateway, wide: Gateway): boolean =>
    [...wide.selector].every(([key, value]) => narrow.selector.get(key) === value);
  return within(a, b) || within(b, a);
}
