/**
 * A Wind server on npm's thrift: framed binary on one port, THeader compact on another.
 *
 *   npx node examples/thrift/server.ts --name v1 --framed 9101 --theader 9201
 */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import thrift, { type Protocol, type Transport } from 'thrift';
import { type Forecast, Processor } from './generated/Wind.js';
import { serverOptions, type WireName, wireNames } from './transports.ts';

const { values } = parseArgs({
  options: {
    name: { type: 'string', default: 'v1' },
    framed: { type: 'string', default: '0' },
    theader: { type: 'string', default: '0' },
  },
});

/** Where the call came from: the library calls the handler at once, but does not tell it. */
let caller: Transport | null = null;

const forecast = (island: string): Forecast => ({
  island,
  beaufort: 4 + (island.length % 5),
  servedBy: values.name,
  headersSeen: { ...caller?.getReadHeaders() },
});

const wind = new Processor({
  forecast: (island, answer) => answer(null, forecast(island)),
  warning: (island, answer) => answer(null, forecast(island)),
  observe: (island, beaufort) => console.log(`${values.name}: ${island} observes ${beaufort} Bft`),
});

const processor = {
  process(input: Protocol, output: Protocol): void {
    caller = input.getTransport();
    caller.clearReadHeaders();
    wind.process(input, output);
  },
};

async function listen(wire: WireName): Promise<number> {
  const server = thrift.createMultiplexServer(processor, serverOptions[wire]);
  server.on('error', (error) => console.error(`${values.name}: ${wire}: ${error.message}`));
  server.listen(Number(values[wire]), '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const ports = Object.fromEntries(await Promise.all(wireNames.map(async (wire) => [wire, await listen(wire)] as const)));
console.log(
  `${values.name}: framed binary on 127.0.0.1:${ports.framed}, THeader compact on 127.0.0.1:${ports.theader}`,
);

/** Started by the demo: tell it the ports, and end with it. */
process.send?.(ports);
process.on('disconnect', () => process.exit());
