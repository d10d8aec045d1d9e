import { describe } from 'vitest';
import { PYTHON_ANSWERS, PYTHON_CALLS } from '../../src/codecs/thrift/fixtures/python-messages.ts';
import { thriftFactory } from '../../src/codecs/thrift/plugin.ts';
import type { Sample } from '../../src/conformance/sample.ts';
import type { IdPlace } from '../../src/conformance/subject.ts';
import { conforms } from './conforms.ts';

const TRANSPORTS = ['framed', 'unframed', 'theader'] as const;

/** The binary protocol: compact ids change their size, which codec.test.ts looks at. */
function sampleOf(transport: string, title: string): Sample {
  const message = [...PYTHON_CALLS, ...PYTHON_ANSWERS].find(
    (one) => one.transport === transport && one.protocol === 'binary' && !one.old && one.title === title,
  )!;
  const method = message.name.split(':').at(-1)!;
  return { name: `${transport} ${title}`, bytes: message.bytes, attributes: { transport, method } };
}

/** The sequence id behind the name, and in THeader's own head. */
function idOf(frame: Buffer): IdPlace[] {
  const isTheader = frame.readUInt16BE(4) === 0x0fff;
  const innerAt = isTheader ? 14 + frame.readUInt16BE(12) * 4 : frame.readUInt16BE(0) === 0x8001 ? 0 : 4;
  const at = innerAt + 8 + frame.readUInt32BE(innerAt + 4);
  return [{ at, bytes: 4 }, ...(isTheader ? [{ at: 8, bytes: 4 }] : [])];
}

/** Answers under the id of their call. */
function exchangeOf(transport: string, call: string, answer: string) {
  const request = sampleOf(transport, call);
  const response = sampleOf(transport, answer);
  const bytes = Buffer.from(response.bytes);
  for (const [index, { at }] of idOf(bytes).entries()) {
    const from = idOf(request.bytes)[index]!.at;
    request.bytes.copy(bytes, at, from, from + 4);
  }
  return { name: `${transport} ${call}`, request, response: { ...response, bytes } };
}

describe('thrift conforms', () => {
  const exchanges = TRANSPORTS.flatMap((transport) => [
    exchangeOf(transport, 'rich call', 'success'),
    exchangeOf(transport, 'empty call', 'void reply'),
    exchangeOf(transport, 'negative id', 'application exception'),
    { name: `${transport} oneway`, request: sampleOf(transport, 'oneway'), response: null },
  ]);
  const samples = { exchanges, heartbeats: [] };
  conforms({ factory: thriftFactory, samples, idOf }, new URL('../../docs/codecs/thrift.md', import.meta.url));
});
