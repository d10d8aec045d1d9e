import { describe } from 'vitest';
import { redisFactory } from '../../src/codecs/redis/plugin.ts';
import { commandBytes } from '../../src/codecs/redis/wire.ts';
import type { Exchange } from '../../src/conformance/sample.ts';
import { conforms } from './conforms.ts';

/** A command, what redis-server 7 answers it, and attributes that must be read. */
function exchange(command: string, answer: string, attributes: Readonly<Record<string, string>> = {}): Exchange {
  const name = command.split(' ')[0]!;
  const request = { name, bytes: commandBytes(command.split(' ')), attributes };
  const outcome = answer.startsWith('-') ? {} : { outcome: { code: 0, ok: true } };
  return { name, request, response: { name, bytes: Buffer.from(answer), attributes: {}, ...outcome } };
}

describe('redis conforms', () => {
  const exchanges = [
    exchange('GET wind:meltemi', '$9\r\nfrom.nort\r\n', { command: 'GET', key: 'wind:meltemi', 'key-count': '1' }),
    exchange(`SET wind:meltemi ${'x'.repeat(3_000)}`, '+OK\r\n', { command: 'SET', 'read-only': 'false' }),
    exchange('INCR wind:meltemi', '-ERR value is not an integer or out of range\r\n'),
    exchange('LRANGE isles 0 -1', '*2\r\n$5\r\nNaxos\r\n$5\r\nParos\r\n'),
    exchange('GETEX nothing', '$-1\r\n'),
    exchange('PING', '+PONG\r\n'),
  ];
  const page = new URL('../../docs/codecs/redis.md', import.meta.url);
  const samples = { exchanges, heartbeats: [] };
  conforms({ factory: redisFactory, samples, followers: { key: ['hash-key'] }, dropsHalfRequests: true }, page);
});
