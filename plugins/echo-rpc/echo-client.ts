/** EchoClient: a caller of echo-rpc on one connection; any number of calls at once. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type Frame, Kind, readFrames, writeFrame } from './frames.ts';

export class EchoClient {
  readonly #socket: Socket;
  readonly #waiting = new Map<bigint, PromiseWithResolvers<Frame>>();
  #lastId = 0n;
  closed = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('error', () => {});
    socket.on('close', () => {
      this.closed = true;
      for (const { reject } of this.#waiting.values()) reject(new Error('the connection was closed'));
    });
    readFrames(socket, (frame) => {
      this.#waiting.get(frame.id)?.resolve(frame);
      this.#waiting.delete(frame.id);
    });
  }

  static async connect(port: number, host = '127.0.0.1'): Promise<EchoClient> {
    const socket = connect(port, host);
    await once(socket, 'connect');
    return new EchoClient(socket);
  }

  /** Rejects when the connection closes first. */
  call(method: string, headers: Readonly<Record<string, string>> = {}, body = 'hello'): Promise<Frame> {
    const id = ++this.#lastId;
    const waiting = Promise.withResolvers<Frame>();
    if (this.closed) waiting.reject(new Error('the connection was closed'));
    this.#waiting.set(id, waiting);
    this.#socket.write(writeFrame({ kind: Kind.Request, code: 0, id, method, headers, body: Buffer.from(body) }));
    return waiting.promise;
  }

  close(): void {
    this.#socket.destroy();
  }
}
