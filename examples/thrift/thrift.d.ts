/** The parts of npm's `thrift` that this repository uses; the published types are of an older version. */
declare module 'thrift' {
  import type { EventEmitter } from 'node:events';
  import type { Server, Socket } from 'node:net';

  export interface Transport {
    setProtocolId(id: number): void;
    getReadHeaders(): Record<string, string>;
    clearReadHeaders(): void;
    setWriteHeader(key: string, value: string): void;
    clearWriteHeaders(): void;
    writeHeaders(): void;
    flush(): void;
  }

  export interface Protocol {
    readMessageBegin(): { fname: string; mtype: number; rseqid: number };
    readFieldBegin(): { fid: number; ftype: number };
    readString(): string;
    getTransport(): Transport;
  }

  export interface TransportClass {
    new (buffer?: Buffer, onFlush?: (bytes: Buffer) => void): Transport;
    receiver(onData: (transport: Transport) => void): (chunk: Buffer) => void;
  }

  export interface ProtocolClass {
    new (transport: Transport): Protocol;
  }

  export interface Processor {
    process(input: Protocol, output: Protocol): void;
  }

  export interface Options {
    readonly transport: TransportClass;
    readonly protocol: ProtocolClass;
  }

  export interface Connection extends EventEmitter {
    readonly connection: Socket;
    end(): void;
    destroy(): void;
  }

  const thrift: {
    readonly Thrift: {
      readonly MessageType: Readonly<Record<'CALL' | 'REPLY' | 'EXCEPTION' | 'ONEWAY', number>>;
      readonly Type: Readonly<Record<'STOP' | 'STRING', number>>;
    };
    readonly TBufferedTransport: TransportClass;
    readonly TFramedTransport: TransportClass;
    readonly TBinaryProtocol: ProtocolClass;
    readonly TCompactProtocol: ProtocolClass;
    readonly THeaderProtocol: ProtocolClass;
    createMultiplexServer(processor: Processor, options: Options): Server;
    createConnection(host: string, port: number, options: Options): Connection;
    createClient<T>(client: new (...args: never[]) => T, connection: Connection): T;
  };
  export default thrift;
}
