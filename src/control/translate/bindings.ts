/** Binding: where a VirtualService applies, the sidecars of the mesh or one server of a Gateway, and which of its match blocks do there. */
import { nearMiss } from '../model/near-miss.ts';
import type { FieldPath } from '../model/resource.ts';
import type { ConnectionMatchSpec, HttpMatchSpec } from '../model/virtual-service.ts';
import type { Report } from './destinations.ts';
import type { Gateway } from './mesh.ts';

/** Istio's word for the sidecars of the mesh. */
export const MESH = 'mesh';

/** `namespace/name` of a Gateway, or the word for all sidecars. */
export function gatewayName(text: string, namespace: string): string {
  return text === MESH || text.includes('/') ? text : `${namespace}/${text}`;
}

/** null, and told: there is none. `at`: of the resource's list of gateways. */
export function findGateway(name: string, at: number, gateways: readonly Gateway[], report: Report): Gateway | null {
  const gateway = gateways.find((each) => each.name === name);
  if (gateway !== undefined) return gateway;
  const known = gateways.map((each) => each.name);
  const meant = nearMiss(name, known);
  const hint = meant === null ? `; there are ${known.join(', ') || 'none'}` : `; did you mean ${meant}?`;
  report('warning', ['gateways', at], `there is no Gateway ${name}: no effect at it${hint}`);
  return null;
}

export class Binding {
  /** As `gatewayName` writes it. */
  readonly gateway: string;
  readonly #port: number;
  readonly #namespace: string;
  readonly #report: Report;

  constructor(gateway: string, port: number, namespace: string, report: Report) {
    this.gateway = gateway;
    this.#port = port;
    this.#namespace = namespace;
    this.#report = report;
  }

  /** At another port, at other gateways or for chosen callers a block applies to nothing here. */
  applies(match: HttpMatchSpec | ConnectionMatchSpec, path: FieldPath): boolean {
    if (match.port && match.port !== this.#port) return false;
    // Gateways take the place of the caller's labels.
    if (match.gateways?.length)
      return match.gateways.some((name) => gatewayName(name, this.#namespace) === this.gateway);
    for (const field of ['sourceLabels', 'sourceNamespace'] as const) {
      if (!match[field]) continue;
      // Without its condition it would take requests that it does not mean.
      this.#report('notApplied', [...path, field], 'matching callers is not built yet: this match is left out');
      return false;
    }
    return true;
  }
}
