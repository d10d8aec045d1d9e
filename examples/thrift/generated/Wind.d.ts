/** Types of the generated service, written by hand: the compiler's own know neither THeader nor ES modules. */
import type { Processor as ThriftProcessor, Transport } from 'thrift';

export interface Forecast {
  readonly island: string;
  readonly beaufort: number;
  readonly servedBy: string;
  readonly headersSeen: Readonly<Record<string, string>>;
}

export class Client {
  readonly output: Transport;
  forecast(island: string): Promise<Forecast>;
  warning(island: string): Promise<Forecast>;
  observe(island: string, beaufort: number): Promise<void>;
}

export interface Handler {
  forecast(island: string, answer: (error: Error | null, forecast?: Forecast) => void): void;
  warning(island: string, answer: (error: Error | null, forecast?: Forecast) => void): void;
  observe(island: string, beaufort: number): void;
}

export class Processor implements ThriftProcessor {
  constructor(handler: Handler);
  process: ThriftProcessor['process'];
}
