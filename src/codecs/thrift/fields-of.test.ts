import { describe, expect, it } from 'vitest';
import { writeStock } from '../../../test/harness/thrift/stock-thrift.ts';
import { thriftFields } from './fields-of.ts';
import { PYTHON_MESSAGES } from './fixtures/python-messages.ts';

const CALL = { protocol: 'binary', name: 'Wind:gust', type: 1, seqid: 7, argument: 'hi' } as const;
const textOf = (frame: Buffer) => thriftFields(frame).map(({ name, at, bytes, value }) => [name, at, bytes, value]);
const BODY = '0b0001000000026869' + '00';

describe('the fields of a Thrift message', () => {
  it('are named with their places, a method apart from its service', () => {
    expect(textOf(writeStock({ ...CALL, transport: 'framed' }))).toEqual([
      ['length', 0, 4, '31'],
      ['version', 4, 2, '8001'],
      ['message-type', 7, 1, 'call'],
      ['service', 12, 4, 'Wind'],
      ['method', 17, 4, 'gust'],
      ['id', 21, 4, '7'],
      ['body', 25, 10, BODY],
    ]);
    expect(textOf(writeStock({ ...CALL, transport: 'unframed', protocol: 'compact', name: 'gust', type: 2 }))).toEqual([
      ['version', 0, 1, '82'],
      ['message-type', 1, 1, 'reply'],
      ['id', 2, 1, '7'],
      ['method', 4, 4, 'gust'],
      ['body', 8, 5, '1802686900'],
    ]);
  });

  it('have the headers of a THeader frame in front', () => {
    const frame = writeStock({ ...CALL, transport: 'theader', headers: { island: 'Naxos', tier: 'gold' } });
    expect(textOf(frame).slice(0, 8)).toEqual([
      ['length', 0, 4, '69'],
      ['magic', 4, 2, '0fff'],
      ['flags', 6, 2, '0000'],
      ['header-id', 8, 4, '0'],
      ['header-words', 12, 2, '7'],
      ['header-protocol', 14, 2, 'binary, 0 transforms'],
      ['island', 19, 12, 'Naxos'],
      ['tier', 32, 9, 'gold'],
    ]);
  });

  it('are told as far as they go', () => {
    for (const { bytes } of PYTHON_MESSAGES) {
      for (let length = 0; length < Math.min(bytes.length, 200); length++) {
        for (const field of thriftFields(bytes.subarray(0, length))) {
          expect(field.at + field.bytes).toBeLessThanOrEqual(length);
        }
      }
    }
  });
});
