/**
 * TlsMaterials: certificates, keys and CAs of all TLS that is configured, with what their files hold now. What its files make unusable
 * keeps the last good texts, says so once in the log, and as a note for as long as it lasts.
 */
import type { Clock } from '../metaprotocol/clock.ts';
import { ConfigError } from '../metaprotocol/config-error.ts';
import type { Log } from '../metaprotocol/core.ts';
import { SYSTEM_CA } from '../metaprotocol/description.ts';
import type { Counter, StatsScope } from '../metaprotocol/stats.ts';
import { certificatesOf, readIdentity } from '../metaprotocol/tls/secure-context.ts';
import { type PemSource, type PemUnit, pemUnitsOf, type TlsPlan } from './describe/tls.ts';
import { type Files, FileWatch } from './file-watch.ts';
import type { ResourceRemark } from './resource-remark.ts';

export interface TlsMaterialsOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly stats: StatsScope;
  /** Something can be used now that differs from what was. */
  readonly onChange: () => void;
  readonly files?: Files;
}

/** TLS of a resource. */
export interface OwnedTls {
  readonly typeUrl: string;
  readonly name: string;
  readonly tls: TlsPlan;
}

interface Unit {
  readonly sources: PemUnit;
  /** null: none were ever usable. */
  good: readonly string[] | null;
  /** Of what the files hold now; '': none. */
  fault: string;
}

export class TlsMaterials {
  readonly #options: TlsMaterialsOptions;
  readonly #files: FileWatch;
  readonly #units = new Map<string, Unit>();
  readonly #reloads: Counter;
  readonly #failures: Counter;
  #owned: readonly OwnedTls[] = [];
  /** Loaded since the last `use`: what was refused is waited for. */
  #tried: OwnedTls[] = [];

  constructor(options: TlsMaterialsOptions) {
    const { clock, files, stats } = options;
    this.#options = options;
    this.#reloads = stats.counter('tls_reloads_total');
    this.#failures = stats.counter('tls_reload_failures_total');
    this.#files = new FileWatch({
      clock,
      onChange: () => this.#onFiles(),
      ...(files === undefined ? {} : { files }),
    });
  }

  /** Reads what these need and was not read before; answers with those of them that have nothing usable, and why. */
  async load(owned: readonly OwnedTls[]): Promise<ResourceRemark[]> {
    this.#tried.push(...owned);
    await this.#files.add(owned.flatMap(({ tls }) => pemUnitsOf(tls).flat().flatMap(filesOf)));
    for (const { tls } of owned) {
      for (const sources of pemUnitsOf(tls)) {
        const key = keyOf(sources);
        if (this.#units.has(key)) continue;
        const unit = { sources, good: null, fault: '' };
        this.#units.set(key, unit);
        this.#judge(unit);
      }
    }
    return this.#remarks(owned, (unit) => (unit.good === null ? unit.fault : ''));
  }

  /** Was it loaded, and is there some text of each of its parts? */
  isUsable(plan: TlsPlan): boolean {
    return pemUnitsOf(plan).every((sources) => (this.#units.get(keyOf(sources))?.good ?? null) !== null);
  }

  /** These run from now on. What neither they nor others that were loaded since the last time need is forgotten. */
  use(owned: readonly OwnedTls[]): void {
    this.#owned = owned;
    const units = [...owned, ...this.#tried].flatMap(({ tls }) => pemUnitsOf(tls));
    this.#tried = [];
    const keys = new Set(units.map(keyOf));
    for (const key of this.#units.keys()) if (!keys.has(key)) this.#units.delete(key);
    this.#files.retain(new Set(units.flat().flatMap(filesOf)));
  }

  /** The last good texts of a unit that was loaded and has some. */
  readonly textsOf = (unit: PemUnit): readonly string[] => {
    const good = this.#units.get(keyOf(unit))?.good ?? null;
    if (good === null) throw new Error(`no usable text of ${unit.map(labelOf).join(', ')}`);
    return good;
  };

  /** Of what is used, as long as it is not what its files hold. */
  notes(): ResourceRemark[] {
    return this.#remarks(this.#owned, ({ good, fault }) => {
      return good === null || fault === '' ? '' : `${fault}; the last good one goes on`;
    });
  }

  close(): void {
    this.#files.close();
  }

  #remarks(owned: readonly OwnedTls[], say: (unit: Unit) => string): ResourceRemark[] {
    return owned.flatMap(({ typeUrl, name, tls }) => {
      const texts = pemUnitsOf(tls).map((sources) => say(this.#units.get(keyOf(sources))!));
      const message = texts.filter((text) => text !== '').join('; ');
      return message === '' ? [] : [{ typeUrl, name, message: `TLS: ${message}` }];
    });
  }

  #onFiles(): void {
    let changed = false;
    for (const unit of this.#units.values()) {
      const { good, fault } = unit;
      this.#judge(unit);
      const isNew = unit.good !== good;
      changed ||= isNew;
      const files = unit.sources.map(labelOf);
      if (isNew) {
        this.#reloads.add();
        this.#options.log.info({ files }, 'TLS files read again, new handshakes use them');
      } else if (unit.fault !== fault && unit.fault !== '') {
        this.#failures.add();
        this.#options.log.warn({ files, reason: unit.fault }, 'TLS files are not usable, the last good ones go on');
      }
    }
    if (changed) this.#options.onChange();
  }

  /** Same texts keep their array, so that nobody takes them for new. */
  #judge(unit: Unit): void {
    try {
      const texts = unit.sources.map((source) => this.#textOf(source));
      check(unit.sources, texts);
      unit.fault = '';
      if (unit.good?.every((text, index) => text === texts[index])) return;
      unit.good = texts;
      if (texts[0] !== SYSTEM_CA) this.#showExpiry(unit.sources[0]!, texts[0]!);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      unit.fault = error.issues.map(({ path, message }) => `${path}: ${message}`).join('; ');
    }
  }

  #textOf(source: PemSource): string {
    if ('inline' in source) return source.inline;
    if ('system' in source) return SYSTEM_CA;
    if ('secret' in source) throw new Error(`secret ${source.secret} was not looked up`);
    const { text, fault } = this.#files.readingOf(source.file);
    if (text !== undefined) return text;
    throw new ConfigError([{ path: source.file, message: fault }]);
  }

  #showExpiry(source: PemSource, pem: string): void {
    const gauge = this.#options.stats.gauge('tls_certificate_expiry_seconds', { certificate: labelOf(source) });
    const expiresMs = Math.min(...certificatesOf(pem).map((certificate) => Date.parse(certificate.validTo)));
    gauge.add(Math.floor(expiresMs / 1_000) - gauge.value);
  }
}

/** Throws ConfigError whose paths are files. */
function check(sources: PemUnit, texts: readonly string[]): void {
  const [first, second] = sources.map(labelOf);
  const [chain = '', key] = texts;
  try {
    if (chain === SYSTEM_CA) return;
    if (key === undefined) certificatesOf(chain);
    else readIdentity({ chain, key });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(
      error.issues.map(({ path, message }) => ({ path: (path === 'key' ? second : first) ?? '', message })),
    );
  }
}

function filesOf(source: PemSource): string[] {
  return 'file' in source ? [source.file] : [];
}

function labelOf(source: PemSource): string {
  if ('file' in source) return source.file;
  if ('system' in source) return 'system CAs';
  return 'inline' in source ? source.label : `secret ${source.secret}`;
}

function keyOf(sources: PemUnit): string {
  return JSON.stringify(sources);
}
