/** VirtualService (networking.istio.io): the routes of HTTP requests, and of connections by SNI or port. */
import { z } from 'zod';
import {
  duration,
  exportTo,
  hostName,
  ipOrRange,
  isHostName,
  nonEmpty,
  opaque,
  portNumber,
  stringMap,
  subsetName,
} from './fields.ts';
import {
  authority,
  byHeaderName,
  headerOperations,
  locationPath,
  regex,
  regexRewrite,
  requestPath,
} from './http-text.ts';
import { type KindDefinition, resourceSchema } from './kind.ts';

const hasOne = (match: object): boolean =>
  Object.values(match).filter((value) => value !== undefined && value !== null).length <= 1;
const stringMatch = z
  .strictObject({ exact: z.string().nullish(), prefix: nonEmpty.nullish(), regex: regex.nullish() })
  .refine(hasOne, 'one of exact, prefix, regex');
const uriMatch = z
  .strictObject({ exact: z.string().nullish(), prefix: z.string().nullish(), regex: regex.nullish() })
  .refine(hasOne, 'one of exact, prefix, regex');
const headerMap = byHeaderName(stringMatch);

const match = z.strictObject({
  name: z.string().nullish(),
  uri: uriMatch.nullish(),
  scheme: stringMatch.nullish(),
  method: stringMatch.nullish(),
  authority: stringMatch.nullish(),
  headers: headerMap.nullish(),
  withoutHeaders: headerMap.nullish(),
  queryParams: z.record(nonEmpty, stringMatch).nullish(),
  ignoreUriCase: z.boolean().nullish(),
  port: portNumber.nullish(),
  sourceLabels: stringMap.nullish(),
  sourceNamespace: z.string().nullish(),
  gateways: z.array(nonEmpty).nullish(),
  statPrefix: z.string().nullish(),
});

const destination = z.strictObject({
  host: hostName,
  subset: subsetName,
  port: z.strictObject({ number: portNumber }).nullish(),
});
const headers = z.strictObject({ request: headerOperations.nullish(), response: headerOperations.nullish() });
const percentage = z.strictObject({ value: z.number().min(0).max(100).nullish() });

const redirect = z
  .strictObject({
    uri: locationPath.nullish(),
    prefixRewrite: locationPath.nullish(),
    authority: authority.nullish(),
    port: portNumber.nullish(),
    derivePort: z.enum(['FROM_PROTOCOL_DEFAULT', 'FROM_REQUEST_PORT']).nullish(),
    scheme: z.enum(['http', 'https']).nullish(),
    redirectCode: z.literal([301, 302, 303, 307, 308]).nullish(),
  })
  .refine((value) => !(value.uri && value.prefixRewrite), 'one of uri, prefixRewrite')
  .refine((value) => !(value.port && value.derivePort), 'one of port, derivePort')
  // Callers would come back for ever.
  .refine(
    ({ redirectCode: _, ...value }) => Object.values(value).some(Boolean),
    'somewhere else: one of uri, prefixRewrite, authority, port, derivePort, scheme',
  );

const MEGABYTE = 1_048_576;
const within = (encoding: BufferEncoding) => (text: string) => Buffer.byteLength(text, encoding) <= MEGABYTE;
const directResponse = z.strictObject({
  status: z.int().min(200).max(599),
  body: z
    .strictObject({
      string: z.string().refine(within('utf8'), `at most ${MEGABYTE} bytes`).nullish(),
      bytes: z.base64('base64').refine(within('base64'), `at most ${MEGABYTE} bytes`).nullish(),
    })
    .refine((body) => !(body.string && body.bytes), 'one of string, bytes')
    .nullish(),
});

const rewrite = z
  .strictObject({
    uri: requestPath.nullish(),
    authority: authority.nullish(),
    uriRegexRewrite: regexRewrite.nullish(),
  })
  .refine((value) => !(value.uri && value.uriRegexRewrite), 'one of uri, uriRegexRewrite')
  .refine((value) => Object.values(value).some(Boolean), 'one of uri, uriRegexRewrite, authority');

const route = z
  .strictObject({
    name: z.string().nullish(),
    match: z.array(match).nullish(),
    route: z
      .array(z.strictObject({ destination, weight: z.int().min(0).nullish(), headers: headers.nullish() }))
      .nullish(),
    redirect: redirect.nullish(),
    directResponse: directResponse.nullish(),
    rewrite: rewrite.nullish(),
    timeout: duration.nullish(),
    mirror: destination.nullish(),
    mirrorPercentage: percentage.nullish(),
    mirrors: z.array(z.strictObject({ destination, percentage: percentage.nullish() })).nullish(),
    headers: headers.nullish(),
    delegate: opaque.optional(),
    retries: opaque.optional(),
    fault: opaque.optional(),
    corsPolicy: opaque.optional(),
    mirrorPercent: opaque.optional(),
    mirror_percent: opaque.optional(),
  })
  .superRefine((value, context) => {
    const fault = (path: string[], message: string): void => context.addIssue({ code: 'custom', path, message });
    const actions = [
      value.route?.length ? 'route' : '',
      value.redirect ? 'redirect' : '',
      value.directResponse ? 'directResponse' : '',
    ];
    const given = actions.filter((action) => action !== '');
    if (value.delegate !== undefined && value.delegate !== null)
      fault(['delegate'], 'no delegate: delegates are not built yet');
    else if (given.length !== 1)
      fault([], `one of route, redirect, directResponse, not ${given.join(' and ') || 'none'}`);
    if (value.rewrite && given[0] !== 'route') fault(['rewrite'], 'a route beside it');
    const { set, add } = value.headers?.request ?? {};
    const names = Object.keys({ ...set, ...add }).map((name) => name.toLowerCase());
    if (value.rewrite?.authority && (names.includes('host') || names.includes(':authority')))
      fault(['rewrite', 'authority'], 'the authority once, here or in headers');
    const hasOther = value.match?.some(({ uri }) => typeof uri?.exact === 'string' || uri?.regex);
    if (value.redirect?.prefixRewrite && hasOther)
      fault(['redirect', 'prefixRewrite'], 'matches by uri.prefix beside it');
    const parts = value.route ?? [];
    const sum = parts.reduce((total, part) => total + (part.weight ?? 0), 0);
    if (parts.length > 1 && sum === 0) fault(['route'], 'weights that sum to more than 0');
    if (value.mirror && value.mirrors?.length) fault(['mirrors'], 'one of mirror, mirrors');
  });

const wildcardHost = z.string().refine((text) => text === '*' || isHostName(text.replace(/^\*\./, '')), {
  error: 'a host name, *.suffix or *',
});

/** What a connection is told apart by, before any byte of its protocol. */
const connectionMatch = z.strictObject({
  destinationSubnets: z.array(ipOrRange).nullish(),
  port: portNumber.nullish(),
  sourceLabels: stringMap.nullish(),
  sourceNamespace: z.string().nullish(),
  gateways: z.array(nonEmpty).nullish(),
});
const tlsMatch = connectionMatch.extend({ sniHosts: z.array(wildcardHost).min(1) });
const tcpMatch = connectionMatch.extend({ sourceSubnet: opaque.optional() });

const shares = z
  .array(z.strictObject({ destination, weight: z.int().min(0).nullish() }))
  .min(1)
  .refine((list) => list.length === 1 || list.some(({ weight }) => weight), 'weights that sum to more than 0');
const tlsRoute = z.strictObject({ match: z.array(tlsMatch).min(1), route: shares });
const tcpRoute = z.strictObject({ match: z.array(tcpMatch).nullish(), route: shares });

const specSchema = z
  .strictObject({
    hosts: z
      .array(wildcardHost)
      .nullish()
      .transform((hosts) => hosts ?? []),
    gateways: z.array(nonEmpty).nullish(),
    http: z.array(route).nullish(),
    tls: z.array(tlsRoute).nullish(),
    tcp: z.array(tcpRoute).nullish(),
    exportTo: exportTo.nullish(),
  })
  .superRefine(({ hosts, gateways }, context) => {
    const fault = (path: (string | number)[], message: string): void =>
      context.addIssue({ code: 'custom', path, message });
    if (hosts.length === 0) fault(['hosts'], 'at least one; what has none is a delegate, and those are not built yet');
    const isAny = hosts.indexOf('*');
    if (isAny >= 0 && (!gateways?.length || gateways.includes('mesh')))
      fault(['hosts', isAny], '* with Gateways only: at sidecars a host or *.suffix');
  })
  .refine(
    (spec) => Boolean(spec.http?.length || spec.tls?.length || spec.tcp?.length),
    'at least one of http, tls, tcp',
  );

export type VirtualServiceSpec = z.infer<typeof specSchema>;
export type HttpRouteSpec = z.infer<typeof route>;
export type HttpMatchSpec = z.infer<typeof match>;
export type HttpStringMatchSpec = z.infer<typeof uriMatch>;
export type TlsRouteSpec = z.infer<typeof tlsRoute>;
export type TcpRouteSpec = z.infer<typeof tcpRoute>;
export type ConnectionMatchSpec = z.infer<typeof connectionMatch> & { readonly sniHosts?: readonly string[] };
export type HeaderOperationsSpec = z.infer<typeof headerOperations>;

export const virtualServiceKind: KindDefinition<VirtualServiceSpec> = {
  kind: 'VirtualService',
  group: 'networking.istio.io',
  versions: ['v1', 'v1beta1', 'v1alpha3'],
  schema: resourceSchema(specSchema),
  notApplied: [
    { path: 'spec.tcp[].match[].sourceSubnet', reason: 'Istio does not apply it either' },
    { path: 'spec.http[].retries', reason: 'retry policies are not built yet' },
    { path: 'spec.http[].fault', reason: 'faults of HTTP routes are not built yet' },
    { path: 'spec.http[].corsPolicy', reason: 'CORS is not built yet' },
    { path: 'spec.http[].mirrorPercent', reason: 'write mirrorPercentage.value' },
    { path: 'spec.http[].mirror_percent', reason: 'write mirrorPercentage.value' },
    { path: 'spec.http[].match[].statPrefix', reason: 'statistics are by route name' },
  ],
};
