/**
 * readSamples: a folder of samples. `NAME.request.hex` with `NAME.response.hex` is an exchange, without it a oneway request;
 * `NAME.heartbeat.hex` with `NAME.heartbeat-answer.hex` a heartbeat; `NAME.request-sent.hex` and `NAME.response-sent.hex` are what
 * the other side gets of messages that stream. `.bin` files hold the bytes themselves.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readTraits } from './read-traits.ts';
import type { Exchange, HeartbeatSample, Sample, Samples } from './sample.ts';

/** The roles of files, and whose file must be there too. */
const ROLES: Readonly<Record<string, string | null>> = {
  request: null,
  'request-sent': 'request',
  response: 'request',
  'response-sent': 'response',
  heartbeat: null,
  'heartbeat-answer': 'heartbeat',
};

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

/** Throws an error that names file and line. */
export async function readSamples(directory: string): Promise<Samples> {
  const samples = new Map<string, Sample>();
  for (const file of (await readdir(directory)).sort()) {
    if (!/\.(?:hex|bin)$/.test(file)) continue;
    const match = /^(?<name>.+)\.(?<role>[a-z-]+)\.(?<ending>hex|bin)$/.exec(file);
    if (match === null) throw new Error(`${join(directory, file)}: expected a name such as say.request.hex`);
    const { name, role, ending } = match.groups as { name: string; role: string; ending: string };
    if (!Object.hasOwn(ROLES, role)) {
      throw new Error(`${join(directory, file)}: ${role} is not one of ${Object.keys(ROLES).join(', ')}`);
    }
    if (samples.has(`${name}.${role}`)) throw new Error(`${join(directory, file)}: there is a .bin of it too`);
    const content = await readFile(join(directory, file));
    const sample =
      ending === 'bin'
        ? { name, bytes: content, attributes: {} }
        : readHexSample(name, content.toString(), join(directory, file));
    samples.set(`${name}.${role}`, sample);
  }
  const exchanges: Exchange[] = [];
  const heartbeats: HeartbeatSample[] = [];
  for (const [key, sample] of samples) {
    const { name } = sample;
    const found = (role: string): Sample | null => {
      const other = samples.get(`${name}.${role}`);
      const sent = samples.get(`${name}.${role}-sent`)?.bytes;
      return other === undefined ? null : sent === undefined ? other : { ...other, sent };
    };
    const role = key.slice(name.length + 1);
    const needed = ROLES[role]!;
    if (needed !== null && !samples.has(`${name}.${needed}`)) {
      throw new Error(`${join(directory, key)}: there is no ${name}.${needed}`);
    }
    if (role === 'request') {
      exchanges.push({ name, request: found(role)!, response: found('response') });
    } else if (role === 'heartbeat') {
      heartbeats.push({ name, bytes: sample.bytes, answer: found('heartbeat-answer')?.bytes ?? null });
    }
  }
  if (exchanges.length === 0) throw new Error(`${directory}: no file is named NAME.request.hex or NAME.request.bin`);
  const traits = await readTraits(directory);
  return { exchanges, heartbeats, ...(traits === undefined ? {} : { traits }) };
}

/**
 * Hexadecimal digits with any white space, and text in double quotes, as JSON writes it, for its UTF-8 bytes. `# …` is a comment to the
 * end of the line; lines that start with `@` say what must be read: `@attribute method = echo`, `@code = 4`, `@ok = false`; of
 * messages that stream `@data = text`, `@trailer key = value`, and `@end = close` or `@end = fin`.
 */
export function readHexSample(name: string, text: string, place: string): Sample {
  const sample: Writable<Sample> = { name, bytes: Buffer.alloc(0), attributes: Object.create(null) };
  // Two digits for each byte, whatever white space lies between them.
  let hex = '';
  for (const [index, line] of text.split('\n').entries()) {
    const bad = (message: string) => new Error(`${place}:${index + 1}: ${message}`);
    if (line.startsWith('@')) {
      if (!readStatement(line.trimEnd(), sample)) throw bad(`${line}: ${EXPECTED_STATEMENT}`);
    } else {
      const digits = lineDigits(line);
      if (digits === null) throw bad(`${line.trim()}: not hexadecimal digits, nor text in quotes`);
      hex += digits;
    }
  }
  if (hex.length === 0 || hex.length % 2 === 1) throw new Error(`${place}: ${hex.length} hexadecimal digits`);
  sample.bytes = Buffer.from(hex, 'hex');
  return sample;
}

const EXPECTED_STATEMENT =
  'expected @attribute KEY = VALUE, @trailer KEY = VALUE, @code = NUMBER, @ok = true or false, @data = TEXT, @end = close or fin';

/** False: it is none. */
function readStatement(line: string, sample: Writable<Sample>): boolean {
  const said = /^@(?<word>[a-z]+)(?: (?<key>.+?))? = ?(?<value>.*)$/.exec(line);
  if (said === null) return false;
  const { word, key, value = '' } = said.groups!;
  const outcome = sample.outcome;
  switch (`${word} ${key === undefined ? '' : 'KEY'}`) {
    case 'attribute KEY':
      sample.attributes = { ...sample.attributes, [key!]: value };
      return true;
    case 'trailer KEY':
      sample.trailers = { ...sample.trailers, [key!]: value };
      return true;
    case 'code ':
      if (!/^-?\d{1,10}$/.test(value)) return false;
      sample.outcome = { code: Number(value), ok: outcome?.ok ?? Number(value) === 0 };
      return true;
    case 'ok ':
      if (value !== 'true' && value !== 'false') return false;
      sample.outcome = { code: outcome?.code ?? 0, ok: value === 'true' };
      return true;
    case 'data ':
      sample.data = Buffer.from(value);
      return true;
    case 'end ':
      if (value !== 'close' && value !== 'fin') return false;
      sample.end = value;
      return true;
    default:
      return false;
  }
}

/** The digits of a line, those of its texts among them; null: there is something else. */
function lineDigits(line: string): string | null {
  let digits = '';
  for (let rest = line.trim(); rest !== '' && !rest.startsWith('#'); ) {
    const found = /^[0-9a-fA-F]+|^"(?:[^"\\]|\\.)*"/.exec(rest)?.[0];
    if (found === undefined) return null;
    const text = found.startsWith('"') ? hexOfText(found) : found;
    if (text === null) return null;
    digits += text;
    rest = rest.slice(found.length).trimStart();
  }
  return digits;
}

function hexOfText(quoted: string): string | null {
  try {
    return Buffer.from(JSON.parse(quoted) as string).toString('hex');
  } catch {
    return null;
  }
}
