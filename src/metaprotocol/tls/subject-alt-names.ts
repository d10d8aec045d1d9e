/** Subject alternative names of a certificate: read from OpenSSL's text, and matched against what a peer has to be. */
import { isIP, SocketAddress } from 'node:net';
import type { SubjectAltNameMatch } from '../description.ts';
import { compileTest } from '../router/matcher.ts';

export interface SubjectAltName {
  readonly type: SubjectAltNameMatch['type'];
  readonly value: string;
}

export type SubjectAltNameTest = (name: SubjectAltName) => boolean;

const TYPES: Readonly<Record<string, SubjectAltName['type']>> = {
  DNS: 'dns',
  URI: 'uri',
  'IP Address': 'ip',
  email: 'email',
};

/** `text`: as X509Certificate.subjectAltName has it. Names of other types are left out. */
export function readSubjectAltNames(text: string): SubjectAltName[] {
  // A value with a comma, quote or backslash in it is a JSON string there, so that it cannot pretend to be two names.
  const one = /(?:^|, )([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,"]*)(?=$|, )/y;
  const names: SubjectAltName[] = [];
  for (let found = one.exec(text); found !== null; found = one.exec(text)) {
    const type = TYPES[found[1]!];
    const value = unquoted(found[2]!);
    if (type !== undefined && value !== null) names.push({ type, value });
  }
  return names;
}

/** Throws ConfigError where the test cannot be compiled. */
export function compileSubjectAltName({ type, test }: SubjectAltNameMatch): SubjectAltNameTest {
  if (test.kind === 'exact' && type === 'dns') {
    const wanted = test.value.toLowerCase();
    return (name) => name.type === 'dns' && dnsNameMatches(name.value.toLowerCase(), wanted);
  }
  if (test.kind === 'exact' && type === 'ip') {
    const wanted = canonicalAddress(test.value);
    return (name) => name.type === 'ip' && canonicalAddress(name.value) === wanted;
  }
  const holds = compileTest(test);
  return (name) => name.type === type && holds(name.value);
}

/** As people write them, for messages. */
export function subjectAltNamesText(names: readonly SubjectAltName[]): string {
  return names.length === 0 ? 'no name' : names.map(({ type, value }) => `${type} ${value}`).join(', ');
}

/** RFC 6125: `*` stands for one whole label, the leftmost. */
function dnsNameMatches(name: string, wanted: string): boolean {
  if (name === wanted) return true;
  const dot = wanted.indexOf('.');
  return name.startsWith('*.') && dot > 0 && name.slice(1) === wanted.slice(dot);
}

/** OpenSSL writes IPv6 addresses out in full. */
function canonicalAddress(address: string): string {
  const version = isIP(address);
  return version === 0 ? address : new SocketAddress({ address, family: version === 6 ? 'ipv6' : 'ipv4' }).address;
}

function unquoted(value: string): string | null {
  if (!value.startsWith('"')) return value;
  try {
    return JSON.parse(value) as string;
  } catch {
    return null;
  }
}
