import { describe, expect, it } from 'vitest';
import { CertificateAuthority } from '../../../scripts/certificates.ts';
import type { JsonObject } from '../../xds/json.ts';
import { TypeUrl } from '../../xds/type-urls.ts';
import { Fixtures, wired } from '../testing/resources.ts';
import { readCluster } from './cluster.ts';
import { readListener } from './listener.ts';
import { Reader, Report } from './reader.ts';
import { readSecret } from './tls.ts';

const fixtures = new Fixtures();
const FILES = { certificateChain: { filename: '/c.pem' }, privateKey: { filename: '/c.key' } };
const texts = ({ errors, notes }: Report) => ({
  errors: errors.map(({ path, message }) => `${path}: ${message}`),
  notes: notes.map(({ path, message }) => `${path}: ${message}`),
});

function downstream(context: JsonObject, change: JsonObject = {}) {
  const report = new Report();
  const typedConfig = { '@type': TypeUrl.DownstreamTlsContext, ...context };
  const { filterChains } = fixtures.listener('L', 1, 'R').value as { filterChains: JsonObject[] };
  const chain = { ...filterChains[0], transportSocket: { name: 'tls', typedConfig }, ...change };
  const plan = readListener(new Reader(fixtures.listener('L', 1, 'R', { filterChains: [chain] }).value, '', report));
  return { tls: plan.chains[0]!.tls, ...texts(report) };
}

function upstream(context: JsonObject) {
  const report = new Report();
  const transportSocket = { name: 'tls', typedConfig: { '@type': TypeUrl.UpstreamTlsContext, ...context } };
  const { tls } = readCluster(new Reader(fixtures.cluster('C', { transportSocket }).value, '', report));
  return { tls, ...texts(report) };
}

describe('TLS of a filter chain', () => {
  it('has certificates, versions, ciphers and protocols', () => {
    const { tls, errors, notes } = downstream(
      {
        commonTlsContext: {
          tlsCertificates: [FILES, { certificateChain: { inlineString: 'C' }, privateKey: { inlineBytes: 'Sw==' } }],
          tlsParams: {
            tlsMinimumProtocolVersion: 'TLSv1_2',
            tlsMaximumProtocolVersion: 'TLSv1_3',
            cipherSuites: ['[A|B]', 'C'],
          },
          alpnProtocols: ['http/1.1'],
        },
      },
      { transportSocketConnectTimeout: '3s' },
    );
    expect([errors, notes]).toEqual([[], []]);
    expect(tls).toEqual({
      minVersion: 'TLSv1.2',
      maxVersion: 'TLSv1.3',
      ciphers: ['A', 'B', 'C'],
      applicationProtocols: ['http/1.1'],
      trustedCa: null,
      subjectAltNames: [],
      certificates: [
        { chain: { file: '/c.pem' }, key: { file: '/c.key' } },
        {
          chain: { inline: 'C', label: 'tlsCertificates[1].certificateChain' },
          key: { inline: 'K', label: 'tlsCertificates[1].privateKey' },
        },
      ],
      requireClientCertificate: false,
      handshakeTimeoutMs: 3_000,
    });
  });

  it('may name secrets, and verify callers', () => {
    const { tls, errors } = downstream({
      requireClientCertificate: true,
      commonTlsContext: {
        tlsCertificateSdsSecretConfigs: [{ name: 'cred', sdsConfig: { ads: {} } }],
        combinedValidationContext: {
          defaultValidationContext: {
            matchTypedSubjectAltNames: [{ sanType: 'URI', matcher: { prefix: 'spiffe://td/' } }],
          },
          validationContextSdsSecretConfig: { name: 'ca', sdsConfig: { ads: {} } },
        },
      },
    });
    expect(errors).toEqual([]);
    expect(tls).toMatchObject({
      certificates: [{ chain: { secret: 'cred', part: 'chain' }, key: { secret: 'cred', part: 'key' } }],
      trustedCa: { secret: 'ca', part: 'trustedCa' },
      subjectAltNames: [{ type: 'uri', test: { kind: 'prefix', value: 'spiffe://td/' } }],
      requireClientCertificate: true,
    });
  });

  it('is refused where it would be weaker than it says', () => {
    const at = 'filterChains[0].transportSocket.typedConfig';
    expect(downstream({ commonTlsContext: {} }).errors).toEqual([
      `${at}.commonTlsContext.tlsCertificates: has no certificate`,
    ]);
    const common = { tlsCertificates: [FILES] };
    expect(downstream({ requireClientCertificate: true, commonTlsContext: common }).errors).toEqual([
      `${at}.requireClientCertificate: expected commonTlsContext.validationContext.trustedCa too`,
    ]);
    const validationContext = { trustedCa: { filename: '/ca' }, crl: { filename: '/crl' } };
    expect(downstream({ commonTlsContext: { ...common, validationContext } }).errors).toEqual([
      `${at}.commonTlsContext.validationContext.crl: this proxy does not support this field`,
    ]);
    const unknown = { transportSocket: { name: 'envoy.transport_sockets.quic' } };
    expect(downstream({}, unknown).errors[0]).toMatch(/quic" is not supported; expected .*DownstreamTlsContext/);
    const key = { certificateChain: { filename: '/c' }, privateKey: { environmentVariable: 'KEY' } };
    expect(downstream({ commonTlsContext: { tlsCertificates: [key] } }).errors).toEqual([
      `${at}.commonTlsContext.tlsCertificates[0].privateKey.environmentVariable: this proxy does not support this field`,
      `${at}.commonTlsContext.tlsCertificates[0].privateKey: expected filename, inlineString or inlineBytes`,
    ]);
  });
});

describe('TLS of a cluster', () => {
  it('has SNI, CA, names and perhaps a certificate', () => {
    const { tls, errors, notes } = upstream({
      sni: 's.example',
      commonTlsContext: {
        tlsCertificates: [FILES],
        validationContext: {
          trustedCa: { filename: '/ca.pem' },
          matchTypedSubjectAltNames: [
            { sanType: 'DNS', matcher: { exact: 's.example' } },
            { sanType: 'IP_ADDRESS', matcher: { exact: '10.0.0.1' } },
          ],
        },
      },
    });
    expect([errors, notes]).toEqual([[], []]);
    expect(tls).toMatchObject({
      serverName: 's.example',
      trustedCa: { file: '/ca.pem' },
      certificate: { chain: { file: '/c.pem' }, key: { file: '/c.key' } },
      subjectAltNames: [
        { type: 'dns', test: { kind: 'exact', value: 's.example' } },
        { type: 'ip', test: { kind: 'exact', value: '10.0.0.1' } },
      ],
    });
  });

  it('may trust what the machine trusts', () => {
    const context = { sni: 's', commonTlsContext: { validationContext: { systemRootCerts: {} } } };
    expect(upstream(context)).toMatchObject({ tls: { trustedCa: { system: true } }, errors: [], notes: [] });
  });

  it('of some endpoints only is refused', () => {
    const report = new Report();
    const match = { name: 'm', match: {}, transportSocket: { name: 'tls' } };
    readCluster(new Reader(fixtures.cluster('C', { transportSocketMatches: [match] }).value, '', report));
    expect(texts(report).errors).toEqual([
      'transportSocketMatches[0]: only the transportSocket of the whole cluster is supported',
    ]);
  });

  it('notes what it does not verify', () => {
    const at = 'transportSocket.typedConfig.commonTlsContext.validationContext';
    expect(upstream({ sni: 's' })).toMatchObject({
      tls: { trustedCa: null },
      errors: [],
      notes: [`${at}: the server is not verified: without trustedCa any certificate is accepted`],
    });
    const validationContext = { trustedCa: { filename: '/ca.pem' } };
    expect(upstream({ commonTlsContext: { validationContext } }).notes).toEqual([
      `${at}: any certificate of this CA is accepted: there is neither matchTypedSubjectAltNames nor sni`,
    ]);
    const names = { matchTypedSubjectAltNames: [{ sanType: 'DNS', matcher: { exact: 'a' } }] };
    expect(upstream({ commonTlsContext: { validationContext: names } }).errors).toEqual([
      `${at}: names count only with a trustedCa`,
    ]);
  });
});

describe('a secret', () => {
  const read = (value: JsonObject) => {
    const report = new Report();
    return {
      plan: readSecret(new Reader(wired(fixtures.xds, TypeUrl.Secret, value).value, '', report)),
      ...texts(report),
    };
  };

  const authority = new CertificateAuthority();
  const { certificate, key } = authority.issue({ names: ['a.example'] });
  const pair = (chain: string, privateKey: string) => ({
    name: 's',
    tlsCertificate: { certificateChain: { inlineString: chain }, privateKey: { inlineString: privateKey } },
  });

  it('has a certificate, or a CA', () => {
    const label = 'secret s';
    expect(read(pair(certificate, key))).toEqual({
      plan: { chain: { inline: certificate, label }, key: { inline: key, label }, trustedCa: null },
      errors: [],
      notes: [],
    });
    const ca = { name: 's', validationContext: { trustedCa: { inlineString: authority.certificate } } };
    expect(read(ca).plan).toEqual({ chain: null, key: null, trustedCa: { inline: authority.certificate, label } });
    expect(read({ name: 's', genericSecret: { secret: { inlineString: 'x' } } }).errors).toEqual([
      ': expected tlsCertificate or validationContext',
    ]);
  });

  it('is refused itself where its texts are not usable, so that listeners go on with the one before', () => {
    const other = authority.issue({ names: ['b.example'] });
    expect(read(pair(certificate, other.key)).errors).toEqual([
      'key: is not the key of the certificate of DNS:a.example',
    ]);
    expect(read({ name: 's', validationContext: { trustedCa: { inlineString: 'x' } } }).errors).toEqual([
      ': has no PEM block CERTIFICATE',
    ]);
    expect(read({ name: 's', validationContext: { trustedCa: { filename: '/ca' } } }).errors).toEqual([
      ': expected inlineString or inlineBytes: files are named where they are used',
    ]);
  });
});
