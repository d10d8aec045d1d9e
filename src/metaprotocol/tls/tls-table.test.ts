import { describe, expect, it } from 'vitest';
import { CertificateAuthority } from '../../../scripts/certificates.ts';
import { ConfigError } from '../config-error.ts';
import type { DownstreamTlsDescription, UpstreamTlsDescription } from '../description.ts';
import { StatsStore } from '../stats.ts';
import { ReadBuffer } from '../wire/read-buffer.ts';
import { type TlsEntries, TlsTable } from './tls-table.ts';

const authority = new CertificateAuthority();
const pair = (name: string) => {
  const { certificate, key } = authority.issue({ names: [name] });
  return { chain: certificate, key };
};
const [one, other] = [pair('a.example'), pair('b.example')];
const COMMON = {
  minVersion: null,
  maxVersion: null,
  ciphers: [],
  applicationProtocols: [],
  trustedCa: null,
  subjectAltNames: [],
} as const;

const server = (change: Partial<DownstreamTlsDescription> = {}): DownstreamTlsDescription => ({
  ...COMMON,
  certificates: [one],
  requireClientCertificate: false,
  handshakeTimeoutMs: 1_000,
  ...change,
});
const client = (change: Partial<UpstreamTlsDescription> = {}): UpstreamTlsDescription => ({
  ...COMMON,
  certificate: null,
  serverName: 'a.example',
  ...change,
});

const table = (before: TlsEntries = new Map()) =>
  new TlsTable(before, { buffer: new ReadBuffer(), stats: new StatsStore(), ticketKeys: Buffer.alloc(48) });

describe('TlsTable', () => {
  it('carries over what is the same at the same place', () => {
    const before = table();
    const [listener, cluster] = [before.server('L', 'c', server()), before.connector('C', client())];
    const after = table(before.used);
    expect(after.server('L', 'c', server())).toBe(listener);
    expect(after.connector('C', client())).toBe(cluster);
    expect(after.server('L', 'c', server({ certificates: [other] }))).not.toBe(listener);
    expect(after.server('L', 'd', server())).not.toBe(listener);
    expect(after.connector('D', client())).not.toBe(cluster);
    expect(after.connector('C', client({ trustedCa: authority.certificate }))).not.toBe(cluster);
  });

  it('keeps nothing that is not used any more', () => {
    const before = table();
    before.server('L', 'c', server());
    expect(table(before.used).used.size).toBe(0);
  });
});

describe('TLS that cannot be used', () => {
  const issuesOf = (make: () => unknown): string[] => {
    try {
      make();
    } catch (error) {
      if (error instanceof ConfigError) return error.issues.map(({ path, message }) => `${path}: ${message}`);
      throw error;
    }
    return [];
  };

  it('says every fault of a server', () => {
    const mixed = { chain: one.chain, key: other.key };
    const regex = { type: 'uri', test: { kind: 'regex', value: '(' } } as const;
    expect(
      issuesOf(() => table().server('L', 'c', server({ certificates: [one, mixed], subjectAltNames: [regex] }))),
    ).toEqual([
      'certificates[1].key: is not the key of the certificate of DNS:a.example',
      expect.stringMatching(/^subjectAltNames\[0\]: regex "\(" is not RE2 syntax/),
    ]);
    expect(
      issuesOf(() => table().server('L', 'c', server({ certificates: [], requireClientCertificate: true }))),
    ).toEqual(['certificates: expected at least one', 'trustedCa: expected with requireClientCertificate']);
    expect(issuesOf(() => table().server('L', 'c', server({ ciphers: ['A', 'B'] })))).toEqual([
      'certificates[0]: none of A, B is a cipher that is known',
    ]);
    expect(issuesOf(() => table().server('L', 'c', server({ trustedCa: 'x' })))).toEqual([
      'certificates[0].trustedCa: has no PEM block CERTIFICATE',
    ]);
  });

  it('says every fault of a client', () => {
    const match = { type: 'dns', test: { kind: 'exact', value: 'a', ignoreCase: false } } as const;
    expect(issuesOf(() => table().connector('C', client({ subjectAltNames: [match] })))).toEqual([
      'subjectAltNames: anybody can claim a name: expected trustedCa too',
    ]);
    const certificate = { chain: 'x', key: 'y' };
    expect(issuesOf(() => table().connector('C', client({ certificate })))).toEqual([
      'certificate.chain: has no PEM block CERTIFICATE',
      expect.stringMatching(/^certificate\.key: is no private key in PEM without a passphrase/),
    ]);
  });
});
