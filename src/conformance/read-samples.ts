/**
 * readSamples: a folder of samples. `NAME.request.hex` with `NAME.response.hex` is an exchange, without it a oneway request;
 * `NAME.heartbeat.hex` with `NAME.heartbeat-answer.hex` a heartbeat. `.bin` files hold the bytes themselves.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Outcome } from '../metaprotocol/message.ts';
import type { Exchange, HeartbeatSample, Sample, Samples } from './sample.ts';

const ROLES = ['request', 'response', 'heartbeat', 'heartbeat-answer'] as const;

/** Throws an error that names file and line. */
export async function readSamples(directory: string): Promise<Samples> {
  const samples = new Map<string, Sample>();
  for (const file of (await readdir(directory)).sort()) {
    const match = /^(?<name>.+)\.(?<role>[a-z-]+)\.(?<ending>hex|bin)$/.exec(file);
    if (match === null) continue;
    const { name, role, ending } = match.groups as { name: string; role: string; ending: string };
    if (!(ROLES as readonly string[]).includes(role)) {
      throw new Error(`${join(directory, file)}: ${role} is not one of ${ROLES.join(', ')}`);
    }
    const content = await readFile(join(directory, file));
    const sample =
      ending === 'bin' ? { name, bytes: content, attributes: {} } : readHexSample(name, content.toString(), file);
    samples.set(`${name}.${role}`, sample);
  }
  const exchanges: Exchange[] = [];
  const heartbeats: HeartbeatSample[] = [];
  for (const [key, sample] of samples) {
    const { name } = sample;
    if (key === `${name}.request`) {
      exchanges.push({ name, request: sample, response: samples.get(`${name}.response`) ?? null });
    } else if (key === `${name}.heartbeat`) {
      heartbeats.push({ name, bytes: sample.bytes, answer: samples.get(`${name}.heartbeat-answer`)?.bytes ?? null });
    } else if (!samples.has(`${name}.${key.endsWith('answer') ? 'heartbeat' : 'request'}`)) {
      throw new Error(`${join(directory, key)}: answers nothing that is there`);
    }
  }
  if (exchanges.length === 0) throw new Error(`${directory}: no file is named NAME.request.hex or NAME.request.bin`);
  return { exchanges, heartbeats };
}

/**
 * Hexadecimal digits with any white space. `# …` is a comment to the end of the line; lines that start with `@` say what must be
 * read: `@attribute method = echo`, `@code = 4`, `@ok = false`.
 */
export function readHexSample(name: string, text: string, place: string): Sample {
  const attributes: Record<string, string> = Object.create(null);
  let outcome: Outcome | undefined;
  let digits = '';
  for (const [index, line] of text.split('\n').entries()) {
    const bad = (message: string) => new Error(`${place}:${index + 1}: ${message}`);
    if (line.startsWith('@')) {
      const said = /^@(?:attribute (?<key>.+?)|(?<word>code|ok)) = ?(?<value>.*)$/.exec(line.trimEnd());
      if (said === null) throw bad(`${line}: expected @attribute KEY = VALUE, @code = NUMBER or @ok = true or false`);
      const { key, word, value = '' } = said.groups!;
      if (key !== undefined) attributes[key] = value;
      else if (word === 'code') outcome = { code: Number(value), ok: outcome?.ok ?? Number(value) === 0 };
      else outcome = { code: outcome?.code ?? 0, ok: value === 'true' };
      continue;
    }
    const hex = line.replace(/#.*/, '').replace(/\s/g, '');
    if (!/^[0-9a-fA-F]*$/.test(hex)) throw bad(`${line.trim()}: not hexadecimal digits`);
    digits += hex;
  }
  if (digits.length === 0 || digits.length % 2 === 1) throw new Error(`${place}: ${digits.length} hexadecimal digits`);
  const bytes = Buffer.from(digits, 'hex');
  return outcome === undefined ? { name, bytes, attributes } : { name, bytes, attributes, outcome };
}
