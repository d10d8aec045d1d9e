/** The `tls` and `tcp` routes of a VirtualService, for one port whose bytes pass as they are. Semantics: Istio's. */
import type { FieldPath } from '../model/resource.ts';
import type { ConnectionMatchSpec, TcpRouteSpec, TlsRouteSpec } from '../model/virtual-service.ts';
import { type Binding, callersOf } from './bindings.ts';
import type { DestinationResolver, Report } from './destinations.ts';
import { hostMatches } from './hosts.ts';
import type { ConnectionRoute, WeightedDestination } from './mesh.ts';

export class ConnectionRouteCompiler {
  readonly #binding: Binding;
  readonly #destinations: DestinationResolver;
  readonly #report: Report;

  constructor(binding: Binding, destinations: DestinationResolver, report: Report) {
    this.#binding = binding;
    this.#destinations = destinations;
    this.#report = report;
  }

  /** `hosts`: of the VirtualService; an SNI outside of them is none of its business. */
  tls(specs: readonly TlsRouteSpec[] | null | undefined, hosts: readonly string[]): ConnectionRoute[] {
    return (specs ?? []).flatMap((spec, at) => {
      const path: FieldPath = ['tls', at];
      const destinations = this.#targets(spec, path);
      return spec.match.flatMap((match, index): ConnectionRoute[] => {
        const where = [...path, 'match', index];
        const sniHosts = match.sniHosts.map((host) => host.toLowerCase());
        sniHosts.forEach((sni, place) => {
          if (hosts.some((host) => hostMatches(host, sni))) return;
          const message = `${sni} is not within the hosts of this VirtualService, ${hosts.join(', ')}`;
          this.#report('error', [...where, 'sniHosts', place], message);
        });
        if (!this.#applies(match, where)) return [];
        return [{ sniHosts: sniHosts.includes('*') ? [] : sniHosts, ...callersOf(match), destinations }];
      });
    });
  }

  tcp(specs: readonly TcpRouteSpec[] | null | undefined): ConnectionRoute[] {
    return (specs ?? []).flatMap((spec, at) => {
      const path: FieldPath = ['tcp', at];
      const blocks = spec.match?.length ? spec.match : [{}];
      const used = blocks.filter((match, index) => this.#applies(match, [...path, 'match', index]));
      if (used.length === 0) return [];
      const destinations = this.#targets(spec, path);
      return used.map((match) => ({ sniHosts: [], ...callersOf(match), destinations }));
    });
  }

  #applies(match: ConnectionMatchSpec, path: FieldPath): boolean {
    if (!this.#binding.applies(match)) return false;
    if (!match.destinationSubnets?.length) return true;
    const message = 'needs interception, which is not built yet: this match is left out';
    this.#report('notApplied', [...path, 'destinationSubnets'], message);
    return false;
  }

  #targets({ route }: TlsRouteSpec | TcpRouteSpec, path: FieldPath): WeightedDestination[] {
    return route
      .map((part, at) => {
        const resolved = this.#destinations.resolve(part.destination, [...path, 'route', at, 'destination']);
        return { ...resolved, weight: route.length === 1 ? 1 : (part.weight ?? 0) };
      })
      .filter(({ weight }) => weight > 0);
  }
}
