/** DestinationRule (networking.istio.io): subsets of a service, and how its endpoints are chosen and connected to. */
import { z } from 'zod';
import { duration, exportTo, hostName, memberName, nonEmpty, opaque, portNumber, stringMap } from './fields.ts';
import { type KindDefinition, type NotApplied, resourceSchema } from './kind.ts';

const consistentHash = z
  .strictObject({
    httpHeaderName: nonEmpty.nullish(),
    httpCookie: opaque.optional(),
    useSourceIp: z.boolean().nullish(),
    httpQueryParameterName: nonEmpty.nullish(),
    ringHash: z.strictObject({ minimumRingSize: z.int().min(1).max(8_388_608).nullish() }).nullish(),
    maglev: opaque.optional(),
    minimumRingSize: z.int().min(0).max(8_388_608).nullish(),
  })
  .refine(
    (hash) =>
      [hash.httpHeaderName, hash.httpCookie, hash.useSourceIp, hash.httpQueryParameterName].filter(
        (key) => key !== undefined && key !== null && key !== false,
      ).length === 1,
    'exactly one of httpHeaderName, httpCookie, useSourceIp, httpQueryParameterName',
  );

const loadBalancer = z
  .strictObject({
    simple: z.enum(['UNSPECIFIED', 'ROUND_ROBIN', 'LEAST_REQUEST', 'LEAST_CONN', 'RANDOM', 'PASSTHROUGH']).nullish(),
    consistentHash: consistentHash.nullish(),
    localityLbSetting: opaque.optional(),
    warmup: opaque.optional(),
    warmupDurationSecs: opaque.optional(),
  })
  .refine((balancer) => !(balancer.simple && balancer.consistentHash), 'either simple or consistentHash, not both');

const count = z.int().min(0).max(4_294_967_295).nullish();

const connectionPool = z.strictObject({
  tcp: z
    .strictObject({
      maxConnections: z.int().min(1).max(4_294_967_295).nullish(),
      connectTimeout: duration.nullish(),
      tcpKeepalive: opaque.optional(),
      maxConnectionDuration: opaque.optional(),
      idleTimeout: duration.nullish(),
    })
    .nullish(),
  http: z
    .strictObject({
      http1MaxPendingRequests: count,
      http2MaxRequests: count,
      maxRequestsPerConnection: count,
      maxRetries: count,
      idleTimeout: duration.nullish(),
      h2UpgradePolicy: opaque.optional(),
      useClientProtocol: opaque.optional(),
      maxConcurrentStreams: count,
    })
    .nullish(),
});

const clientTls = z
  .strictObject({
    mode: z.enum(['DISABLE', 'SIMPLE', 'MUTUAL', 'ISTIO_MUTUAL']).nullish(),
    clientCertificate: z.string().nullish(),
    privateKey: z.string().nullish(),
    caCertificates: z.string().nullish(),
    caCrl: z.string().nullish(),
    credentialName: z.string().nullish(),
    subjectAltNames: z.array(nonEmpty).nullish(),
    sni: z.string().nullish(),
    insecureSkipVerify: z.boolean().nullish(),
  })
  .superRefine((tls, context) => {
    const fault = (path: string, message: string): void => context.addIssue({ code: 'custom', path: [path], message });
    if (tls.credentialName && (tls.caCertificates || tls.clientCertificate))
      fault('credentialName', 'either credentialName or files');
    if (tls.insecureSkipVerify && (tls.caCertificates || tls.credentialName || tls.subjectAltNames?.length))
      fault(
        'insecureSkipVerify',
        'either it or what servers are verified with: caCertificates, credentialName, subjectAltNames',
      );
    if (tls.mode === 'MUTUAL' && !tls.credentialName && !(tls.clientCertificate && tls.privateKey))
      fault(
        tls.clientCertificate ? 'privateKey' : 'clientCertificate',
        'the files of clientCertificate and privateKey with mode MUTUAL',
      );
    if (tls.mode === 'ISTIO_MUTUAL' && (tls.clientCertificate || tls.privateKey || tls.caCertificates))
      fault('mode', 'no files with mode ISTIO_MUTUAL');
  });

const policyFields = {
  loadBalancer: loadBalancer.nullish(),
  connectionPool: connectionPool.nullish(),
  outlierDetection: opaque.optional(),
  tls: clientTls.nullish(),
};

const portLevelSettings = z
  .array(z.strictObject({ port: z.strictObject({ number: portNumber }), ...policyFields }))
  .superRefine((settings, context) => {
    const numbers = settings.map(({ port }) => port.number);
    numbers.forEach((number, index) => {
      if (numbers.indexOf(number) !== index)
        context.addIssue({ code: 'custom', path: [index, 'port', 'number'], message: 'each port once' });
    });
  });

const trafficPolicy = z.strictObject({
  ...policyFields,
  portLevelSettings: portLevelSettings.nullish(),
  tunnel: opaque.optional(),
  proxyProtocol: opaque.optional(),
  retryBudget: opaque.optional(),
});

const specSchema = z
  .strictObject({
    host: z
      .string()
      .refine(
        (host) => hostName.safeParse(host.replace(/^\*\./, '')).success || host === '*',
        'a host name, with a wildcard at most as its first label',
      ),
    trafficPolicy: trafficPolicy.nullish(),
    subsets: z
      .array(z.strictObject({ name: memberName, labels: stringMap.nullish(), trafficPolicy: trafficPolicy.nullish() }))
      .nullish(),
    exportTo: exportTo.nullish(),
    workloadSelector: z.strictObject({ matchLabels: stringMap.nullish() }).nullish(),
  })
  .superRefine((spec, context) => {
    const names = (spec.subsets ?? []).map((subset) => subset.name);
    names.forEach((name, index) => {
      if (names.indexOf(name) !== index)
        context.addIssue({ code: 'custom', path: ['subsets', index, 'name'], message: 'each subset name once' });
    });
  });

export type DestinationRuleSpec = z.infer<typeof specSchema>;
export type TrafficPolicy = z.infer<typeof trafficPolicy>;
export type ClientTlsSpec = z.infer<typeof clientTls>;

const POLICY_FIELDS: readonly NotApplied[] = [
  { path: 'outlierDetection', reason: 'outlier detection is not built yet' },
  { path: 'tls.caCrl', reason: 'revocation lists are not built yet' },
  { path: 'tunnel', reason: 'tunnels are not built yet' },
  { path: 'proxyProtocol', reason: 'the PROXY protocol is not built yet' },
  { path: 'retryBudget', reason: 'retries are not built yet' },
  { path: 'loadBalancer.localityLbSetting', reason: 'locality weighting is not built yet' },
  { path: 'loadBalancer.warmup', reason: 'warm-up is not built yet' },
  { path: 'loadBalancer.warmupDurationSecs', reason: 'warm-up is not built yet' },
  { path: 'loadBalancer.consistentHash.httpCookie', reason: 'only httpHeaderName (an attribute) is hashed yet' },
  { path: 'loadBalancer.consistentHash.useSourceIp', reason: 'only httpHeaderName (an attribute) is hashed yet' },
  {
    path: 'loadBalancer.consistentHash.httpQueryParameterName',
    reason: 'only httpHeaderName (an attribute) is hashed yet',
  },
  { path: 'loadBalancer.consistentHash.maglev', reason: 'a hash ring is used instead' },
  { path: 'connectionPool.tcp.tcpKeepalive', reason: 'TCP keepalive is not built yet' },
  { path: 'connectionPool.tcp.maxConnectionDuration', reason: 'an age limit of connections is not built yet' },
  { path: 'connectionPool.http.http2MaxRequests', reason: 'a limit of requests in flight is not built yet' },
  {
    path: 'connectionPool.http.maxRequestsPerConnection',
    reason: 'a limit of requests per connection is not built yet',
  },
  { path: 'connectionPool.http.maxRetries', reason: 'retries are not built yet' },
  { path: 'connectionPool.http.h2UpgradePolicy', reason: 'HTTP is not built yet' },
  { path: 'connectionPool.http.useClientProtocol', reason: 'HTTP is not built yet' },
];

export const destinationRuleKind: KindDefinition<DestinationRuleSpec> = {
  kind: 'DestinationRule',
  group: 'networking.istio.io',
  versions: ['v1', 'v1beta1', 'v1alpha3'],
  schema: resourceSchema(specSchema),
  notApplied: [
    { path: 'spec.workloadSelector', reason: 'the rule is not used: rules for chosen clients are not built yet' },
    ...[
      'spec.trafficPolicy',
      'spec.trafficPolicy.portLevelSettings[]',
      'spec.subsets[].trafficPolicy',
      'spec.subsets[].trafficPolicy.portLevelSettings[]',
    ].flatMap((base) => POLICY_FIELDS.map((field) => ({ ...field, path: `${base}.${field.path}` }))),
  ],
};
