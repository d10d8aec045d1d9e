/** RequestLine: the method, target and version of a request, with the one authority that its target and its Host name. */
import type { Fields } from './fields.ts';
import type { HeadFault, HeadRules } from './head-rules.ts';
import { mayBeUnnormal, normalTarget } from './normal-path.ts';
import { BYTE, Class, isAll, SP } from './wire.ts';

/** Told by length and first byte, so that usual methods make no new strings. */
const METHODS = ['GET', 'PUT', 'POST', 'HEAD', 'PATCH', 'DELETE', 'OPTIONS', 'CONNECT', 'TRACE'] as const;

export class RequestLine {
  method = '';
  /** As offsets from the head's start: what goes upstream as the target, unless `target` is set. */
  targetFrom = 0;
  targetTo = 0;
  /** The target in another form than it came (absolute-form becomes origin-form); null: as it came. */
  target: string | null = null;
  /** 0: HTTP/1.0; 1: HTTP/1.1. */
  minor = 1;
  authority = '';
  scheme: 'http' | 'https' = 'http';
  fault: HeadFault | null = null;
  /** A connection's requests mostly name the same host. */
  #lastHost = '';
  readonly #normalizes: boolean;

  /** `normalizes`: paths, see `normalTarget`. */
  constructor(normalizes = false) {
    this.#normalizes = normalizes;
  }

  /** The line is `bytes[base + from, base + to)`, CR and LF included. False: see `fault`. */
  read(bytes: Buffer, base: number, from: number, to: number, fields: Fields, rules: HeadRules): boolean {
    this.fault = null;
    this.target = null;
    this.scheme = 'http';
    const start = base + from;
    const end = base + to - 1;
    let at = start;
    while (at < end && (BYTE[bytes[at]!]! & Class.Token) !== 0) at++;
    if (at === start || bytes[at] !== SP) return this.#refuse('a request line without a method');
    this.method = methodOf(bytes, start, at);
    const targetFrom = at + 1;
    at = targetFrom;
    while (at < end && (BYTE[bytes[at]!]! & Class.Target) !== 0) at++;
    const targetTo = at;
    if (targetTo === targetFrom || bytes[at] !== SP) return this.#refuse('a request line without a valid target');
    if (!this.#readVersion(bytes, at + 1, end)) return false;
    this.targetFrom = targetFrom - base;
    this.targetTo = targetTo - base;
    return this.#readHost(fields, rules) && this.#readTarget(bytes, targetFrom, targetTo, rules);
  }

  #readVersion(bytes: Buffer, from: number, end: number): boolean {
    // `HTTP/1.1` and nothing else.
    const whole =
      end - from === 8 &&
      bytes[from] === 0x48 &&
      bytes[from + 1] === 0x54 &&
      bytes[from + 2] === 0x54 &&
      bytes[from + 3] === 0x50 &&
      bytes[from + 4] === 0x2f &&
      bytes[from + 6] === 0x2e;
    const major = bytes[from + 5]! - 0x30;
    const minor = bytes[from + 7]! - 0x30;
    if (!whole || major < 0 || major > 9 || minor < 0 || minor > 9) {
      return this.#refuse('a request line without a valid version');
    }
    if (major !== 1 || minor > 1) {
      return this.#refuse(`HTTP version ${major}.${minor}, expected 1.1 or 1.0`, 505);
    }
    this.minor = minor;
    return true;
  }

  #readHost(fields: Fields, rules: HeadRules): boolean {
    if (rules.hosts > 1 || (rules.hosts === 0 && this.minor === 1)) {
      return this.#refuse(`${rules.hosts} Host headers, expected one`);
    }
    if (rules.host >= 0 && this.#lastHost !== '' && fields.hasValue(rules.host, this.#lastHost)) {
      this.authority = this.#lastHost;
      return true;
    }
    this.authority = rules.host < 0 ? '' : fields.value(rules.host);
    if (!isAuthority(this.authority, true)) {
      return this.#refuse(`Host ${JSON.stringify(this.authority)} is not a host and port`);
    }
    this.#lastHost = this.authority;
    return true;
  }

  #readTarget(bytes: Buffer, from: number, to: number, rules: HeadRules): boolean {
    if (this.method === 'CONNECT') return this.#readAuthorityForm(bytes.toString('latin1', from, to), rules);
    if (bytes[from] === 0x2f) {
      if (!this.#normalizes || !mayBeUnnormal(bytes, from, to)) return true;
      return this.#normalize(bytes.toString('latin1', from, to));
    }
    const target = bytes.toString('latin1', from, to);
    if (target === '*' && this.method === 'OPTIONS') return true;
    const parts = /^(https?):\/\/([^/?]+)(.*)$/i.exec(target);
    if (parts === null) return this.#refuse('a request target that is neither a path nor an http URI');
    const authority = parts[2]!;
    if (!isAuthority(authority, false)) return this.#refuse('a request target with an invalid authority');
    if (rules.hosts === 1 && authority.toLowerCase() !== this.authority.toLowerCase()) {
      return this.#refuse(`Host ${JSON.stringify(this.authority)}, but the target names ${JSON.stringify(authority)}`);
    }
    this.authority = authority;
    this.scheme = parts[1]!.toLowerCase() as 'http' | 'https';
    const path = parts[3]!;
    // RFC 9112 §3.2.4: OPTIONS of a server, not of its root.
    if (path === '' && this.method === 'OPTIONS') this.target = '*';
    else this.target = path.startsWith('/') ? path : `/${path}`;
    return !this.#normalizes || this.target === '*' || this.#normalize(this.target);
  }

  #normalize(target: string): boolean {
    const normal = normalTarget(target);
    if (normal === null) return this.#refuse('%00 or an escape within an escape in the path');
    // What is written anew is no longer as it came.
    if (normal !== target) this.target = normal;
    return true;
  }

  #readAuthorityForm(target: string, rules: HeadRules): boolean {
    if (!/:\d{1,5}$/.test(target) || !isAuthority(target, false)) {
      return this.#refuse('a CONNECT target that is not a host and port');
    }
    if (rules.hosts === 1 && !sameHost(target, this.authority)) {
      return this.#refuse(`Host ${JSON.stringify(this.authority)}, but the target names ${JSON.stringify(target)}`);
    }
    if (rules.framing !== 0) return this.#refuse('a CONNECT request with a body');
    this.authority = target;
    return true;
  }

  #refuse(text: string, httpStatus = 400): false {
    this.fault = { text, httpStatus };
    return false;
  }
}

/** Host and optional port. The empty one is allowed in Host only. */
export function isAuthority(text: string, mayBeEmpty: boolean): boolean {
  if (text === '') return mayBeEmpty;
  if (!isAll(text, Class.Authority)) return false;
  return /^(\[[0-9A-Fa-f:.]+\]|[^:[\]]+)(:\d{0,5})?$/.test(text);
}

/** Clients leave the port out of Host, or not. */
function sameHost(target: string, host: string): boolean {
  const [a, b] = [target.toLowerCase(), host.toLowerCase()];
  return a === b || a.replace(/:\d+$/, '') === b;
}

function methodOf(bytes: Buffer, from: number, to: number): string {
  for (const method of METHODS) {
    if (method.length !== to - from || bytes[from] !== method.charCodeAt(0)) continue;
    let at = 1;
    while (at < method.length && bytes[from + at] === method.charCodeAt(at)) at++;
    if (at === method.length) return method;
  }
  return bytes.toString('latin1', from, to);
}
