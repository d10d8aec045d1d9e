/** Rule 10: what is oversize fails before it is buffered. Rule 11: malformed input is answered in its place where it can be. */
import { describe, expect, it } from 'vitest';
import { IdMesh, OrderMesh, ScriptedFilter, StreamMesh } from '../../../test/harness/toy-mesh.ts';
import { toyStreamRequest, toyStreamResponse } from '../../../test/harness/toys/toy-stream-message.ts';
import { watchLeaks } from '../../../test/harness/watch-leaks.ts';
import { Flag } from '../message.ts';

describe('rule 10: limits', () => {
  it('an oversize length closes its caller with a log line that says actual, limit and place; others go on', () => {
    const mesh = watchLeaks(new IdMesh({ codecOptions: { frameLimitBytes: 1_000 } }));
    const [bad, good] = [mesh.newCaller(), mesh.newCaller()];
    bad.call(1n, 'fine');
    good.call(1n, 'fine');
    mesh.settle();
    const length = Buffer.alloc(4);
    length.writeUInt32BE(2_000_000_000);
    bad.send(length);
    mesh.settle();
    expect(bad.closed).toBe(true);
    expect(mesh.log.join('\n')).toContain('frame of 2000000004 bytes > frameLimitBytes 1000 at byte 31');
    expect(mesh.stat('downstream_codec_errors_total')).toBe(1);
    const { connection } = mesh.upstream();
    for (const frame of connection.takeFrames()) connection.answer(frame);
    mesh.settle();
    expect(good.takeTexts()).toEqual(['1 fine']);
    bad.end();
    mesh.settle();
  });

  it('an oversize answer closes that upstream connection and fails what ran on it', () => {
    const mesh = watchLeaks(new IdMesh({ codecOptions: { frameLimitBytes: 1_000 } }));
    const caller = mesh.newCaller();
    caller.call(1n);
    mesh.settle();
    const { connection } = mesh.upstream();
    connection.send(Buffer.from([0xff, 0xff, 0xff, 0xff]));
    mesh.settle();
    expect(connection.closed).toBe(true);
    expect(caller.takeFrames()).toMatchObject([{ head: expect.stringContaining('error=upstream_malformed') }]);
  });
});

describe('rule 11: malformed input', () => {
  it('that can be answered is answered behind the earlier answers, logged by filters, and then the caller is closed', () => {
    const filter = new ScriptedFilter();
    const mesh = watchLeaks(new OrderMesh({ codecOptions: { lineLimitBytes: 20 }, filters: [filter] }));
    const caller = mesh.newCaller();
    caller.sendLines('GET 1', 'x'.repeat(30), 'GET 2');
    mesh.settle();
    const { connection } = mesh.upstream();
    expect(connection.lines).toEqual(['GET 1']);
    expect([caller.lines, caller.closed]).toEqual([[], false]);
    connection.sendLines('+1');
    mesh.settle();
    expect(caller.takeLines()).toEqual(['+1', expect.stringMatching(/^-malformed .*line of 31 bytes/)]);
    expect(caller.closed).toBe(true);
    expect(filter.ended.length).toBe(2);
    caller.end();
    mesh.settle();
  });

  it('that cannot be answered closes its caller and nobody else', () => {
    const mesh = watchLeaks(new IdMesh());
    const [bad, good] = [mesh.newCaller(), mesh.newCaller()];
    for (const caller of [bad, good]) caller.call(1n, 'fine');
    mesh.settle();
    bad.send(Buffer.from([0, 0, 0, 2, 0, 0]));
    mesh.settle();
    expect(bad.closed).toBe(true);
    const { connection } = mesh.upstream();
    for (const frame of connection.takeFrames()) connection.answer(frame);
    mesh.settle();
    expect(good.takeTexts()).toEqual(['1 fine']);
    expect(connection.closed).toBe(false);
    bad.end();
    mesh.settle();
  });

  it('what was answered before the malformed bytes still goes out', () => {
    const mesh = watchLeaks(new StreamMesh());
    const caller = mesh.newCaller();
    caller.codec.encode(1, toyStreamRequest({ method: 'get' }, Flag.End));
    mesh.settle();
    const { connection } = mesh.upstream();
    caller.reading = false;
    connection.codec.encode(1, toyStreamResponse({ status: '0' }, Flag.End), null);
    mesh.settle();
    caller.send(Buffer.from([0xff, 0xff, 0xff, 0xff]));
    mesh.settle();
    caller.reading = true;
    mesh.settle();
    expect(caller.sink.heads[0]!.get('status')).toBe('0');
    expect(caller.closed).toBe(true);
    caller.end();
    mesh.settle();
  });

  it('QUIT is answered, then the caller is closed behind all its answers', () => {
    const mesh = watchLeaks(new OrderMesh());
    const caller = mesh.newCaller();
    caller.sendLines('GET 1', 'QUIT', 'GET 2');
    mesh.settle();
    expect(caller.closed).toBe(false);
    mesh.upstream().connection.sendLines('+1');
    mesh.settle();
    expect(caller.takeLines()).toEqual(['+1', '+BYE']);
    expect(caller.closed).toBe(true);
    caller.end();
    mesh.settle();
  });

  it('a half-close is no abort: what was asked is answered, then the connection is closed', () => {
    const mesh = watchLeaks(new IdMesh());
    const caller = mesh.newCaller();
    caller.call(1n, 'asked');
    caller.end();
    mesh.settle();
    const { connection } = mesh.upstream();
    expect(caller.wire.destroyed).toBe(false);
    connection.answer(connection.takeFrames()[0]!);
    mesh.settle();
    expect(caller.takeTexts()).toEqual(['1 asked']);
    expect(caller.wire.destroyed).toBe(true);
  });

  it('a half-close in the middle of a request aborts that request', () => {
    const mesh = watchLeaks(new StreamMesh());
    const caller = mesh.newCaller();
    caller.codec.encode(1, toyStreamRequest({ method: 'put' }));
    caller.codec.encode(2, toyStreamRequest({ method: 'get' }, Flag.End));
    mesh.settle();
    caller.end();
    mesh.settle();
    const { connection } = mesh.upstream();
    expect(connection.sink.events.at(-1)).toMatchObject({ kind: 'reset', id: 1 });
    connection.codec.encode(2, toyStreamResponse({ status: '0' }, Flag.End), null);
    mesh.settle();
    expect(caller.sink.headIds).toEqual([2]);
    expect(caller.wire.destroyed).toBe(true);
  });
});
