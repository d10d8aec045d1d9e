import { describe, expect, it } from 'vitest';
import { RecordingOutput, UNWRITTEN } from '../../src/conformance/recording-output.ts';
import { FakeClock } from './fake-clock.ts';
import { MemoryWire } from './memory-wire.ts';

describe('RecordingOutput', () => {
  it('keeps the order of copies, stamps and views, over growth', () => {
    const out = new RecordingOutput();
    const big = Buffer.alloc(3_000, 1);
    out.append(Buffer.from('abc'), 1, 3);
    out.view(Buffer.from('VIEW'));
    const offset = out.append(big, 0, big.length);
    out.slab[offset] = 9;
    expect(out.queuedBytes).toBe(3_006);
    expect(out.take()).toEqual(Buffer.concat([Buffer.from('bcVIEW'), Buffer.of(9), big.subarray(1)]));
    expect(out.queuedBytes).toBe(0);
    expect(out.take().length).toBe(0);
  });

  it('shows reserved bytes that nobody wrote and fails on views that somebody wrote to', () => {
    const out = new RecordingOutput();
    out.reserve(2);
    expect(out.take()).toEqual(Buffer.of(UNWRITTEN, UNWRITTEN));
    const viewed = Buffer.from('viewed');
    out.view(viewed);
    viewed[0] = 0;
    expect(() => out.take()).toThrow('viewed bytes were written to');
  });

  it('is full from its high-water mark on', () => {
    const out = new RecordingOutput();
    out.highWaterBytes = 4;
    out.append(Buffer.from('abc'), 0, 3);
    expect(out.full).toBe(false);
    out.view(Buffer.from('d'));
    expect(out.full).toBe(true);
    out.take();
    expect(out.full).toBe(false);
  });
});

describe('FakeClock', () => {
  it('runs timers in order of time, then of setting, including those set on the way', () => {
    const clock = new FakeClock();
    const ran: string[] = [];
    clock.setTimer(20, () => ran.push(`late at ${clock.nowMs()}`));
    clock.setTimer(10, () => {
      ran.push(`first at ${clock.nowMs()}`);
      clock.setTimer(5, () => ran.push(`set on the way at ${clock.nowMs()}`));
    });
    clock.setTimer(10, () => ran.push('second'));
    clock.setTimer(15, () => ran.push('cancelled')).cancel();
    clock.advance(19);
    expect(ran).toEqual(['first at 10', 'second', 'set on the way at 15']);
    expect(clock.pendingTimers).toBe(1);
    clock.advance(1);
    expect(ran.at(-1)).toBe('late at 20');
    expect(clock.pendingTimers).toBe(0);
  });
});

describe('MemoryWire', () => {
  const open = () => {
    const told: string[] = [];
    const wire = new MemoryWire();
    wire.open({
      onOpen: () => told.push('open'),
      onBytes: (chunk) => told.push(chunk.toString()),
      onEnd: () => told.push('end'),
      onDrain: () => told.push('drain'),
      onClose: (error) => told.push(`close ${error?.message ?? 'in order'}`),
    });
    const pump = () => {
      while (wire.pump());
    };
    return { wire, told, pump };
  };

  it('delivers reads one by one, not while paused, and closes when both sides ended', () => {
    const { wire, told, pump } = open();
    wire.establish();
    wire.send(Buffer.from('a'));
    wire.send(Buffer.from('b'));
    wire.pause();
    pump();
    expect(told).toEqual(['open']);
    wire.resume();
    wire.sendEnd();
    wire.end();
    pump();
    expect(told).toEqual(['open', 'a', 'b', 'end', 'close in order']);
  });

  it('takes what the kernel has room for, and tells when all was taken', () => {
    const { wire, told, pump } = open();
    wire.capacityBytes = 3;
    wire.write([Buffer.from('ab'), Buffer.from('cdef')]);
    wire.end();
    expect(wire.queuedBytes).toBe(3);
    expect(wire.take().toString()).toBe('abc');
    expect([wire.queuedBytes, wire.ended]).toEqual([0, true]);
    expect(wire.take().toString()).toBe('def');
    pump();
    expect(told).toEqual(['drain']);
  });

  it('notices who writes to queued bytes', () => {
    const { wire } = open();
    wire.capacityBytes = 1;
    const bytes = Buffer.from('ab');
    wire.write([bytes]);
    bytes[1] = 0;
    expect(() => wire.take()).toThrow('while they were queued');
  });

  it('loses what the peer had not read when it is destroyed with unread bytes', () => {
    const { wire, told, pump } = open();
    wire.write([Buffer.from('answer')]);
    wire.destroy();
    expect(wire.takeableBytes).toBe(6);
    wire.send(Buffer.from('more'));
    expect([wire.resetSent, wire.takeableBytes]).toEqual([true, 0]);
    pump();
    expect(told).toEqual(['close in order']);
  });
});
