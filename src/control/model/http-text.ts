/** The schemas of texts that go into HTTP messages: what no message could carry is refused here, not dropped per request. */
import { RE2JS } from 're2js';
import { z } from 'zod';
import { isTargetText } from '../../schema/request-path.ts';
import { regexFault } from './regex-fault.ts';

/** RFC 9110 §5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~\w]+$/;
const PSEUDO = new Set([':authority', ':method', ':path', ':scheme', ':status']);

const isHeaderName = (text: string): boolean => TOKEN.test(text) || PSEUDO.has(text.toLowerCase());

/** ASCII, as RFC 9110 §5.5 asks of new values: a line break would begin another header. */
const isHeaderValue = (text: string): boolean => /^[\t\x20-\x7e]*$/.test(text);
const HEADER_VALUE = 'a header value of ASCII characters in one line';
const headerValue = z
  .string()
  .refine(isHeaderValue, HEADER_VALUE)
  .refine((text) => /^([^%]|%%|%[A-Z_]+(\([^)]*\))?(:\d+)?%)*$/.test(text), '%% for a percent sign');

/** Texts or matches by header name. */
export function byHeaderName<T extends z.ZodType>(value: T) {
  return z.record(z.string(), value).superRefine((map, context) => {
    for (const key of Object.keys(map)) {
      if (isHeaderName(key)) continue;
      const message = key.startsWith('@request.auth.') ? 'a header: JWT claims are not built yet' : 'a header name';
      context.addIssue({ code: 'custom', path: [key], message });
    }
  });
}

const AUTHORITY = 'a host, or a host and port';
export const authority = z
  .string()
  .refine((text) => /^(\[[\da-f:.]+\]|[\w\-.~!$&'()*+;=%]+)(:\d{1,5})?$/i.test(text), AUTHORITY);

/** Does an operation on this header change the authority of a request? */
export function isAuthorityKey(key: string): boolean {
  return [':authority', 'host'].includes(key.toLowerCase());
}

const headerValues = byHeaderName(headerValue).superRefine((map, context) => {
  for (const [key, value] of Object.entries(map)) {
    if (!isAuthorityKey(key) || authority.safeParse(value).success) continue;
    context.addIssue({ code: 'custom', path: [key], message: AUTHORITY });
  }
});

const headerName = z.string().refine(isHeaderName, 'a header name');
export const headerOperations = z.strictObject({
  set: headerValues.nullish(),
  add: headerValues.nullish(),
  remove: z.array(headerName).nullish(),
});

/** What is expected of a header that a route of another kind writes (`value`) or removes (null); null: that is what it is. */
export function headerFault(key: string, value: string | null): string | null {
  if (!isHeaderName(key)) return 'a header name';
  if (value === null) return null;
  if (!isHeaderValue(value)) return HEADER_VALUE;
  return isAuthorityKey(key) && !authority.safeParse(value).success ? AUTHORITY : null;
}

const PATH = 'a path in ASCII without blanks: other characters are percent-encoded';
/** Of a request, which has no fragment. */
export const requestPath = z.string().refine(isTargetText, `${PATH}, and there is no #`);
/** Of a Location. */
export const locationPath = z.string().refine((text) => /^[!-~]*$/.test(text), PATH);
export const regex = z
  .string()
  .refine((text) => text === '*' || regexFault(text) === null, 'an RE2 regular expression');

/** `\1` is the first group, `\0` the whole match, `\\` a backslash; nothing else begins with one. */
export const regexRewrite = z.strictObject({ match: regex, rewrite: requestPath }).superRefine((value, context) => {
  if (regexFault(value.match) !== null) return;
  const groups = RE2JS.compile(value.match).groupCount();
  for (const [, escaped = ''] of value.rewrite.matchAll(/\\(.?)/g)) {
    if (escaped === '\\' || (/\d/.test(escaped) && Number(escaped) <= groups)) continue;
    const message = `\\0 to \\${groups}, the groups of the regular expression, or \\\\ for a backslash`;
    context.addIssue({ code: 'custom', path: ['rewrite'], message });
    return;
  }
});
