/** faultsOf: what is wrong with a plugin that somebody wrote by hand: whatever the host reads of it later must be there. */

import { PROTOCOL_NAME } from '../../metaprotocol/manifest.ts';

type Kind = 'text' | 'list' | 'object' | 'function' | 'boolean' | 'number';

const PLUGIN = { name: 'text', version: 'text', codecApi: 'text' } as const;
const CODEC = {
  manifest: 'object',
  'manifest.name': 'text',
  'manifest.version': 'text',
  'manifest.family': 'text',
  'manifest.aliases': 'list',
  'manifest.attributes': 'object',
  'manifest.attributes.fixed': 'list',
  'manifest.codes': 'list',
  'manifest.options': 'list',
  'manifest.capabilities': 'object',
  'manifest.capabilities.oneway': 'boolean',
  'manifest.capabilities.streaming': 'boolean',
  'manifest.capabilities.errorReply': 'boolean',
  'manifest.capabilities.idempotencyHint': 'boolean',
  'manifest.capabilities.serverFirst': 'boolean',
  'manifest.capabilities.multiplexing': 'boolean',
  alpn: 'list',
  affinity: 'boolean',
  concurrency: 'object',
  'concurrency.downstream': 'number',
  'concurrency.upstream': 'number',
  parseOptions: 'function',
  createServerCodec: 'function',
  createClientCodec: 'function',
} as const;
const FILTER = { name: 'text', parseOptions: 'function', create: 'function' } as const;

/** Empty: the plugin can be used. */
export function faultsOf(plugin: unknown): string[] {
  if (kindOf(plugin) !== 'object') return ['it has no default export that is an object'];
  const faults = faultsIn(plugin, 'its', PLUGIN);
  const { codecApi, codecs = [], filters = [] } = plugin as Record<string, unknown>;
  if (typeof codecApi === 'string' && !/^\^?\d+\.\d+\.\d+$/.test(codecApi)) {
    faults.push(`its codecApi is "${codecApi}", not a version such as "^1.0.0"`);
  }
  if (!Array.isArray(codecs) || !Array.isArray(filters)) return [...faults, 'its codecs or filters are no list'];
  if (codecs.length + filters.length === 0) faults.push('it has neither codecs nor filters');
  for (const [index, codec] of codecs.entries()) faults.push(...faultsInCodec(codec, index));
  for (const [index, filter] of filters.entries()) faults.push(...faultsIn(filter, `its filters[${index}].`, FILTER));
  return faults;
}

function faultsInCodec(codec: unknown, index: number): string[] {
  const place = `codecs[${index}]`;
  if (kindOf(codec) !== 'object') return [`its ${place} is ${shown(codec)}, not a CodecFactory`];
  const faults = faultsIn(codec, `its ${place}.`, CODEC);
  const { replies, manifest } = codec as { replies: unknown; manifest: unknown };
  if (replies !== 'in-order' && replies !== 'any-order') {
    faults.push(`its ${place}.replies is ${shown(replies)}, not "in-order" or "any-order"`);
  }
  const name = propertyOf(manifest, 'name');
  if (typeof name === 'string' && !PROTOCOL_NAME.test(name)) {
    faults.push(
      `its ${place}.manifest.name is "${name}", not lower case letters, digits and dashes: no port could name it`,
    );
  }
  try {
    // It travels between threads, and as JSON to the control plane.
    JSON.stringify(structuredClone(manifest));
  } catch (error) {
    faults.push(`its ${place}.manifest is not plain data: ${(error as Error).message}`);
  }
  return faults;
}

/** What lies inside something that is missing is not told too. */
function faultsIn(given: unknown, place: string, expected: Readonly<Record<string, Kind>>): string[] {
  return Object.entries(expected).flatMap(([path, kind]) => {
    const keys = path.split('.');
    const last = keys.pop()!;
    const holder = keys.reduce((at, key) => propertyOf(at, key), given);
    if (keys.length > 0 && kindOf(holder) !== 'object') return [];
    const value = propertyOf(holder, last);
    const name = place.endsWith('.') ? `${place}${path}` : `${place} ${path}`;
    return kindOf(value) === kind ? [] : [`${name} is ${shown(value)}, expected: ${kind}`];
  });
}

function propertyOf(value: unknown, key: string): unknown {
  return (value as Readonly<Record<string, unknown>> | null | undefined)?.[key];
}

function kindOf(value: unknown): Kind | null {
  switch (typeof value) {
    case 'string':
      return value === '' ? null : 'text';
    case 'object':
      return value === null ? null : Array.isArray(value) ? 'list' : 'object';
    case 'function':
    case 'boolean':
    case 'number':
      return typeof value as 'function' | 'boolean' | 'number';
    default:
      return null;
  }
}

function shown(value: unknown): string {
  return JSON.stringify(value) ?? String(value);
}
