/** Cuts what a socket reads into Dubbo frames. */
import type { Socket } from 'node:net';

const HEADER_BYTES = 16;

export function eachFrame(socket: Socket, onFrame: (bytes: Buffer) => void): void {
  let parked: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    parked = Buffer.concat([parked, chunk]);
    while (parked.length >= HEADER_BYTES) {
      const end = HEADER_BYTES + parked.readInt32BE(12);
      if (parked.length < end) break;
      onFrame(parked.subarray(0, end));
      parked = parked.subarray(end);
    }
  });
}
