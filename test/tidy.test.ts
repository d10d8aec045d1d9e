/** What the layout promises, checked: import direction, sizes, no shared state, no promises on the data path, docs = code. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { Status } from '../src/metaprotocol/status.ts';

const ROOT = path.resolve(import.meta.dirname, '..');

interface SourceFile {
  /** From the root: `src/metaprotocol/codec.ts`. */
  readonly name: string;
  readonly text: string;
  /** Without comments. */
  readonly code: string;
}

function filesBelow(folder: string): SourceFile[] {
  const names = readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' });
  return names
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
    .map((name) => path.posix.join(folder, name.split(path.sep).join('/')))
    .sort()
    .map((name) => {
      const text = readFileSync(path.join(ROOT, name), 'utf8');
      return { name, text, code: text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '') };
    });
}

const isTest = ({ name }: SourceFile) => /\.test\.ts$|\/fixtures\/|\/testing\/|\/rules\//.test(name);
const all = filesBelow('src');
const production = all.filter((file) => !isTest(file));
const below = (...folders: string[]) => production.filter(({ name }) => folders.some((one) => name.startsWith(one)));

interface Import {
  readonly from: SourceFile;
  /** From the root. */
  readonly to: string;
  readonly typeOnly: boolean;
}

function importsOf(from: SourceFile): Import[] {
  const found: Import[] = [];
  const statement = /^(?:import|export)\s+(type\s)?(?:[^'";]*?\sfrom\s+)?'(\.[^']+)'/gm;
  for (const [, type, target] of from.code.matchAll(statement)) {
    const to = path.posix.join(path.posix.dirname(from.name), target!);
    found.push({ from, to, typeOnly: type !== undefined });
  }
  for (const [, target] of from.code.matchAll(/\bimport\('(\.[^']+)'\)/g)) {
    found.push({ from, to: path.posix.join(path.posix.dirname(from.name), target!), typeOnly: false });
  }
  return found;
}

/** `src/codecs/thrift/wire.ts` is of `codecs`. */
const partOf = (name: string) => (name.startsWith('src/') ? name.split('/')[1]! : `${name.split('/')[0]!}/`);

describe('imports', () => {
  /** Whom each part of src may import besides itself. */
  const allowed: Readonly<Record<string, readonly string[]>> = {
    metaprotocol: [],
    codecs: ['metaprotocol'],
    http: ['metaprotocol'],
    sdk: ['metaprotocol', 'codecs', 'schema'],
    conformance: ['metaprotocol', 'codecs', 'sdk', 'schema'],
    xds: [],
    schema: [],
    state: [],
    control: ['xds', 'schema', 'state'],
    proxy: ['metaprotocol', 'codecs', 'http', 'xds', 'schema', 'state'],
    dashboard: [],
    cli: ['metaprotocol', 'codecs', 'http', 'xds', 'schema', 'control', 'proxy', 'sdk', 'conformance', 'dashboard'],
    'index.ts': ['metaprotocol', 'codecs', 'http', 'xds', 'control', 'proxy', 'sdk', 'conformance'],
  };
  const every = production.flatMap(importsOf);

  it('are found at all', () => {
    expect(every.length).toBeGreaterThan(300);
  });

  it('go in one direction only', () => {
    const wrong = every.filter(({ from, to, typeOnly }) => {
      const [mine, theirs] = [partOf(from.name), partOf(to)];
      if (mine === theirs || allowed[mine]?.includes(theirs) === true) return false;
      return !(['control', 'schema'].includes(mine) && typeOnly && to === 'src/metaprotocol/manifest.ts');
    });
    expect(wrong.map(({ from, to }) => `${from.name} imports ${to}`)).toEqual([]);
  });

  it('of one codec never name another', () => {
    const protocolOf = (name: string) => /^src\/codecs\/([^/]+)\//.exec(name)?.[1];
    const wrong = every.filter(({ from, to }) => {
      const [mine, theirs] = [protocolOf(from.name), protocolOf(to)];
      return mine !== undefined && theirs !== undefined && mine !== theirs;
    });
    expect(wrong.map(({ from, to }) => `${from.name} imports ${to}`)).toEqual([]);
  });

  it('of tests stay within src, the harness, the scripts and the plugins', () => {
    const wrong = all
      .filter(isTest)
      .flatMap(importsOf)
      .filter(({ to }) => !/^(?:src|test\/harness|scripts|plugins)\//.test(to));
    expect(wrong.map(({ from, to }) => `${from.name} imports ${to}`)).toEqual([]);
  });
});

describe('files', () => {
  const tests = [...all.filter(isTest), ...filesBelow('test')];
  const lines = ({ text }: SourceFile) => text.split('\n').length - 1;

  it('are small', () => {
    const large = [...production.filter((file) => lines(file) > 600), ...tests.filter((file) => lines(file) > 800)];
    expect(large.map((file) => `${file.name}: ${lines(file)} lines`)).toEqual([]);
  });

  it('say at their head what they are for', () => {
    const silent = production.filter(({ text }) => !/^(#!.*\n)?\/\*\*/.test(text));
    expect(silent.map(({ name }) => name)).toEqual([]);
  });

  it('are named in kebab-case', () => {
    const odd = [...all, ...tests].filter(({ name }) => !/^[a-z0-9./-]+$/.test(name));
    expect(odd.map(({ name }) => name)).toEqual([]);
  });

  it('of src have no default export, and re-export only where the package is entered', () => {
    const entries = ['src/index.ts', 'src/sdk/codec.ts', 'src/conformance/conformance.ts'];
    const wrong = production.filter(({ name, code }) => {
      return (
        /^export default/m.test(code) ||
        (!entries.includes(name) && /^export (?:\*|(?:type )?\{[^}]*\}) from/m.test(code))
      );
    });
    expect(wrong.map(({ name }) => name)).toEqual([]);
  });

  it('of a codec are the same in every folder', () => {
    const folders = new Set(below('src/codecs/').flatMap(({ name }) => /^src\/codecs\/[^/]+\//.exec(name)?.[0] ?? []));
    // A folder counts once its plugin is there: it is then part of the product.
    const finished = [...folders].filter((folder) => production.some(({ name }) => name === `${folder}plugin.ts`));
    expect(finished.length).toBeGreaterThan(0);
    const missing = finished.flatMap((folder) => {
      // Opaque bytes have no wire format to describe and no way to say an error.
      const opaque = folder === 'src/codecs/tcp/';
      return ['message.ts', 'codec.ts', 'plugin.ts', ...(opaque ? [] : ['wire.ts', 'reply.ts'])]
        .map((file) => `${folder}${file}`)
        .filter((file) => !production.some(({ name }) => name === file));
    });
    expect(missing).toEqual([]);
  });
});

describe('the data path', () => {
  it('keeps no mutable state in modules', () => {
    const variable = /^(?:export )?(?:let|var) \w+/gm;
    // Empty: whatever is in it later came at run time.
    const container =
      /^(?:export )?const \w+(?:: (?!Readonly|readonly)[^=\n]+)? = (?:new (?:Weak)?(?:Map|Set)(?:<[^\n]*>)?\(\)|\[\];|\{\};)/gm;
    const wrong = production.flatMap(({ name, code }) => {
      return [...code.matchAll(variable), ...code.matchAll(container)].map(([found]) => `${name}: ${found}`);
    });
    expect(wrong).toEqual([]);
  });

  it('has no promise: only what prepares configuration may wait', () => {
    const waits = ['src/metaprotocol/runtime.ts', 'src/metaprotocol/listener/listener.ts'];
    const wrong = below('src/metaprotocol/', 'src/codecs/', 'src/http/').filter(({ name, code }) => {
      return !waits.includes(name) && /\basync\b|\bawait\b|\bPromise\b|\.then\(/.test(code);
    });
    expect(wrong.map(({ name }) => name)).toEqual([]);
  });

  it('joins what it reads in framing.ts only', () => {
    const decoding = /^src\/(?:metaprotocol|http)\/|^src\/codecs\/[^/]+\/(?:codec|[a-z-]*meter|[a-z-]*reader)\.ts$/;
    const wrong = production.filter(({ name, code }) => decoding.test(name) && code.includes('Buffer.concat'));
    expect(wrong.map(({ name }) => name)).toEqual([]);
  });

  it('names no protocol in the core', () => {
    const wrong = below('src/metaprotocol/').filter(({ code }) => /\b(thrift|dubbo|redis|http2?|grpc)\b/i.test(code));
    expect(wrong.map(({ name }) => name)).toEqual([]);
  });

  it('uses the words of the field', () => {
    const wrong = [...all, ...filesBelow('test')].flatMap(({ name, code }) => {
      const made =
        /\b(?:class|interface|type|function|const|let)\s+(\w*(?:[Hh]ijack|[Hh]elpers?|Utils?|Manager|Processor|Impl)|I[A-Z][a-z]\w*)\b/g;
      // HttpConnectionManager is Envoy's own name of the message.
      const words = [...code.matchAll(made)].filter(([, word]) => !/httpConnectionManager$/i.test(word!));
      return words.map(([, word]) => `${name}: ${word}`);
    });
    expect(wrong).toEqual([]);
  });
});

describe('docs', () => {
  /** First column of the tables of a page: | `name` | … */
  const named = (page: string) => {
    const text = readFileSync(path.join(ROOT, 'docs', page), 'utf8');
    return [...text.matchAll(/^\| `([a-z0-9_]+)` \|/gm)].map(([, name]) => name!).sort();
  };

  it('errors.md lists every status, and no other', () => {
    expect(named('errors.md')).toEqual(Object.keys(Status).sort());
  });

  it('stats.md lists every statistic of the code, and no other', () => {
    const inCode = production.flatMap(({ code }) => {
      return [...code.matchAll(/\.(?:counter|gauge|histogram)\(\s*'([a-z0-9_]+)'/g)].map(([, name]) => name!);
    });
    expect(named('stats.md')).toEqual([...new Set(inCode)].sort());
  });
});
