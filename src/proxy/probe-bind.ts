/** Whether an address is ours alone to bind. */
import { createServer } from 'node:net';
import type { Address } from '../metaprotocol/filter.ts';
import { bindFault } from '../metaprotocol/listener/bind-fault.ts';

/** Binds without sharing, and lets go. Null: nobody else is there. */
export function probeBind(bind: Address): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error) => resolve(bindFault(bind, error)));
    server.listen({ host: bind.host, port: bind.port, exclusive: true }, () => server.close(() => resolve(null)));
  });
}
