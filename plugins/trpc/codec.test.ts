import { fileURLToPath } from 'node:url';
import { readSamples, testCodec } from 'meltemi/conformance';
import { describe, it } from 'vitest';
import trpc from './codec.ts';

const samples = await readSamples(fileURLToPath(new URL('samples', import.meta.url)));

describe('trpc', () => testCodec({ factory: trpc.codecs[0], samples }, it));
