/** Chooses the filter chain of a new connection by where it was going and what TLS said, before a codec exists. */
import { BlockList, isIP } from 'node:net';
import type { ConfigIssue } from './config-error.ts';
import type { ChainMatch } from './description.ts';
import type { ConnectionInfo } from './filter.ts';

export type ChainMatcher = (connection: ConnectionInfo) => boolean;

export function compileChainMatch(match: ChainMatch, path: string, issues: ConfigIssue[]): ChainMatcher {
  const ranges = new BlockList();
  for (const range of match.destinationRanges) {
    const [address, bits] = range.split('/');
    const family = isIP(address ?? '');
    const prefix = Number(bits ?? (family === 6 ? 128 : 32));
    if (family === 0 || !(prefix >= 0 && prefix <= (family === 6 ? 128 : 32))) {
      issues.push({
        path: `${path}.destinationRanges`,
        message: `expected a CIDR range, got ${JSON.stringify(range)}`,
      });
    } else ranges.addSubnet(address!, prefix, family === 6 ? 'ipv6' : 'ipv4');
  }
  return (connection) => {
    const { host, port } = connection.originalDestination;
    if (match.destinationPort !== null && match.destinationPort !== port) return false;
    if (match.destinationRanges.length > 0 && !ranges.check(host, isIP(host) === 6 ? 'ipv6' : 'ipv4')) return false;
    if (match.transport !== null && (match.transport === 'tls') !== (connection.tls !== null)) return false;
    if (
      match.serverNames.length > 0 &&
      !match.serverNames.some((name) => sniMatches(name, connection.tls?.serverName ?? null))
    ) {
      return false;
    }
    const alpn = connection.tls?.alpn ?? null;
    return match.applicationProtocols.length === 0 || (alpn !== null && match.applicationProtocols.includes(alpn));
  };
}

function sniMatches(wanted: string, serverName: string | null): boolean {
  if (serverName === null) return false;
  return wanted.startsWith('*.') ? serverName.endsWith(wanted.slice(1)) : serverName === wanted;
}
