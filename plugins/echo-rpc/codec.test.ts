import { fileURLToPath } from 'node:url';
import { readSamples, testCodec } from 'meltemi/conformance';
import { describe, it } from 'vitest';
import echoRpc from './codec.ts';

const samples = await readSamples(fileURLToPath(new URL('samples', import.meta.url)));

describe('echo-rpc', () => testCodec({ factory: echoRpc.codecs[0], samples }, it));
