import { describe, expect, it } from 'vitest';
import { ANY_CONNECTION, type ChainMatch } from '../description.ts';
import { type ConnectionFacts, chooseChain, compileChainMatch } from './chain-match.ts';

const PLAIN: ConnectionFacts = {
  destination: { host: '10.0.0.1', port: 443 },
  isTls: false,
  serverName: null,
  applicationProtocols: [],
};
const tls = (serverName: string | null, ...applicationProtocols: string[]): ConnectionFacts => ({
  ...PLAIN,
  isTls: true,
  serverName,
  applicationProtocols,
});

/** Which of the chains takes the connection. */
function choose(matches: Readonly<Record<string, Partial<ChainMatch>>>, connection: ConnectionFacts): string | null {
  const chains = Object.entries(matches).map(([name, match]) => {
    return { name, match: compileChainMatch({ ...ANY_CONNECTION, ...match }, 'match', []) };
  });
  return chooseChain(chains, connection)?.name ?? null;
}

describe('the chain of a connection', () => {
  it('is the one with its server name: exact, else the longest suffix, else none', () => {
    const matches = {
      none: {},
      wide: { serverNames: ['*.example'] },
      near: { serverNames: ['*.b.example', 'other.example'] },
      exact: { serverNames: ['a.b.example'] },
    };
    expect(choose(matches, tls('a.b.example'))).toBe('exact');
    expect(choose(matches, tls('c.b.example'))).toBe('near');
    expect(choose(matches, tls('b.example'))).toBe('wide');
    // The suffix begins with its dot.
    expect(choose({ wide: matches.wide }, tls('badexample'))).toBeNull();
    expect(choose(matches, tls('else.where'))).toBe('none');
    expect(choose(matches, tls(null))).toBe('none');
    expect(choose(matches, PLAIN)).toBe('none');
  });

  it('is told by TLS or not, then by protocol', () => {
    const matches = {
      clear: { transport: 'plaintext' },
      known: { transport: 'plaintext', applicationProtocols: ['x', 'y'] },
      tls: { transport: 'tls' },
    } as const;
    expect(choose(matches, PLAIN)).toBe('clear');
    expect(choose(matches, { ...PLAIN, applicationProtocols: ['y'] })).toBe('known');
    expect(choose(matches, tls('a.example', 'x'))).toBe('tls');
  });

  it('asks port, range and server name in this order and never goes back', () => {
    const matches = {
      port: { destinationPort: 443, serverNames: ['a.example'] },
      any: {},
    };
    expect(choose(matches, tls('a.example'))).toBe('port');
    // Some chain is for this port, and that one is not for this name.
    expect(choose(matches, tls('b.example'))).toBeNull();
    const ranges = {
      wide: { destinationRanges: ['10.0.0.0/8'] },
      near: { destinationRanges: ['10.0.0.0/24', '1.0.0.0/8'] },
    };
    expect(choose(ranges, PLAIN)).toBe('near');
    expect(choose(ranges, { ...PLAIN, destination: { host: '10.9.9.9', port: 1 } })).toBe('wide');
    expect(choose(ranges, { ...PLAIN, destination: { host: '::1', port: 1 } })).toBeNull();
  });

  it('is the default one only where no other takes it', () => {
    const matches = { last: { isDefault: true }, named: { serverNames: ['a.example'] } };
    expect(choose(matches, tls('a.example'))).toBe('named');
    expect(choose(matches, PLAIN)).toBe('last');
  });

  it('says what is no range and no name', () => {
    const issues: { path: string; message: string }[] = [];
    compileChainMatch(
      { ...ANY_CONNECTION, destinationRanges: ['10.0.0.0/33'], serverNames: ['*', 'a.*'] },
      'm',
      issues,
    );
    expect(issues.map(({ path, message }) => `${path}: ${message}`)).toEqual([
      'm.destinationRanges: expected a CIDR range, got "10.0.0.0/33"',
      'm.serverNames: expected a host name or *.suffix, got "*"',
      'm.serverNames: expected a host name or *.suffix, got "a.*"',
    ]);
  });
});
