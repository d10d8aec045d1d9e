/** HttpRouteOptions: what a route asks of the HTTP filter: another path or authority, a redirect, a direct response. */
import { RE2JS } from 're2js';
import { ConfigError, type ConfigIssue } from '../metaprotocol/config-error.ts';

/** What becomes of the path; its query stays. */
export type PathRewrite =
  /** `prefix`, which the route matched, is replaced. */
  | { readonly kind: 'prefix'; readonly prefix: string; readonly to: string }
  | { readonly kind: 'whole'; readonly to: string }
  /** Every match; `$1` stands for its first group, `\$` and `\\` for themselves. */
  | { readonly kind: 'regex'; readonly regex: RE2JS; readonly to: string };

export interface Redirect {
  readonly status: number;
  /** null: as in the request. */
  readonly scheme: 'http' | 'https' | null;
  readonly authority: string | null;
  /** null: that of the authority. `listener`: where the request came in. In JSON a string. */
  readonly port: number | 'listener' | null;
  readonly path: PathRewrite | null;
}

export interface HttpRouteOptions {
  readonly path: PathRewrite | null;
  readonly authority: string | null;
  readonly redirect: Redirect | null;
  readonly direct: { readonly status: number; readonly body: Buffer } | null;
}

const NOTHING: HttpRouteOptions = Object.freeze({ path: null, authority: null, redirect: null, direct: null });
export const REDIRECT_STATUSES: readonly number[] = Object.freeze([301, 302, 303, 307, 308]);

/** `raw` is JSON from config, or undefined. Throws ConfigError with every bad field. */
export function parseHttpRouteOptions(raw: unknown): HttpRouteOptions {
  if (raw === undefined || raw === null) return NOTHING;
  const issues: ConfigIssue[] = [];
  const fields = new Fields(raw, '', issues);
  const redirect = fields.child('redirect');
  const direct = fields.child('direct');
  const options: HttpRouteOptions = {
    path: readPath(fields.child('path')),
    authority: readAuthority(fields),
    redirect: redirect === null ? null : readRedirect(redirect),
    direct: direct === null ? null : { status: direct.integer('status', 200, 599), body: readBody(direct) },
  };
  direct?.end();
  fields.end();
  if (issues.length > 0) throw new ConfigError(issues);
  return options;
}

/** `body` is text, `bytes` base64. */
function readBody(fields: Fields): Buffer {
  const text = fields.text('body');
  const bytes = fields.text('bytes');
  if (text !== null && bytes !== null) fields.fault('bytes', 'is given beside body, expected one of them');
  return bytes === null ? Buffer.from(text ?? '') : Buffer.from(bytes, 'base64');
}

function readRedirect(fields: Fields): Redirect {
  const port = fields.text('port');
  if (port !== null && port !== 'listener' && !/^[1-9]\d{0,4}$/.test(port))
    fields.fault('port', `${port} is not a port`);
  const scheme = fields.text('scheme');
  const status = fields.integer('status', 300, 399);
  if (!REDIRECT_STATUSES.includes(status))
    fields.fault('status', `${status} is not one of ${REDIRECT_STATUSES.join(', ')}`);
  if (scheme !== null && scheme !== 'http' && scheme !== 'https')
    fields.fault('scheme', `${scheme} is not http or https`);
  const redirect: Redirect = {
    status,
    scheme: scheme === 'http' || scheme === 'https' ? scheme : null,
    authority: readAuthority(fields),
    port: port === null ? null : port === 'listener' ? port : Number(port),
    path: readPath(fields.child('path')),
  };
  fields.end();
  return redirect;
}

function readAuthority(fields: Fields): string | null {
  const authority = fields.text('authority');
  if (authority !== null && !/^[\w\-.~!$&'()*+;=%:[\]]+$/.test(authority))
    fields.fault('authority', `${JSON.stringify(authority)} is not a host and port`);
  return authority;
}

function readPath(fields: Fields | null): PathRewrite | null {
  if (fields === null) return null;
  const to = fields.text('to') ?? '';
  if (!/^[!-~]*$/.test(to)) fields.fault('to', `${JSON.stringify(to)} is no path of visible ASCII`);
  const prefix = fields.text('prefix');
  const regex = fields.text('regex');
  fields.end();
  if (prefix !== null) return { kind: 'prefix', prefix, to };
  if (regex === null) return { kind: 'whole', to };
  try {
    const compiled = RE2JS.compile(regex);
    for (const [, group] of to.matchAll(/(?<!\\)\$(\d?)/g))
      if (!group || Number(group) > compiled.groupCount())
        fields.fault('to', `$${group} is no group, expected $0 to $${compiled.groupCount()} or \\$`);
    return { kind: 'regex', regex: compiled, to };
  } catch (error) {
    fields.fault(
      'regex',
      `${JSON.stringify(regex)} is not RE2: ${error instanceof Error ? error.message : String(error)}`,
    );
    return null;
  }
}

/** One JSON object, read field by field; what nobody read is a fault. */
class Fields {
  readonly #values = new Map<string, unknown>();
  readonly #path: string;
  readonly #issues: ConfigIssue[];

  constructor(raw: unknown, path: string, issues: ConfigIssue[]) {
    this.#path = path;
    this.#issues = issues;
    if (typeof raw === 'object' && raw !== null && !Array.isArray(raw)) {
      for (const [key, value] of Object.entries(raw)) this.#values.set(key, value);
    } else this.fault('', `${JSON.stringify(raw)} is not an object`);
  }

  value(key: string): unknown {
    const value = this.#values.get(key);
    this.#values.delete(key);
    return value;
  }

  text(key: string): string | null {
    const value = this.value(key);
    if (value === undefined) return null;
    if (typeof value !== 'string') this.fault(key, `${JSON.stringify(value)} is not a string`);
    return String(value);
  }

  integer(key: string, least: number, most: number): number {
    const value = this.value(key);
    const good = Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
    if (!good) this.fault(key, `${JSON.stringify(value)} is not an integer from ${least} to ${most}`);
    return good ? (value as number) : least;
  }

  child(key: string): Fields | null {
    const value = this.value(key);
    return value === undefined ? null : new Fields(value, this.#at(key), this.#issues);
  }

  fault(key: string, message: string): void {
    this.#issues.push({ path: this.#at(key), message });
  }

  end(): void {
    for (const key of this.#values.keys()) this.fault(key, 'is not an option of the http filter');
  }

  #at(key: string): string {
    return this.#path === '' || key === '' ? `${this.#path}${key}` : `${this.#path}.${key}`;
  }
}
