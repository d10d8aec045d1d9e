/** MetaRouter (metaprotocol.aeraki.io): the routes of one service, for every protocol, on the attributes of its requests. */
import { z } from 'zod';
import { duration, exportTo, hostName, nonEmpty, portNumber, subsetName } from './fields.ts';
import { type KindDefinition, resourceSchema } from './kind.ts';
import { regexFault } from './regex-fault.ts';

const regex = z.string().refine((text) => text === '*' || regexFault(text) === null, {
  error: (issue) => `an RE2 regular expression (${regexFault(String(issue.input)) ?? 'not valid'})`,
});

/** null, `{}`, `exact: ""` and regex `*` ask for presence. */
const stringMatch = z
  .strictObject({ exact: z.string().nullish(), prefix: nonEmpty.nullish(), regex: regex.nullish() })
  .refine(
    (match) => Object.values(match).filter((value) => value !== undefined && value !== null).length <= 1,
    'one of exact, prefix, regex',
  );

const attributes = z.record(nonEmpty, stringMatch.nullable());

const destination = z.strictObject({
  host: hostName,
  subset: subsetName,
  port: z.strictObject({ number: portNumber.nullish() }).nullish(),
});

/** Shares are sent in millionths. */
const LEAST_PERCENT = 0.0001;

const keyValue = z.strictObject({ key: nonEmpty, value: nonEmpty });
const texts = z.record(nonEmpty, z.string());
const headerOperations = z.strictObject({
  set: texts.nullish(),
  add: texts.nullish(),
  remove: z.array(nonEmpty).nullish(),
});

const route = z
  .strictObject({
    name: z.string().nullish(),
    match: z.strictObject({ attributes: attributes.nullish(), withoutAttributes: attributes.nullish() }).nullish(),
    route: z.array(z.strictObject({ destination, weight: z.int().min(0).max(100).nullish() })).min(1),
    mirror: destination.nullish(),
    mirrorPercentage: z.strictObject({ value: z.number().nullish() }).nullish(),
    requestMutation: z.array(keyValue).nullish(),
    responseMutation: z.array(keyValue).nullish(),
    timeout: duration.nullish(),
    headers: z.strictObject({ request: headerOperations.nullish(), response: headerOperations.nullish() }).nullish(),
  })
  .superRefine((value, context) => {
    const fault = (path: (string | number)[], message: string): void =>
      context.addIssue({ code: 'custom', path, message });
    const sum = value.route.reduce((total, part) => total + (part.weight ?? 0), 0);
    if (value.route.length > 1 && sum !== 100) fault(['route'], `weights that sum to 100, not ${sum}`);
    const percentage = value.mirrorPercentage?.value;
    if (value.mirrorPercentage && !value.mirror) fault(['mirrorPercentage'], 'a mirror beside it');
    if (typeof percentage === 'number' && !(percentage >= LEAST_PERCENT && percentage <= 100))
      fault(['mirrorPercentage', 'value'], `${LEAST_PERCENT} to 100`);
  });

const tokenBucket = z.strictObject({
  maxTokens: z.int().min(1),
  tokensPerFill: z.int().min(1),
  fillInterval: duration,
});

const localRateLimit = z
  .strictObject({
    tokenBucket: tokenBucket.nullish(),
    conditions: z
      .array(z.strictObject({ match: z.strictObject({ attributes: attributes.nullish() }), tokenBucket }))
      .nullish(),
  })
  .refine((limit) => Boolean(limit.tokenBucket) || (limit.conditions?.length ?? 0) > 0, 'a tokenBucket or conditions');

const globalRateLimit = z.strictObject({
  match: z.strictObject({ attributes: attributes.nullish() }).nullish(),
  domain: nonEmpty,
  requestTimeout: duration.nullish(),
  denyOnFail: z.boolean().nullish(),
  rateLimitService: nonEmpty,
  descriptors: z.array(z.strictObject({ property: nonEmpty, descriptorKey: nonEmpty })).min(1),
});

const specSchema = z
  .strictObject({
    hosts: z.array(hostName).refine((hosts) => hosts.length === 1, 'exactly one host'),
    gateways: z.array(nonEmpty).nullish(),
    routes: z.array(route).nullish(),
    localRateLimit: localRateLimit.nullish(),
    globalRateLimit: globalRateLimit.nullish(),
    exportTo: exportTo.nullish(),
  })
  .refine(
    (spec) => Boolean(spec.routes?.length || spec.localRateLimit || spec.globalRateLimit),
    'at least one of routes, localRateLimit, globalRateLimit',
  );

export type MetaRouterSpec = z.infer<typeof specSchema>;
export type MetaRouteSpec = z.infer<typeof route>;
export type StringMatchSpec = z.infer<typeof stringMatch>;

export const metaRouterKind: KindDefinition<MetaRouterSpec> = {
  kind: 'MetaRouter',
  group: 'metaprotocol.aeraki.io',
  versions: ['v1alpha1'],
  schema: resourceSchema(specSchema),
  notApplied: [
    { path: 'spec.localRateLimit', reason: 'rate limits are not built yet' },
    { path: 'spec.globalRateLimit', reason: 'rate limits are not built yet' },
  ],
};
