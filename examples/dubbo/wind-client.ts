/** A consumer of the Wind service in Node, over frames.ts: one connection, any number of calls in flight. */
import { once } from 'node:events';
import net from 'node:net';
import { eachFrame } from './each-frame.ts';
import { frame, type ReadAnswer, readAnswer, type StockCall, stockCall } from './frames.ts';

export interface WindClient {
  /** Rejects when the connection ends first. */
  call(call: Omit<StockCall, 'id' | 'oneway'>): Promise<ReadAnswer>;
  oneway(call: Omit<StockCall, 'id' | 'oneway'>): void;
  /** The body of the answer: null, which is `N` in hessian2. */
  heartbeat(): Promise<string>;
  /** The server said that it takes no new requests here. */
  readonly readOnly: boolean;
  readonly closed: boolean;
  close(): void;
}

export async function connectWind(port: number, host = '127.0.0.1'): Promise<WindClient> {
  const socket = net.connect({ port, host, noDelay: true });
  await once(socket, 'connect');
  const waiting = new Map<bigint, PromiseWithResolvers<ReadAnswer>>();
  // Dubbo 3 begins anywhere in 64 bits.
  let nextId = -0x7edc_ba98_7654_3210n;
  const beats: PromiseWithResolvers<string>[] = [];
  let readOnly = false;
  socket.on('error', () => socket.destroy());
  socket.on('close', () => {
    for (const { reject } of waiting.values()) reject(new Error('connection closed'));
    waiting.clear();
  });
  eachFrame(socket, (bytes) => {
    const flags = bytes[2]!;
    if (flags === 0xe2) socket.write(frame(0x22, 20, bytes.readBigInt64BE(4), bytes.subarray(16)));
    if (flags === 0xa2 && bytes.toString('latin1', 17) === 'R') readOnly = true;
    if (flags === 0x22) beats.shift()?.resolve(bytes.toString('latin1', 16));
    if ((flags & 0xa0) !== 0) return;
    const answer = readAnswer(bytes);
    waiting.get(answer.id)?.resolve(answer);
    waiting.delete(answer.id);
  });
  return {
    call(call) {
      const id = nextId++;
      const answer = Promise.withResolvers<ReadAnswer>();
      waiting.set(id, answer);
      socket.write(stockCall({ ...call, id }));
      return answer.promise;
    },
    oneway(call) {
      socket.write(stockCall({ ...call, id: nextId++, oneway: true }));
    },
    heartbeat() {
      const beat = Promise.withResolvers<string>();
      beats.push(beat);
      socket.write(frame(0xe2, 0, nextId++, Buffer.from('N')));
      return beat.promise;
    },
    get readOnly() {
      return readOnly;
    },
    get closed() {
      return socket.destroyed;
    },
    close: () => socket.destroy(),
  };
}
