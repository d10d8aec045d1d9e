/** Gateway (networking.istio.io): the ports that proxies of type router open to the outside, and the hosts behind them. */
import { z } from 'zod';
import { dnsLabel, ipAddress, isHostName, nonEmpty, opaque, portNumber, stringMap } from './fields.ts';
import { type KindDefinition, resourceSchema } from './kind.ts';

const VERSIONS = ['TLS_AUTO', 'TLSV1_0', 'TLSV1_1', 'TLSV1_2', 'TLSV1_3'] as const;
/** They ask for a certificate of the caller. */
const MUTUAL: readonly unknown[] = ['MUTUAL', 'OPTIONAL_MUTUAL'];

const gatewayHost = z.string().refine((text) => {
  const [host = '', namespace, rest] = text.split('/').reverse();
  const isKnown = namespace === undefined || ['*', '.'].includes(namespace) || dnsLabel.safeParse(namespace).success;
  return rest === undefined && isKnown && (host === '*' || isHostName(host.replace(/^\*\./, '')));
}, 'a host name, *.suffix or *, with a namespace and / in front at most');

const filePair = z.strictObject({
  serverCertificate: nonEmpty,
  privateKey: nonEmpty,
  caCertificates: opaque.optional(),
});

const serverTls = z.strictObject({
  httpsRedirect: z.boolean().nullish(),
  mode: z.enum(['PASSTHROUGH', 'SIMPLE', 'MUTUAL', 'AUTO_PASSTHROUGH', 'ISTIO_MUTUAL', 'OPTIONAL_MUTUAL']).nullish(),
  serverCertificate: z.string().nullish(),
  privateKey: z.string().nullish(),
  caCertificates: z.string().nullish(),
  caCrl: z.string().nullish(),
  credentialName: z.string().nullish(),
  credentialNames: z.array(nonEmpty).nullish(),
  tlsCertificates: z.array(filePair).nullish(),
  caCertCredentialName: opaque.optional(),
  subjectAltNames: opaque.optional(),
  verifyCertificateSpki: opaque.optional(),
  verifyCertificateHash: opaque.optional(),
  insecureSkipVerify: opaque.optional(),
  minProtocolVersion: z.enum(VERSIONS).nullish(),
  maxProtocolVersion: z.enum(VERSIONS).nullish(),
  cipherSuites: z.array(nonEmpty).nullish(),
});

const server = z
  .strictObject({
    name: z.string().nullish(),
    port: z.strictObject({ number: portNumber, name: nonEmpty, protocol: nonEmpty, targetPort: opaque.optional() }),
    bind: z.union([ipAddress, z.literal('')], 'an IP address').nullish(),
    hosts: z.array(gatewayHost).min(1),
    tls: serverTls.nullish(),
    defaultEndpoint: opaque.optional(),
  })
  .superRefine(({ port, tls }, context) => {
    const fault = (path: string[], message: string): void => context.addIssue({ code: 'custom', path, message });
    const protocol = port.protocol.toUpperCase();
    if (!tls) {
      if (protocol === 'HTTPS' || protocol === 'TLS') fault(['tls'], `a tls block beside protocol ${protocol}`);
      return;
    }
    if (protocol === 'HTTP' || protocol === 'TCP') {
      const only = Object.entries(tls).every(([key, value]) => key === 'httpsRedirect' || !value);
      if (protocol === 'TCP' || !only)
        fault(['tls'], `no tls block beside protocol ${protocol}${protocol === 'HTTP' ? ', but httpsRedirect' : ''}`);
      return;
    }
    checkTls(tls, fault);
  });

function checkTls(tls: ServerTlsSpec, fault: (path: string[], message: string) => void): void {
  const mode = tls.mode ?? 'PASSTHROUGH';
  const sources = [tls.serverCertificate, tls.credentialName, tls.credentialNames?.length, tls.tlsCertificates?.length];
  const given = sources.filter(Boolean).length;
  if (mode === 'ISTIO_MUTUAL') {
    if (given > 0) fault(['tls'], 'no certificate of its own with mode ISTIO_MUTUAL');
    return;
  }
  if (mode !== 'SIMPLE' && !MUTUAL.includes(mode)) return;
  if (given > 1)
    fault(['tls'], 'one of serverCertificate, credentialName, credentialNames, tlsCertificates, not several');
  if (given === 0) fault(['tls', 'serverCertificate'], 'a certificate: a file, a credentialName or tlsCertificates');
  else if (tls.serverCertificate && !tls.privateKey)
    fault(['tls', 'privateKey'], 'the file of the private key of serverCertificate');
  if (mode === 'SIMPLE' && tls.caCrl) fault(['tls', 'caCrl'], 'no caCrl with mode SIMPLE, which verifies no caller');
  const verifies = tls.caCertificates || tls.credentialName || tls.credentialNames?.length || tls.caCertCredentialName;
  if (MUTUAL.includes(mode) && !verifies) fault(['tls', 'caCertificates'], `the CA of callers, with mode ${mode}`);
  const [least, most] = [tls.minProtocolVersion ?? 'TLS_AUTO', tls.maxProtocolVersion ?? 'TLS_AUTO'];
  if (most !== 'TLS_AUTO' && VERSIONS.indexOf(most) < VERSIONS.indexOf(least))
    fault(['tls', 'maxProtocolVersion'], `at least minProtocolVersion ${least}`);
}

const specSchema = z
  .strictObject({ selector: stringMap.nullish(), servers: z.array(server).min(1) })
  .superRefine(({ servers }, context) => {
    const repeated = (names: readonly unknown[], path: string[]): void => {
      names.forEach((name, index) => {
        if (name && names.indexOf(name) !== index)
          context.addIssue({ code: 'custom', path: ['servers', index, ...path], message: 'each name once' });
      });
    };
    repeated(
      servers.map(({ port }) => port.name),
      ['port', 'name'],
    );
    repeated(
      servers.map(({ name }) => name),
      ['name'],
    );
  });

export type GatewaySpec = z.infer<typeof specSchema>;
export type GatewayServerSpec = z.infer<typeof server>;
export type ServerTlsSpec = z.infer<typeof serverTls>;

export const gatewayKind: KindDefinition<GatewaySpec> = {
  kind: 'Gateway',
  group: 'networking.istio.io',
  versions: ['v1', 'v1beta1', 'v1alpha3'],
  schema: resourceSchema(specSchema),
  notApplied: [
    { path: 'spec.servers[].defaultEndpoint', reason: 'routes come from VirtualServices' },
    { path: 'spec.servers[].port.targetPort', reason: 'the listener is at the port itself' },
  ],
};
