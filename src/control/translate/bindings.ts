/** Binding: where a VirtualService applies, the sidecars of the mesh or one server of a Gateway, and which of its match blocks do there. */
import { RE2JS } from 're2js';
import { nearMiss } from '../../schema/near-miss.ts';
import type { ConnectionMatchSpec, HttpMatchSpec, HttpStringMatchSpec } from '../model/virtual-service.ts';
import type { Report } from './destinations.ts';
import type { Callers, Gateway } from './mesh.ts';

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

export type Scheme = 'http' | 'https';

export class Binding {
  /** As `gatewayName` writes it. */
  readonly gateway: string;
  /** Of all requests here, whatever they claim; null: it is theirs to say. */
  readonly scheme: Scheme | null;
  readonly #port: number;
  readonly #namespace: string;

  constructor(gateway: string, port: number, namespace: string, scheme: Scheme | null) {
    this.gateway = gateway;
    this.scheme = scheme;
    this.#port = port;
    this.#namespace = namespace;
  }

  /** At another port, other gateways or with another scheme a block applies to nothing here. */
  applies(match: HttpMatchSpec | ConnectionMatchSpec): boolean {
    if (match.port && match.port !== this.#port) return false;
    if (this.scheme !== null && 'scheme' in match && match.scheme && !isMatch(this.scheme, match.scheme)) return false;
    return (
      !match.gateways?.length || match.gateways.some((name) => gatewayName(name, this.#namespace) === this.gateway)
    );
  }
}

function isMatch(text: string, { exact, prefix, regex }: HttpStringMatchSpec): boolean {
  if (typeof exact === 'string') return text === exact;
  if (typeof prefix === 'string') return text.startsWith(prefix);
  return !regex || regex === '*' || RE2JS.matches(regex, text);
}

/** Empty: everybody. As in Istio gateways take the place of what is asked of callers. */
export function callersOf(match: HttpMatchSpec | ConnectionMatchSpec | null): { callers?: Callers } {
  const labels = new Map(Object.entries(match?.sourceLabels ?? {}));
  const namespace = match?.sourceNamespace || null;
  return match?.gateways?.length || (labels.size === 0 && namespace === null) ? {} : { callers: { labels, namespace } };
}
