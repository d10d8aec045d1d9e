import { describe, expect, it } from 'vitest';
import { attributesOf, ClientRig, ServerRig } from '../../../test/harness/dubbo/rigs.ts';
import {
  frame,
  readAnswer,
  readCall,
  type StockAnswer,
  type StockCall,
  stockAnswer,
  stockCall,
} from '../../../test/harness/dubbo/stock-dubbo.ts';
import { feed } from '../../conformance/feed.ts';
import { JAVA_ANSWERS, JAVA_CALLS } from './fixtures/java-frames.ts';
import type { DubboRequest, DubboResponse } from './message.ts';

const ID = 77;

function requestOf(bytes: Buffer, options?: unknown): DubboRequest {
  const { sink, codec } = new ServerRig(options);
  feed(codec, bytes);
  expect(sink.heads).toHaveLength(1);
  return sink.heads[0]!;
}

function call(message: StockCall = {}): DubboRequest {
  return requestOf(stockCall(message));
}

/** As the upstream reads it. */
function sent(request: DubboRequest): Buffer {
  const { codec, out } = new ClientRig();
  codec.encode(ID, request);
  return out.take();
}

function answerOf(bytes: Buffer, dubboVersion = '2.0.2', options?: unknown): DubboResponse {
  const { sink, codec } = new ClientRig(options);
  codec.encode(ID, call({ dubboVersion }));
  const mine = Buffer.from(bytes);
  mine.writeBigInt64BE(BigInt(ID), 4);
  feed(codec, mine);
  return sink.heads[0]!;
}

function answer(message: StockAnswer = {}, dubboVersion?: string): DubboResponse {
  return answerOf(stockAnswer(message), dubboVersion);
}

/** As the caller reads it. */
function received(response: DubboResponse): Buffer {
  const { codec, out } = new ServerRig();
  codec.encode(1, response, call({ id: 5n }));
  return out.take();
}

describe('attachments of a request', () => {
  const ATTACHMENTS = { tier: 'gold', group: 'north', empty: '', μ: 'μελτέμι \u{1f32c}' };

  it('are read whatever stands in front of them', () => {
    const args: unknown[][] = [
      [],
      ['text', 1, 1.5, true, null, new Date(0), Buffer.alloc(70_000)],
      [[1, [2, ['x'.repeat(5_000)]]]],
      [{ $class: 'a.B', $: { x: { $class: 'a.B', $: { x: null } } } }],
      ['μ'.repeat(40_000)],
    ];
    for (const one of args) {
      const types = 'Ljava/lang/Object;'.repeat(one.length);
      const request = call({ args: one, types, attachments: ATTACHMENTS });
      expect(attributesOf(request)).toMatchObject(ATTACHMENTS);
      for (const [key, value] of Object.entries(ATTACHMENTS)) expect(request.get(key)).toBe(value);
      expect(request.get('none')).toBeUndefined();
    }
  });

  it('are looked for only when asked, where arguments are not checked', () => {
    const request = requestOf(stockCall({ attachments: ATTACHMENTS }), { checkArguments: false });
    expect(request.get('tier')).toBe('gold');
    expect(request.get('group')).toBe('north');
  });

  it('are set, replaced and removed; everything else stays', () => {
    const object = { $class: 'a.B', $: { x: 1 } };
    const request = call({
      args: ['μ', [1, 2]],
      types: 'Ljava/lang/String;[I',
      attachments: { ...ATTACHMENTS, object },
    });
    expect(request.set('tier', 'χρυσός \u{1f3c5}')).toBe(true);
    expect(request.set('long', 'x'.repeat(70_000))).toBe(true);
    expect(request.add('group', 'south')).toBe(true);
    expect(request.remove('empty')).toBe(true);
    expect(request.remove('never there')).toBe(true);
    expect(request.get('tier')).toBe('χρυσός \u{1f3c5}');
    expect(request.get('empty')).toBeUndefined();
    const read = readCall(sent(request), 2);
    expect(read.id).toBe(BigInt(ID));
    expect(read.strings).toEqual(['2.0.2', 'meltemi.Wind', '0.0.0', 'echo', 'Ljava/lang/String;[I']);
    expect(read.args).toEqual(['μ', [1, 2]]);
    expect(read.attachments).toEqual({
      tier: 'χρυσός \u{1f3c5}',
      group: 'south',
      μ: ATTACHMENTS.μ,
      object: { x: 1 },
      long: 'x'.repeat(70_000),
    });
  });

  it('that are no strings stay as they are', () => {
    const request = call({ attachments: { list: [1], tier: 'gold' } });
    expect(request.get('list')).toBeUndefined();
    expect(request.set('list', 'x')).toBe(false);
    expect(request.remove('list')).toBe(false);
    expect(attributesOf(request)).not.toHaveProperty('list');
    expect(request.set('tier', 'tin')).toBe(true);
    expect(request.set('list', 'x')).toBe(false);
    expect(readCall(sent(request), 1).attachments).toEqual({ list: [1], tier: 'tin' });
  });

  it('whose name is a fixed key are passed on and hidden', () => {
    const request = call({ attachments: { interface: 'other', method: 'other', version: '9' } });
    expect(request.get('interface')).toBe('meltemi.Wind');
    expect(attributesOf(request)).toMatchObject({ interface: 'meltemi.Wind', method: 'echo', version: '0.0.0' });
    for (const key of ['interface', 'method', 'version', 'dubbo-version', 'parameter-types', 'serialization']) {
      expect(request.set(key, 'x')).toBe(false);
      expect(request.remove(key)).toBe(false);
    }
    expect(sent(request).subarray(16)).toEqual(
      stockCall({ attachments: { interface: 'other', method: 'other', version: '9' } }).subarray(16),
    );
  });

  it('of a fork are its own', () => {
    const request = call({ attachments: ATTACHMENTS });
    const fork = request.fork();
    fork.set('tier', 'fork');
    const second = fork.fork();
    second.remove('tier');
    expect([request, fork, second].map((one) => one.get('tier'))).toEqual(['gold', 'fork', undefined]);
    expect(readCall(sent(request), 1).attachments).toEqual(ATTACHMENTS);
    expect(readCall(sent(fork), 1).attachments).toEqual({ ...ATTACHMENTS, tier: 'fork' });
  });

  it('can be set where the caller wrote null instead of a map, and not where it wrote nothing', () => {
    const bytes = stockCall({ attachments: null });
    const withNull = requestOf(bytes);
    expect(withNull.get('tier')).toBeUndefined();
    expect(withNull.set('tier', 'gold')).toBe(true);
    expect(readCall(sent(withNull), 1).attachments).toEqual({ tier: 'gold' });
    const withNothing = requestOf(frame(0xc2, 0, 1n, bytes.subarray(16, -1)));
    expect(withNothing.get('tier')).toBeUndefined();
    expect(withNothing.set('tier', 'gold')).toBe(false);
  });

  it('may be behind objects of a class that an argument defined', () => {
    const call = stockCall({ args: [], types: 'La/B;', attachments: null }).subarray(16, -1);
    // Class a.B with a field x; an object of it; a map with another one in front of tier.
    const rest = Buffer.from(
      '4303612e42 91 0178 60 90 48 016f 60 91 0474696572 04676f6c64 5a'.replaceAll(' ', ''),
      'hex',
    );
    const bytes = frame(0xc2, 0, 1n, Buffer.concat([call, rest]));
    const request = requestOf(bytes);
    for (let times = 0; times < 3; times++) expect(request.get('tier')).toBe('gold');
    expect(request.set('tier', 'tin')).toBe(true);
    expect(request.remove('o')).toBe(false);
    expect(requestOf(sent(request)).get('tier')).toBe('tin');
  });

  it('in a typed map keep its type', () => {
    const nothing = stockCall({ attachments: null }).subarray(16, -1);
    for (const type of ['01 61', '90']) {
      const map = Buffer.from(`4d${type}04746965720467 6f6c64 5a`.replaceAll(' ', ''), 'hex');
      const request = requestOf(frame(0xc2, 0, 1n, Buffer.concat([nothing, map])));
      expect(request.get('tier')).toBe('gold');
      expect(request.set('tier', 'tin')).toBe(true);
      const typed = Buffer.from(`4d${type}047469657203 74696e 5a`.replaceAll(' ', ''), 'hex');
      expect(sent(request).subarray(16)).toEqual(Buffer.concat([nothing, typed]));
    }
  });

  it('are not set beyond the frame limit', () => {
    const bytes = stockCall({ attachments: ATTACHMENTS });
    const request = requestOf(bytes, { frameLimitBytes: bytes.length - 16 + 10 });
    expect(request.set('key', 'x'.repeat(5))).toBe(true);
    expect(request.set('key', 'x'.repeat(6))).toBe(false);
    expect(request.get('key')).toBe('xxxxx');
    expect(request.remove('tier')).toBe(true);
    expect(request.set('key', 'x'.repeat(10))).toBe(true);
    expect(sent(request)).toHaveLength(bytes.length + 5);
  });

  it.each(JAVA_CALLS)('$title: an edit and its undoing give back every byte', ({ bytes }) => {
    const request = requestOf(bytes);
    request.set('edited', 'yes');
    const edited = sent(request);
    expect(requestOf(edited).get('edited')).toBe('yes');
    request.remove('edited');
    expect(sent(request).subarray(12)).toEqual(bytes.subarray(12));
  });
});

describe('attachments of a response', () => {
  const attachments = { dubbo: '2.0.2', μ: 'ναι' };

  it.each([3, 4, 5])('tag %i: are read, set and removed', (tag) => {
    const value = tag === 5 ? null : { $class: 'a.B', $: { x: 'μ' } };
    const response = answer({ tag, value, attachments });
    expect(response.get('μ')).toBe('ναι');
    expect(response.set('by', 'meltemi')).toBe(true);
    expect(response.remove('dubbo')).toBe(true);
    const read = readAnswer(received(response));
    expect(read).toMatchObject({ id: 5n, status: 20, tag, attachments: { μ: 'ναι', by: 'meltemi' } });
    expect(read.value).toEqual(value === null ? null : { x: 'μ' });
  });

  it.each([0, 1, 2])('tag %i: becomes a tag with attachments for callers that read them', (tag) => {
    const response = answer({ tag, value: 'x' });
    expect(response.get('by')).toBeUndefined();
    expect(response.remove('by')).toBe(true);
    expect(received(response)).toEqual(stockAnswer({ id: 5n, tag, value: 'x' }));
    expect(response.set('by', 'meltemi')).toBe(true);
    const read = readAnswer(received(response));
    expect(read).toMatchObject({ status: 20, tag: tag + 3, attachments: { by: 'meltemi' } });
    expect(read.value).toBe(tag === 2 ? null : 'x');
    expect(response.outcome).toEqual({ code: 20, ok: tag !== 0 });
  });

  it.each(['2.0.1', '2.0.100', '2.5.3', '2.6.0', '3.0.0', ''])(
    'are not added for a caller of protocol %s',
    (version) => {
      expect(answer({ tag: 1 }, version).set('by', 'meltemi')).toBe(false);
      expect(answer({ tag: 4, attachments }, version).set('by', 'meltemi')).toBe(true);
    },
  );

  it.each(['2.0.2', '2.0.10', '2.0.99'])('are added for a caller of protocol %s', (version) => {
    expect(answer({ tag: 1 }, version).set('by', 'meltemi')).toBe(true);
  });

  it('cannot be set on errors, other serializations, unknown tags, and values that cannot be walked', () => {
    expect(answer({ status: 31, value: 'late' }).set('by', 'x')).toBe(false);
    expect(answerOf(frame(0x17, 20, 1n, Buffer.from([0x91]))).set('by', 'x')).toBe(false);
    expect(answerOf(frame(0x02, 20, 1n, Buffer.from([0x96, 0x4e]))).set('by', 'x')).toBe(false);
    expect(answerOf(frame(0x02, 20, 1n, Buffer.from([0x91, 0x05, 0x61]))).set('by', 'x')).toBe(false);
    expect(answerOf(frame(0x02, 20, 1n, Buffer.from([0x91, 0x4e, 0x4e]))).set('by', 'x')).toBe(false);
    expect(answerOf(frame(0x02, 20, 1n, Buffer.alloc(0))).set('by', 'x')).toBe(false);
  });

  it('of a fork are its own', () => {
    const response = answer({ tag: 4, attachments });
    const fork = response.fork();
    fork.set('by', 'fork');
    expect(response.get('by')).toBeUndefined();
    expect(readAnswer(received(fork)).attachments).toEqual({ ...attachments, by: 'fork' });
    expect(readAnswer(received(response)).attachments).toEqual(attachments);
    expect(answer({ tag: 1 }).fork().set('by', 'x')).toBe(true);
  });

  it('are set on what Java providers send', () => {
    for (const { bytes } of JAVA_ANSWERS) {
      const before = readAnswer(bytes);
      const response = answerOf(bytes);
      expect(response.set('by', 'meltemi')).toBe(before.status === 20);
      if (before.status !== 20) continue;
      const read = readAnswer(received(response));
      expect(read.attachments).toEqual({ ...before.attachments, by: 'meltemi' });
      expect(JSON.stringify(read.value, plain)).toBe(JSON.stringify(before.value, plain));
    }
  });
});

/** Forecasts point at themselves. */
function plain(key: string, value: unknown): unknown {
  if (key === 'same' || key === 'cause') return 'itself';
  return typeof value === 'bigint' ? String(value) : value;
}
