/**
 * Chooses the filter chain of a new connection, before a codec exists, as Envoy does: condition by condition, each time keeping the
 * chains whose value is the most specific one that holds. A chain that was left is not come back to.
 */
import { BlockList, isIP } from 'node:net';
import type { ConfigIssue } from '../config-error.ts';
import type { ChainMatch } from '../description.ts';
import type { Address } from '../filter.ts';

/** What is known of a connection by then. */
export interface ConnectionFacts {
  readonly destination: Address;
  readonly isTls: boolean;
  readonly serverName: string | null;
  readonly applicationProtocols: readonly string[];
}

/** How specific a condition is that holds: 0 it says nothing. null: it does not hold. */
type Specificity = number | null;
type Condition = (connection: ConnectionFacts) => Specificity;

const MOST = 1_000;

export interface MatchedChain {
  readonly match: CompiledMatch;
}

export interface CompiledMatch {
  readonly conditions: readonly Condition[];
  readonly isDefault: boolean;
  /** More than addresses has to be known. */
  readonly needsInspection: boolean;
}

export function compileChainMatch(match: ChainMatch, path: string, issues: ConfigIssue[]): CompiledMatch {
  const { destinationPort, serverNames, transport, applicationProtocols } = match;
  return {
    isDefault: match.isDefault,
    needsInspection: serverNames.length + applicationProtocols.length > 0 || transport !== null,
    conditions: [
      ({ destination }) => (destinationPort === null ? 0 : destinationPort === destination.port ? 1 : null),
      compileRanges(match.destinationRanges, `${path}.destinationRanges`, issues),
      compileServerNames(serverNames, `${path}.serverNames`, issues),
      ({ isTls }) => (transport === null ? 0 : (transport === 'tls') === isTls ? 1 : null),
      (connection) => {
        if (applicationProtocols.length === 0) return 0;
        return connection.applicationProtocols.some((one) => applicationProtocols.includes(one)) ? 1 : null;
      },
    ],
  };
}

export function chooseChain<C extends MatchedChain>(chains: readonly C[], connection: ConnectionFacts): C | null {
  let left = chains.filter(({ match }) => !match.isDefault);
  for (let step = 0; left.length > 0 && step < left[0]!.match.conditions.length; step++) {
    let best: Specificity = null;
    const found = left.map(({ match }) => {
      const specificity = match.conditions[step]!(connection);
      if (specificity !== null && (best === null || specificity > best)) best = specificity;
      return specificity;
    });
    left = best === null ? [] : left.filter((_, index) => found[index] === best);
  }
  return left[0] ?? chains.find(({ match }) => match.isDefault) ?? null;
}

function compileRanges(ranges: readonly string[], path: string, issues: ConfigIssue[]): Condition {
  const parsed = ranges.flatMap((range) => {
    const [address, bits] = range.split('/');
    const family = isIP(address ?? '');
    const prefix = Number(bits ?? (family === 6 ? 128 : 32));
    if (family === 0 || !(prefix >= 0 && prefix <= (family === 6 ? 128 : 32))) {
      issues.push({ path, message: `expected a CIDR range, got ${JSON.stringify(range)}` });
      return [];
    }
    const list = new BlockList();
    list.addSubnet(address!, prefix, family === 6 ? 'ipv6' : 'ipv4');
    return [{ list, prefix }];
  });
  if (ranges.length === 0) return () => 0;
  return ({ destination: { host } }) => {
    const family = isIP(host) === 6 ? 'ipv6' : 'ipv4';
    let best: Specificity = null;
    for (const { list, prefix } of parsed) {
      if (list.check(host, family)) best = Math.max(best ?? 0, prefix + 1);
    }
    return best;
  };
}

function compileServerNames(names: readonly string[], path: string, issues: ConfigIssue[]): Condition {
  const exact = new Set<string>();
  const suffixes: string[] = [];
  for (const name of names) {
    const text = name.toLowerCase();
    if (text.startsWith('*.') && text.length > 2) suffixes.push(text.slice(1));
    else if (text !== '' && !text.includes('*')) exact.add(text);
    else issues.push({ path, message: `expected a host name or *.suffix, got ${JSON.stringify(name)}` });
  }
  if (names.length === 0) return () => 0;
  return ({ serverName }) => {
    if (serverName === null) return null;
    if (exact.has(serverName)) return MOST;
    let best: Specificity = null;
    for (const suffix of suffixes) {
      if (serverName.endsWith(suffix)) best = Math.max(best ?? 0, suffix.length);
    }
    return best;
  };
}
