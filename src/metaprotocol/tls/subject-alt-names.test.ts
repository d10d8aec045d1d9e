import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { CertificateAuthority } from '../../../scripts/certificates.ts';
import type { SubjectAltNameMatch } from '../description.ts';
import { compileSubjectAltName, readSubjectAltNames } from './subject-alt-names.ts';

const authority = new CertificateAuthority();
const namesOf = (...names: string[]) => {
  return readSubjectAltNames(new X509Certificate(authority.issue({ names }).certificate).subjectAltName ?? '');
};
const matches = (type: SubjectAltNameMatch['type'], value: string, certificate: readonly string[], kind = 'exact') => {
  const test = { kind, value, ignoreCase: false } as SubjectAltNameMatch['test'];
  return namesOf(...certificate).some(compileSubjectAltName({ type, test }));
};

describe('subject alternative names', () => {
  it('are read with their types', () => {
    expect(namesOf('a.example', '*.b.example', '10.0.0.1', '::1', 'spiffe://td/ns/a/sa/b')).toEqual([
      { type: 'dns', value: 'a.example' },
      { type: 'dns', value: '*.b.example' },
      { type: 'ip', value: '10.0.0.1' },
      { type: 'ip', value: '0:0:0:0:0:0:0:1' },
      { type: 'uri', value: 'spiffe://td/ns/a/sa/b' },
    ]);
    expect(readSubjectAltNames('')).toEqual([]);
  });

  it('cannot pretend to be several', () => {
    expect(namesOf('good.example, DNS:evil.example')).toEqual([
      { type: 'dns', value: 'good.example, DNS:evil.example' },
    ]);
    expect(matches('dns', 'evil.example', ['good.example, DNS:evil.example'])).toBe(false);
  });

  it('of type dns match a name, or one label by a wildcard', () => {
    expect(matches('dns', 'A.example', ['b.example', 'a.EXAMPLE'])).toBe(true);
    expect(matches('dns', 'x.b.example', ['*.b.example'])).toBe(true);
    expect(matches('dns', 'x.y.b.example', ['*.b.example'])).toBe(false);
    expect(matches('dns', 'b.example', ['*.b.example'])).toBe(false);
    expect(matches('dns', 'a.example', ['a.example.evil', 'aa.example'])).toBe(false);
  });

  it('match within their type only', () => {
    expect(matches('ip', '::1', ['::1'])).toBe(true);
    expect(matches('ip', '10.0.0.1', ['10.0.0.2'])).toBe(false);
    expect(matches('dns', '10.0.0.1', ['10.0.0.1'])).toBe(false);
    expect(matches('uri', 'spiffe://td/ns/a', ['spiffe://td/ns/a/sa/b'], 'prefix')).toBe(true);
    expect(matches('uri', 'a.example', ['a.example'])).toBe(false);
  });
});
