/**
 * HTTP in the mesh: two versions of a service, a mesh, and a caller that shows what each route does. With `check` it ends then, and says
 * whether everything went as the page says; else it stays until Ctrl-C, for routes of your own.
 */
import { once } from 'node:events';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../src/cli/demo/free-port.ts';
import { startDemoMesh } from '../../src/cli/demo.ts';
import { writeCertificates } from './certificates.ts';
import { startHarbour } from './harbour-server.ts';

const here = fileURLToPath(new URL('.', import.meta.url));
const HOST = 'harbour.aegean.example';
const REQUESTS = 200;

interface Step {
  readonly title: string;
  readonly run: (url: string, edge: Edge) => Promise<boolean>;
}

/** Where callers from outside connect, and whom they trust. */
interface Edge {
  readonly port: number;
  readonly ca: string;
}

const STEPS: readonly Step[] = [
  {
    title: 'weights: four in five to v1, the rest to v2',
    async run(url) {
      let second = 0;
      for (let count = 0; count < REQUESTS; count++) if ((await answerOf(url)).version === 'v2') second++;
      return Math.abs(second / REQUESTS - 0.2) < 0.12;
    },
  },
  {
    title: 'header x-rank: captain: v2, and the answer says by which route',
    async run(url) {
      const response = await fetch(url, { headers: { 'x-rank': 'captain' } });
      return ((await response.json()) as Answer).version === 'v2' && response.headers.get('x-route') === 'captains';
    },
  },
  {
    title: '/api/ships?sort=name: v1 gets /ships?sort=name',
    async run(url) {
      const { version, url: path } = await answerOf(`${url}/api/ships?sort=name`);
      return version === 'v1' && path === '/ships?sort=name';
    },
  },
  {
    title: '/old is redirected to /ships',
    async run(url) {
      const response = await fetch(`${url}/old`, { redirect: 'manual' });
      return response.status === 301 && response.headers.get('location') === `${url}/ships`;
    },
  },
  {
    title: '/closed is answered by the proxy',
    async run(url) {
      const response = await fetch(`${url}/closed`);
      return response.status === 503 && (await response.text()).startsWith('Storm');
    },
  },
  {
    title: 'an upgrade becomes a tunnel',
    async run(url) {
      const request = http.get(`${url}/radio`, { headers: { connection: 'Upgrade', upgrade: 'echo' } });
      const [, socket] = (await once(request, 'upgrade')) as [unknown, Socket];
      socket.write('ahoy');
      const [answer] = (await once(socket, 'data')) as [Buffer];
      socket.destroy();
      return answer.toString() === 'ahoy';
    },
  },
  {
    title: 'https at the gateway: the same routes, with a certificate for the host',
    async run(_url, edge) {
      const response = await askEdge(edge, '/api/ships', { 'x-rank': 'captain' });
      return response.headers['x-route'] === 'captains' && (await textOf(response)).includes('"version":"v2"');
    },
  },
  {
    title: 'an upgrade over https',
    async run(_url, edge) {
      const request = https.get(edgeOptions(edge, '/radio', { connection: 'Upgrade', upgrade: 'echo' }));
      const [, socket] = (await once(request, 'upgrade')) as [unknown, Socket];
      socket.write('ahoy');
      const [answer] = (await once(socket, 'data')) as [Buffer];
      socket.destroy();
      return answer.toString() === 'ahoy';
    },
  },
  {
    title: 'another name at the gateway: no certificate, no answer',
    async run(_url, edge) {
      const request = https.get({ ...edgeOptions(edge, '/'), servername: 'reef.aegean.example' });
      return await once(request, 'response').then(
        () => false,
        () => true,
      );
    },
  },
];

function edgeOptions({ port, ca }: Edge, path: string, headers: http.OutgoingHttpHeaders = {}): https.RequestOptions {
  return { host: '127.0.0.1', port, path, servername: HOST, ca, agent: false, headers: { host: HOST, ...headers } };
}

async function askEdge(edge: Edge, path: string, headers: http.OutgoingHttpHeaders): Promise<http.IncomingMessage> {
  const request = https.get(edgeOptions(edge, path, headers));
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  return response;
}

async function textOf(response: http.IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of response) text += chunk;
  return text;
}

interface Answer {
  readonly version: string;
  readonly url: string;
}

async function answerOf(url: string): Promise<Answer> {
  return (await (await fetch(url)).json()) as Answer;
}

/** True: all went as expected. */
export async function run({ check }: { readonly check: boolean }): Promise<boolean> {
  const directory = join(process.cwd(), '.meltemi', 'http');
  const servers = await Promise.all(['v1', 'v2'].map((version) => startHarbour(version)));
  const [port, edgePort, ca] = await Promise.all([freePort(), freePort(), writeCertificates(HOST)]);
  await copyConfig(directory, { 8080: port, 8081: servers[0]!.port, 8082: servers[1]!.port, 8443: edgePort });
  const mesh = await startDemoMesh(directory, ['istio=ingressgateway']);
  try {
    const url = `http://${await mesh.whereToConnect(HOST, port)}`;
    await mesh.whereToConnect(HOST, edgePort);
    const edge = { port: edgePort, ca };
    let ok = true;
    for (const step of STEPS) {
      const isRight = await step.run(url, edge);
      ok &&= isRight;
      console.log(`${isRight ? 'ok  ' : 'FAIL'} ${step.title}`);
    }
    if (!check) {
      console.log(`edit ${relative(process.cwd(), directory)}/virtual-service.yaml and call ${url}; Ctrl-C ends`);
      console.log(
        `from outside: curl --cacert .meltemi/http-certificates/ca.pem --connect-to ::127.0.0.1:${edgePort} https://${HOST}`,
      );
      await once(process, 'SIGINT');
    }
    return ok;
  } finally {
    await mesh.close();
    for (const server of servers) server.close();
  }
}

async function copyConfig(directory: string, ports: Readonly<Record<string, number>>): Promise<void> {
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  for (const name of await readdir(join(here, 'config'))) {
    const text = await readFile(join(here, 'config', name), 'utf8');
    const moved = text.replace(/(?<=: )\d+$/gm, (written) => String(ports[written] ?? written));
    await writeFile(join(directory, name), moved);
  }
}
