/** What a match block asks for in vain: no request says so, and whoever reads the YAML takes it for a condition that works. */
import { isRequestPath } from '../../schema/request-path.ts';
import type { FieldPath } from '../model/resource.ts';
import type { HttpMatchSpec, HttpStringMatchSpec } from '../model/virtual-service.ts';

export interface Vain {
  /** Within the block. */
  readonly path: FieldPath;
  readonly message: string;
}

/** Taken out before a route is looked for (RFC 9110 §7.6.1). The `upgrade` of an upgrade stays. */
const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'proxy-connection', 'te', 'transfer-encoding']);
const PARAMETER_NAME = /^[!"$%'-<>-~]+$/;
const PARAMETER_VALUE = /^[!"$%'-~]*$/;
const AROUND = { exact: /^[ \t]|[ \t]$/, prefix: /^[ \t]/ } as const;

export function vainConditions(match: HttpMatchSpec): Vain[] {
  const { uri, method, queryParams } = match;
  const found: Vain[] = [];
  const note = (path: FieldPath, message: string): void => void found.push({ path, message });
  for (const [kind, text] of textsOf(uri)) {
    if (isRequestPath(text)) continue;
    const why = text.startsWith('/')
      ? 'is no path as requests have it: ASCII, other characters percent-encoded, without its query'
      : 'begins no path: they begin with /';
    note(['uri', kind], `never holds: ${JSON.stringify(text)} ${why}`);
  }
  if (match.ignoreUriCase && typeof uri?.regex === 'string')
    note(['ignoreUriCase'], 'has no effect on a regex: write (?i) into it');
  for (const [kind, text] of textsOf(method)) {
    const upper = text.toUpperCase();
    if (text !== upper) note(['method', kind], `${text} is another method than ${upper}: case counts`);
  }
  for (const [name, value] of Object.entries(queryParams ?? {})) {
    const written = 'in the query as it is written: ASCII, other characters percent-encoded';
    if (!PARAMETER_NAME.test(name))
      note(['queryParams', name], `never holds: no parameter is called ${JSON.stringify(name)} ${written}`);
    for (const [kind, text] of textsOf(value)) {
      if (PARAMETER_VALUE.test(text)) continue;
      note(['queryParams', name, kind], `never holds: no parameter has ${JSON.stringify(text)} ${written}`);
    }
  }
  for (const field of ['headers', 'withoutHeaders'] as const) {
    for (const [key, value] of Object.entries(match[field] ?? {})) {
      if (HOP_BY_HOP.has(key.toLowerCase())) note([field, key], `${key} is of one connection: routes never see it`);
      for (const [kind, text] of textsOf(value)) {
        if (AROUND[kind].test(text)) note([field, key, kind], `never holds: values have no blanks around them`);
      }
    }
  }
  return found;
}

function textsOf(match: HttpStringMatchSpec | null | undefined): ['exact' | 'prefix', string][] {
  const texts = [['exact', match?.exact] as const, ['prefix', match?.prefix] as const];
  return texts.flatMap(([kind, text]) => (typeof text === 'string' ? [[kind, text]] : []));
}
