/** Wires over real sockets, whose bytes pass by the handle below the socket, or by the stream where Node has no such handle. */
import net from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { BoundSocket } from '../../src/metaprotocol/listener/listener.ts';
import type { ReadBuffer } from '../../src/metaprotocol/wire/read-buffer.ts';
import type { Wire, WireHandler } from '../../src/metaprotocol/wire/wire.ts';

/** More than the buffers of both sockets take. */
const MANY_BYTES = 24 * 1024 * 1024;

class Recorder implements WireHandler {
  readonly events: string[] = [];
  readonly read: Buffer[] = [];
  closed = false;
  error: Error | null = null;

  onOpen(): void {
    this.events.push('open');
  }

  onBytes(chunk: Buffer): void {
    this.read.push(Buffer.from(chunk));
  }

  onEnd(): void {
    this.events.push('end');
  }

  onDrain(): void {
    this.events.push('drain');
  }

  onClose(error: Error | null): void {
    this.closed = true;
    this.error = error;
  }

  get text(): string {
    return Buffer.concat(this.read).toString();
  }
}

interface Pair {
  readonly wire: Wire;
  readonly handler: Recorder;
  /** At the other end; it does not read yet. */
  readonly peer: net.Socket;
}

describe.each(['the handle', 'the stream'])('bytes pass by %s', (way) => {
  const ends: (() => unknown)[] = [];
  let buffer: ReadBuffer;
  let bound: typeof BoundSocket;
  let connector: { connect(to: { host: string; port: number }): Wire };

  beforeAll(async () => {
    vi.resetModules();
    if (way === 'the stream')
      vi.spyOn(process as unknown as { binding(): void }, 'binding').mockImplementation(() => {});
    const { ReadBuffer } = await import('../../src/metaprotocol/wire/read-buffer.ts');
    const { SocketConnector } = await import('../../src/metaprotocol/wire/socket-wire.ts');
    const { SocketHandle } = await import('../../src/metaprotocol/wire/socket-handle.ts');
    bound = (await import('../../src/metaprotocol/listener/listener.ts')).BoundSocket;
    buffer = new ReadBuffer();
    connector = new SocketConnector(buffer);
    const probe = net.connect({ host: '127.0.0.1', port: 9 }).on('error', () => {});
    const owner = { onRead() {}, onDrain() {}, onWriteFailed() {} };
    expect(SocketHandle.of(probe, owner) === null).toBe(way === 'the stream');
    probe.destroy();
  });

  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  afterAll(() => {
    vi.restoreAllMocks();
  });

  async function accepted(): Promise<Pair> {
    const socket = await bound.open({ host: '127.0.0.1', port: 0 }, buffer, false);
    ends.push(() => socket.close());
    const wires = new Promise<Wire>((resolve) => socket.serve(resolve));
    const peer = net.connect({ host: '127.0.0.1', port: socket.port, allowHalfOpen: true }).on('error', () => {});
    ends.push(() => peer.destroy());
    return opened(await wires, peer);
  }

  async function connected(): Promise<Pair> {
    const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    ends.push(() => server.close());
    const peers = new Promise<net.Socket>((resolve) => server.on('connection', resolve));
    const pair = opened(connector.connect({ host: '127.0.0.1', port: (server.address() as net.AddressInfo).port }));
    const peer = (await peers).on('error', () => {});
    ends.push(() => peer.destroy());
    await vi.waitFor(() => expect(pair.handler.events).toEqual(['open']));
    pair.handler.events.length = 0;
    return { ...pair, peer };
  }

  function opened(wire: Wire, peer?: net.Socket): Pair {
    const handler = new Recorder();
    wire.open(handler);
    ends.push(() => wire.destroy());
    return { wire, handler, peer: peer! };
  }

  const sides = [
    ['accepted', accepted],
    ['connected', connected],
  ] as const;

  test.each(sides)(
    '%s: what a peer does not read is queued, told when it is taken, and whole and in order',
    async (_, open) => {
      const { wire, handler, peer } = await open();
      const bytes = Buffer.alloc(MANY_BYTES, 'abcdefghijklmnopqrstuvwxyz0123456789');
      const half = bytes.length / 2;
      wire.write([bytes.subarray(0, half)]);
      wire.write([bytes.subarray(half, half + 5), bytes.subarray(half + 5)]);
      expect(wire.queuedBytes).toBeGreaterThan(0);
      wire.end();
      const read: Buffer[] = [];
      await new Promise((resolve) =>
        peer
          .on('data', (chunk: Buffer) => read.push(chunk))
          .on('end', resolve)
          .resume(),
      );
      expect(Buffer.concat(read).equals(bytes)).toBe(true);
      await vi.waitFor(() => expect(handler.events).toEqual(['drain']));
      expect(wire.queuedBytes).toBe(0);
    },
  );

  test.each(sides)('%s: reads stop while it is paused and tell the end once', async (_, open) => {
    const { wire, handler, peer } = await open();
    peer.write('one');
    await vi.waitFor(() => expect(handler.text).toBe('one'));
    wire.pause();
    peer.end('two');
    wire.write([Buffer.from('answer')]);
    await new Promise((resolve) => peer.once('data', resolve).resume());
    expect([handler.text, handler.events]).toEqual(['one', []]);
    wire.resume();
    await vi.waitFor(() => expect(handler.events).toEqual(['end']));
    expect(handler.text).toBe('onetwo');
    wire.destroy();
    await vi.waitFor(() => expect(handler.closed).toBe(true));
    expect(handler.error).toBe(null);
  });

  test.each(sides)('%s: a peer that resets under a write that waits closes it with the reason', async (_, open) => {
    const { wire, handler, peer } = await open();
    wire.write([Buffer.alloc(MANY_BYTES)]);
    peer.resetAndDestroy();
    await vi.waitFor(() => expect(handler.closed).toBe(true));
    expect((handler.error as NodeJS.ErrnoException | null)?.code).toMatch(/ECONNRESET|EPIPE/);
    expect(handler.events).not.toContain('drain');
    wire.write([Buffer.from('late')]);
  });

  test.each(sides)('%s: with reads paused it is the write that tells of a reset', async (side, open) => {
    const { wire, handler, peer } = await open();
    wire.pause();
    wire.write([Buffer.alloc(MANY_BYTES)]);
    peer.resetAndDestroy();
    if (side === 'connected') {
      // What the server said before may be there still: reading tells.
      await vi.waitFor(() => expect(wire.queuedBytes).toBe(0));
      expect(handler.closed).toBe(false);
      wire.write([Buffer.from('late')]);
      wire.resume();
      await vi.waitFor(() => expect(handler.closed || handler.events.includes('end')).toBe(true));
      return;
    }
    await vi.waitFor(() => expect(handler.closed).toBe(true));
    expect((handler.error as NodeJS.ErrnoException | null)?.code).toMatch(/ECONNRESET|EPIPE/);
  });

  test('connected: the early answer of a server that resets under the request is read', async () => {
    const { wire, handler, peer } = await connected();
    wire.write([Buffer.alloc(MANY_BYTES)]);
    await new Promise<void>((resolve) => peer.write('early', () => resolve()));
    peer.destroy();
    await vi.waitFor(() => expect(handler.closed || handler.events.includes('end')).toBe(true));
    expect(handler.text).toBe('early');
  });
});
