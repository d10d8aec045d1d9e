/** The floor for any proxy in Node: joins each caller's socket to one of the backend, and looks at nothing. */
import net from 'node:net';

const upstreamPort = Number(process.argv[2]);

const server = net.createServer({ noDelay: true }, (downstream) => {
  const upstream = net.connect({ port: upstreamPort, host: '127.0.0.1', noDelay: true });
  downstream.pipe(upstream);
  upstream.pipe(downstream);
  downstream.on('error', () => upstream.destroy());
  upstream.on('error', () => downstream.destroy());
});

server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as net.AddressInfo).port }));
process.on('disconnect', () => process.exit());
