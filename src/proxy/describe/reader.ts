/** Reader: takes fields out of proto3 JSON and keeps account of what was wrong and of what nobody asked for. */
import type { ConfigIssue } from '../../metaprotocol/config-error.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../xds/json.ts';

/** What reading one resource found. */
export class Report {
  /** Any of these refuses the resource. */
  readonly errors: ConfigIssue[] = [];
  /** Accepted and without effect: shown on the resource's status. */
  readonly notes: ConfigIssue[] = [];
}

export class Reader {
  readonly path: string;
  readonly report: Report;
  readonly #value: JsonObject;
  readonly #asked = new Set<string>();

  constructor(value: JsonObject, path: string, report: Report) {
    this.#value = value;
    this.path = path;
    this.report = report;
  }

  has(key: string): boolean {
    return this.#value[key] !== undefined && this.#value[key] !== null;
  }

  keys(): string[] {
    return Object.keys(this.#value);
  }

  raw(key: string): JsonValue | undefined {
    this.#asked.add(key);
    return this.#value[key] ?? undefined;
  }

  string(key: string, absent = ''): string {
    return this.#typed(key, 'a string', absent, (value) => typeof value === 'string');
  }

  flag(key: string, absent = false): boolean {
    return this.#typed(key, 'true or false', absent, (value) => typeof value === 'boolean');
  }

  /** A number of at least `minimum`; 64-bit numbers, which proto3 JSON writes as strings, are read too. */
  number(key: string, absent: number, minimum = 0): number {
    const raw = this.raw(key);
    if (raw === undefined) return absent;
    const value = typeof raw === 'string' && /^-?\d+$/.test(raw) ? Number(raw) : raw;
    if (typeof value === 'number' && value >= minimum) return value;
    this.error(`${JSON.stringify(raw)} is not a number of at least ${minimum}`, key);
    return absent;
  }

  /** Milliseconds of a proto3 JSON duration: `"1.5s"`. */
  durationMs(key: string, absentMs: number): number {
    const raw = this.raw(key);
    if (raw === undefined) return absentMs;
    const match = typeof raw === 'string' ? /^(\d+(?:\.\d+)?)s$/.exec(raw) : null;
    if (match !== null) return Math.round(Number(match[1]) * 1e6) / 1e3;
    this.error(`${JSON.stringify(raw)} is not a duration of at least 0, such as "1.5s"`, key);
    return absentMs;
  }

  strings(key: string): string[] {
    return this.#list(key).filter((value, index): value is string => {
      if (typeof value === 'string') return true;
      this.error(`${JSON.stringify(value)} is not a string`, `${key}[${index}]`);
      return false;
    });
  }

  child(key: string): Reader | null {
    const value = this.raw(key);
    if (value === undefined) return null;
    if (isJsonObject(value)) return new Reader(value, this.#at(key), this.report);
    this.error(`${JSON.stringify(value)} is not an object`, key);
    return null;
  }

  children(key: string): Reader[] {
    const readers: Reader[] = [];
    this.#list(key).forEach((value, index) => {
      if (isJsonObject(value)) readers.push(new Reader(value, this.#at(`${key}[${index}]`), this.report));
      else this.error(`${JSON.stringify(value)} is not an object`, `${key}[${index}]`);
    });
    return readers;
  }

  /** Every field, each as the object it must be: for maps. */
  fields(): [key: string, field: Reader][] {
    return this.keys().flatMap((key): [string, Reader][] => {
      const field = this.child(key);
      return field === null ? [] : [[key, field]];
    });
  }

  error(message: string, key = ''): void {
    this.report.errors.push({ path: this.#at(key), message });
  }

  note(message: string, key = ''): void {
    this.report.notes.push({ path: this.#at(key), message });
  }

  /** Fields that change nothing whatever they say. */
  ignore(...keys: string[]): void {
    for (const key of keys) this.#asked.add(key);
  }

  /**
   * Last: what nobody asked for. Where leaving a field out would change which requests are let through or where they go,
   * it is an error, else a note.
   */
  end(unasked: 'error' | 'note'): void {
    for (const [key, value] of Object.entries(this.#value)) {
      if (this.#asked.has(key) || isDefault(value)) continue;
      if (unasked === 'error') this.error('this proxy does not support this field', key);
      else this.note('not applied: this proxy does not support this field', key);
    }
  }

  #typed<T>(key: string, expected: string, absent: T, accepts: (value: unknown) => boolean): T {
    const value = this.raw(key);
    if (value === undefined) return absent;
    if (accepts(value)) return value as T;
    this.error(`${JSON.stringify(value)} is not ${expected}`, key);
    return absent;
  }

  #list(key: string): readonly unknown[] {
    return this.#typed<readonly unknown[]>(key, 'a list', [], Array.isArray);
  }

  #at(key: string): string {
    if (key === '') return this.path;
    return this.path === '' ? key : `${this.path}.${key}`;
  }
}

function isDefault(value: unknown): boolean {
  if (value === undefined || value === null || value === false || value === 0 || value === '' || value === '0')
    return true;
  if (Array.isArray(value)) return value.length === 0;
  return false;
}
