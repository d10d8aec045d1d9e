/** Connects a Wind client of npm's thrift over either wire. */
import { once } from 'node:events';
import thrift, { type Connection } from 'thrift';
import { Client } from './generated/Wind.js';
import { clientOptions, type WireName } from './transports.ts';

export interface WindClient {
  readonly wind: Client;
  readonly connection: Connection;
}

/** `headers` go with every call; only THeader can carry them. */
export async function connectWind(
  host: string,
  port: number,
  wire: WireName,
  headers: Readonly<Record<string, string>> = {},
): Promise<WindClient> {
  const connection = thrift.createConnection(host, port, clientOptions[wire]);
  await once(connection, 'connect');
  const wind = thrift.createClient(Client, connection);
  for (const [key, value] of Object.entries(headers)) wind.output.setWriteHeader(key, value);
  return { wind, connection };
}
