/** The least a proxy can do in Node: joins each caller's connection to one of the backend, and looks at nothing. */
import { BareConnection, connectTo, serve } from './bare-connection.ts';

const upstreamPort = Number(process.argv[2]);

serve((wire) => {
  const upstream: BareConnection = new BareConnection(
    connectTo(upstreamPort),
    (chunk) => downstream.output.append(chunk, 0, chunk.length),
    () => downstream.close(),
  );
  const downstream: BareConnection = new BareConnection(
    wire,
    (chunk) => upstream.output.append(chunk, 0, chunk.length),
    () => upstream.close(),
  );
});
