/** httpProxyShape: what a program without types gave as HttpProxyOptions, before anything reads it: unknown names, other types. */
import { z } from 'zod';
import type { CallerTimeouts } from '../metaprotocol/description.ts';
import type { Filter } from '../metaprotocol/filter.ts';
import { isRecord } from '../schema/describe.ts';
import { aFunction, type Shape, wholeNumber } from '../schema/fields.ts';
import type { HttpProxyOptions, HttpRoute } from './http-proxy-options.ts';
import type { HttpCertificate, HttpProxyTls, HttpUpstreamTls } from './http-proxy-tls.ts';

const amount = z.custom<number>((given) => Number.isFinite(given) && Number(given) >= 0, 'a number of at least 0');
const mapOf = <T extends z.ZodType>(each: T) => z.record(z.string(), each);

const pem = z.union(
  [z.string(), z.instanceof(Buffer), z.strictObject({ file: z.string() })],
  'PEM as text or Buffer, or { file }',
);
const valueMatch = z.union(
  [z.string(), z.instanceof(RegExp), z.strictObject({ prefix: z.string() }), z.literal(true)],
  'a text, a RegExp, { prefix } or true',
);
const certificate = z.strictObject({ cert: pem, key: pem } satisfies Shape<HttpCertificate>);

const route = z.strictObject({
  name: z.string().optional(),
  host: z.string().optional(),
  path: z
    .union([z.string(), z.instanceof(RegExp), z.strictObject({ exact: z.string() })], 'a text, a RegExp or { exact }')
    .optional(),
  method: z.string().optional(),
  headers: mapOf(valueMatch).optional(),
  query: mapOf(valueMatch).optional(),
  to: z.union([z.string(), mapOf(amount)], "an upstream's name, or weights by name"),
  rewrite: z.string().optional(),
  setHeaders: mapOf(z.string()).optional(),
  removeHeaders: z.array(z.string()).optional(),
  timeoutMs: amount.optional(),
} satisfies Shape<HttpRoute>);

const tls = z.strictObject({
  certificates: z.array(certificate),
  clientCa: pem.optional(),
  minVersion: z.string().optional(),
} satisfies Shape<HttpProxyTls>);

const upstreamTls = z.strictObject({
  serverName: z.string().optional(),
  ca: pem.optional(),
  certificate: certificate.optional(),
  verify: z.literal(false, 'false, or nothing').optional(),
} satisfies Shape<HttpUpstreamTls>);

const timeouts = z.strictObject({
  idleMs: amount.exactOptional(),
  headMs: amount.exactOptional(),
  requestMs: amount.exactOptional(),
  streamIdleMs: amount.exactOptional(),
  tunnelIdleMs: amount.exactOptional(),
} satisfies Shape<CallerTimeouts>);

const hooks = {
  onRequest: aFunction.optional(),
  onRequestData: aFunction.optional(),
  onRequestTrailers: aFunction.optional(),
  onAttempt: aFunction.optional(),
  onResponse: aFunction.optional(),
  onResponseData: aFunction.optional(),
  onResponseTrailers: aFunction.optional(),
  onEnd: aFunction.optional(),
} satisfies Shape<Omit<Filter, 'knowsRuns'>>;

/** A mistyped hook would never be called. Filters may have other methods, those of classes too. */
const filter = z
  .unknown()
  .superRefine((given, context) => {
    const keys = [...namesOf(given)].filter((name) => /^on[A-Z]/.test(name) && !Object.hasOwn(hooks, name));
    if (keys.length > 0) context.addIssue({ code: 'unrecognized_keys', keys });
  })
  .pipe(z.looseObject(hooks));

export const httpProxyShape = z.strictObject({
  listen: z.strictObject({ host: z.string(), port: wholeNumber(0, 65_535) }),
  upstreams: mapOf(z.array(z.string())),
  upstreamTls: mapOf(upstreamTls).optional(),
  routes: z.array(route),
  tls: tls.optional(),
  filters: z.array(filter).optional(),
  timeouts: timeouts.optional(),
  codecOptions: mapOf(z.unknown()).optional(),
} satisfies Shape<HttpProxyOptions>);

/** Those of its classes too. */
function namesOf(given: unknown): Set<string> {
  const names = new Set<string>();
  for (let at = given; isRecord(at) && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    for (const name of Object.getOwnPropertyNames(at)) names.add(name);
  }
  return names;
}
