/** The schemas of fields that several kinds share. Each refinement's text is what was expected. */
import { isIP } from 'node:net';
import { z } from 'zod';
import { parseDurationMs } from './duration.ts';

const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const LABEL_OF_ANY_CASE = new RegExp(LABEL, 'i');
const ANY_CASE_LABEL = 'a DNS label: at most 63 of a-z, A-Z, 0-9 and -';
/** Of a protobuf Duration, in which durations travel. */
const LONGEST_DURATION_H = 87_660_000;

export function isHostName(text: string): boolean {
  return (
    text.length <= 253 &&
    text.split('.').every((label) => /^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/.test(label))
  );
}

export const nonEmpty = z.string().min(1);
export const portNumber = z.int().min(1).max(65_535);
export const stringMap = z.record(z.string(), z.string());
export const duration = z
  .string()
  .refine((text) => parseDurationMs(text) !== null, 'a duration such as 1.5s, 200ms or 1m')
  .refine((text) => {
    const ms = parseDurationMs(text);
    return ms === null || ms === 0 || (ms >= 1 && ms <= LONGEST_DURATION_H * 3_600_000);
  }, `0s, or a duration from 1ms to ${LONGEST_DURATION_H}h`);
export const hostName = z.string().refine(isHostName, 'a host name of dot-separated labels');
export const dnsLabel = z.string().refine((text) => LABEL.test(text), 'a DNS label: at most 63 of a-z, 0-9 and -');
/** Empty: the default one. */
export const namespace = z
  .string()
  .refine((text) => text === '' || LABEL.test(text), 'a DNS label: at most 63 of a-z, 0-9 and -');
/** As Kubernetes names resources; identities are told apart by / between their parts. */
export const resourceName = z
  .string()
  .refine(
    (text) => text.length <= 253 && text.split('.').every((part) => LABEL.test(part)),
    'a name of at most 253 of a-z, 0-9, - and .',
  );
/** Names of ports and subsets, which Istio takes in any case and which stand in names of clusters. */
export const memberName = z.string().refine((text) => LABEL_OF_ANY_CASE.test(text), ANY_CASE_LABEL);
/** That a route names; empty, as protobuf's default: the whole service. */
export const subsetName = z
  .string()
  .refine((text) => text === '' || LABEL_OF_ANY_CASE.test(text), ANY_CASE_LABEL)
  .nullish();
export const ipAddress = z.string().refine((text) => isIP(text) !== 0, 'an IP address');

export const ipOrRange = z.string().refine((text) => {
  const [address = '', bits, rest] = text.split('/');
  const family = isIP(address);
  if (family === 0 || rest !== undefined) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
}, 'an IP address or a CIDR range');

export const exportTo = z.array(z.string()).superRefine((list, context) => {
  const expected = (index: number, message: string): void => {
    context.addIssue({ code: 'custom', path: [index], message });
  };
  list.forEach((item, index) => {
    if (list.indexOf(item) !== index) expected(index, 'each namespace once');
    else if ((item === '*' || item === '~') && list.length > 1) expected(index, `${item} alone in the list`);
    else if (!['*', '.', '~'].includes(item) && !LABEL.test(item)) expected(index, 'a namespace, `.` or `*`');
  });
});

export const labelSelector = z.strictObject({ labels: stringMap.nullish() });
/** Taken as it is: the whole field is reported as not applied. */
export const opaque = z.unknown();
