import { describe } from 'vitest';
import { JAVA_ANSWERS, JAVA_CALLS, JAVA_EVENTS } from '../../src/codecs/dubbo/fixtures/java-frames.ts';
import { dubboFactory } from '../../src/codecs/dubbo/plugin.ts';
import type { Exchange, HeartbeatSample } from '../../src/conformance/sample.ts';
import { conforms } from './conforms.ts';

const idOf = () => [{ at: 4, bytes: 8 }];
const sample = (name: string, bytes: Buffer) => ({ name, bytes, attributes: {} });
const isAnswered = (bytes: Buffer) => (bytes[2]! & 0x40) !== 0;
const isHeartbeatQuestion = (bytes: Buffer) => isAnswered(bytes) && bytes[16] === 0x4e;

/** Captured calls, each with a captured answer, under the call's id. */
function exchanges(): Exchange[] {
  return JAVA_CALLS.map(({ title, bytes }, index) => {
    const request = sample(title, bytes);
    if (!isAnswered(bytes)) return { name: title, request, response: null };
    const answer = Buffer.from(JAVA_ANSWERS[index % JAVA_ANSWERS.length]!.bytes);
    bytes.copy(answer, 4, 4, 12);
    return { name: title, request, response: sample(title, answer) };
  });
}

/** An event that asks is answered by one with status 20 and the same id. */
function heartbeats(): HeartbeatSample[] {
  return JAVA_EVENTS.filter(({ bytes }) => isHeartbeatQuestion(bytes)).map(({ title, bytes }) => {
    const answer = Buffer.from(bytes);
    answer[2] = 0x22;
    answer[3] = 20;
    return { name: title, bytes, answer };
  });
}

describe('dubbo conforms', () => {
  const samples = { exchanges: exchanges(), heartbeats: heartbeats() };
  conforms({ factory: dubboFactory, samples, idOf }, new URL('../../docs/codecs/dubbo.md', import.meta.url));
});
