import { fileURLToPath } from 'node:url';
import { readSamples, testCodec } from 'meltemi/conformance';
import { describe, it } from 'vitest';
import plugin from './codec.ts';

const samples = await readSamples(fileURLToPath(new URL('samples', import.meta.url)));

describe('echo-rpc', () => testCodec({ factory: plugin.codecs[0], samples }, it));
