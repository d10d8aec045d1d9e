import { describe, expect, it } from 'vitest';
import { CertificateAuthority } from '../../../scripts/certificates.ts';
import { findingsOf, TestMesh } from '../../../test/harness/control-mesh.ts';

const authority = new CertificateAuthority();
const [one, other] = ['one.test', 'other.test'].map((name) => authority.issue({ names: [name] })) as [Pair, Pair];
type Pair = ReturnType<CertificateAuthority['issue']>;

const secret = (texts: Readonly<Record<string, string>>, type = ''): string => `
apiVersion: v1
kind: Secret
metadata: { name: cred, namespace: shop }
${type === '' ? '' : `type: ${type}\n`}stringData: ${JSON.stringify(texts)}
`;
const said = (yaml: string): string[] => findingsOf(new TestMesh().apply({ 's.yaml': yaml }));

describe('a Secret', () => {
  it.each([
    [{ 'tls.crt': one.certificate, 'tls.key': one.key }, 'kubernetes.io/tls'],
    [{ cert: one.certificate, key: one.key, cacert: authority.certificate }, ''],
    [{ password: 'x', key: 'y' }, ''],
  ])('%#: is taken', (texts, type) => {
    expect(said(secret(texts, type))).toEqual([]);
  });

  it.each([
    [{ 'tls.crt': one.certificate, 'tls.key': other.key }, 'tls.key"]: expected the key of the certificate tls.crt'],
    [{ 'tls.crt': one.certificate.replace('M', '-'), 'tls.key': one.key }, 'tls.crt"]: expected a certificate in PEM'],
    [{ 'tls.crt': one.certificate, 'tls.key': 'x' }, 'tls.key"]: expected a private key in PEM without a passphrase'],
    [{ 'tls.crt': one.certificate }, 'tls.key"]: expected a private key'],
  ])('%#: is refused without a word of its content', (texts, expected) => {
    const [finding, ...others] = said(secret(texts, 'kubernetes.io/tls'));
    expect(others).toEqual([]);
    expect(finding).toContain(expected);
    expect(finding).toMatch(/^error s.yaml:6 stringData/);
  });

  it('is refused where its data is no base64, without a word of it', () => {
    const yaml = secret({}).replace(
      'stringData: {}',
      'data: { password: hunter22!, other: "Zm9v\\nYg==", short: abc }',
    );
    expect(said(yaml)).toEqual([
      'error s.yaml:5 data.password: expected base64; plain text belongs into stringData',
      'error s.yaml:5 data.short: expected base64; plain text belongs into stringData',
    ]);
  });

  it('that is broken leaves the last good one in use', () => {
    const mesh = new TestMesh();
    const good = { 'tls.crt': one.certificate, 'tls.key': one.key };
    mesh.apply({ 's.yaml': secret(good) });
    const { credentials } = mesh.apply({ 's.yaml': secret({ ...good, 'tls.key': other.key }) }).mesh;
    expect(credentials.find('shop', 'cred')?.pair?.key).toBe(one.key);
    expect(credentials.namespacesOf('cred')).toEqual(['shop']);
    expect(JSON.stringify(credentials)).toBe('{}');
  });

  it('that is broken from the start is told to all who name it', () => {
    const at = (kind: string, api: string, spec: string): string =>
      `apiVersion: ${api}\nkind: ${kind}\nmetadata: { name: x, namespace: shop }\nspec: ${spec}\n`;
    const server = 'port: { number: 443, name: s, protocol: TLS }, hosts: [a.test]';
    const files = {
      'g.yaml': at(
        'Gateway',
        'networking.istio.io/v1',
        `{ selector: {}, servers: [{ ${server}, tls: { mode: SIMPLE, credentialName: cred } }] }`,
      ),
      'd.yaml': at(
        'DestinationRule',
        'networking.istio.io/v1',
        '{ host: a.test, trafficPolicy: { tls: { mode: SIMPLE, credentialName: cred } } }',
      ),
      'r.yaml': at(
        'RedisService',
        'redis.aeraki.io/v1alpha1',
        '{ host: [a.test], settings: { auth: { secret: { name: cred } } } }',
      ),
      's.yaml': secret({ 'tls.crt': one.certificate, 'tls.key': other.key }),
    };
    const told = findingsOf(new TestMesh().apply(files)).filter((text) => text.includes('Secret'));
    const fault =
      'Secret shop/cred is there and not valid: s.yaml:5: stringData["tls.key"]: expected the key of the certificate tls.crt';
    expect(told).toEqual([
      expect.stringContaining(`tls.credentialName: ${fault}: no connection can be verified`),
      expect.stringContaining(`tls.credentialName: ${fault}: callers get no answer until`),
      expect.stringContaining(`secret.name: ${fault}`),
    ]);
  });
});
