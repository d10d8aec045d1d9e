/**
 * Every ambiguous request of the table, sent through the proxy to Node's server, nginx and a backend that writes down each byte: none
 * arrives as two requests, with a body that the proxy did not see, or in whole where the proxy refused it.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AMBIGUOUS_REQUESTS, type AmbiguousRequest } from '../../src/codecs/http1/fixtures/ambiguous-requests.ts';
import { HttpPlane } from '../harness/http/http-plane.ts';
import { freePort, until } from './mesh-fixture.ts';

/** Whole requests that arrived, as `METHOD target body`. */
type Arrivals = () => Promise<readonly string[]>;

interface Backend {
  readonly port: number;
  readonly arrivals: Arrivals;
}

const NGINX = '/usr/sbin/nginx';
const closers: (() => unknown)[] = [];

async function nodeBackend(): Promise<Backend> {
  const whole: string[] = [];
  const server = http.createServer((request, response) => {
    let body = '';
    request.setEncoding('latin1').on('data', (chunk: string) => {
      body += chunk;
    });
    request.on('end', () => {
      if (request.complete) whole.push(`${request.method} ${request.url} ${body}`);
      response.end('ok');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, arrivals: async () => whole.splice(0) };
}

/** Reads by the letter of RFC 9112, and nothing else; what it cannot read is an arrival of its own. */
async function strictBackend(): Promise<Backend> {
  const whole: string[] = [];
  const server = net.createServer((socket) => {
    let text = '';
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      for (let rest = readOne(text, whole); rest !== null; rest = readOne(text, whole)) {
        text = rest;
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => server.close());
  return { port: (server.address() as AddressInfo).port, arrivals: async () => whole.splice(0) };
}

/** What is left behind the first whole request; null: there is none. */
function readOne(text: string, whole: string[]): string | null {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return null;
  const lines = text.slice(0, end).split('\r\n');
  const line = /^([A-Z]+) (\S+) HTTP\/1\.1$/.exec(lines[0]!);
  const fields = lines.slice(1).map((one) => /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*?)[ \t]*$/.exec(one));
  const values = (name: string): string[] =>
    fields.flatMap((field) => (field !== null && field[1]!.toLowerCase() === name ? [field[2]!] : []));
  const [lengths, codings] = [values('content-length'), values('transfer-encoding')];
  const framings = lengths.length + codings.length;
  if (
    line === null ||
    fields.includes(null) ||
    framings > 1 ||
    values('host').length !== 1 ||
    /[\r\n]/.test(lines.join(''))
  ) {
    whole.push(`UNREADABLE ${JSON.stringify(text.slice(0, end))}`);
    return '';
  }
  const rest = text.slice(end + 4);
  if (codings.length === 0) {
    const length = Number(lengths[0] ?? '0');
    if (rest.length < length) return null;
    whole.push(`${line[1]} ${line[2]} ${rest.slice(0, length)}`);
    return rest.slice(length);
  }
  let body = '';
  for (let at = 0; ; ) {
    const size = /^([0-9a-f]+)\r\n/.exec(rest.slice(at, at + 20));
    if (size === null) return null;
    const length = Number.parseInt(size[1]!, 16);
    at += size[0].length;
    if (length === 0) {
      const trailers = /^([^\r\n]+\r\n)*\r\n/.exec(rest.slice(at));
      if (trailers === null) return null;
      whole.push(`${line[1]} ${line[2]} ${body}`);
      return rest.slice(at + trailers[0].length);
    }
    if (rest.length < at + length + 2) return null;
    body += rest.slice(at, at + length);
    at += length + 2;
  }
}

/** Its log has a line for each request; bodies are the other backends' to tell. */
async function nginxBackend(): Promise<Backend | null> {
  const found = await access(NGINX).then(
    () => true,
    () => false,
  );
  if (!found) return null;
  const folder = await mkdtemp(join(tmpdir(), 'meltemi-nginx-'));
  const [port, log] = [await freePort(), join(folder, 'access.log')];
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${folder}/${kind};`,
  );
  const config = `daemon off; pid ${folder}/pid; error_log ${folder}/error.log; worker_processes 1;
events {}
http {
  ${temporary.join(' ')}
  log_format line '$request_method $request_uri $status';
  access_log ${log} line;
  server { listen 127.0.0.1:${port}; keepalive_requests 100000; location / { return 200 ok; } }
}`;
  await writeFile(join(folder, 'nginx.conf'), config);
  const child = spawn(NGINX, ['-p', folder, '-c', join(folder, 'nginx.conf')], { stdio: 'ignore' });
  closers.push(async () => {
    child.kill('SIGTERM');
    await once(child, 'exit');
    await rm(folder, { recursive: true, force: true });
  });
  await until(() =>
    fetch(`http://127.0.0.1:${port}/up`).then(
      () => true,
      () => false,
    ),
  );
  let seen = (await readFile(log, 'utf8')).length;
  const arrivals = async (): Promise<string[]> => {
    const text = await readFile(log, 'utf8');
    const lines = text
      .slice(seen)
      .split('\n')
      .filter((line) => line !== '');
    seen = text.length;
    return lines;
  };
  return { port, arrivals };
}

/** An answer with its body. */
function isWhole(text: string): boolean {
  const end = text.indexOf('\r\n\r\n');
  const length = /\r\ncontent-length: (\d+)\r\n/i.exec(text.slice(0, end + 2));
  return end > 0 && text.length >= end + 4 + Number(length?.[1] ?? 0);
}

/** Sends it and reads until the answer is there, or the proxy closed; '' = nothing came. */
async function send(port: number, host: string, request: AmbiguousRequest): Promise<string> {
  const socket = net.connect({ port, host, allowHalfOpen: true });
  socket.on('error', () => {});
  let text = '';
  const answered = new Promise<void>((resolve) => {
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      if (request.verdict === 'pass' && isWhole(text)) resolve();
    });
    socket.on('end', resolve);
    socket.on('close', resolve);
  });
  socket.write(Buffer.from(request.bytes, 'latin1'));
  await (request.verdict === 'wait' ? sleep(20) : answered);
  socket.destroy();
  return text;
}

describe('ambiguous requests through the proxy', () => {
  const plane = new HttpPlane();
  const backends = new Map<string, Backend>();
  let ports: Record<string, number>;

  beforeAll(async () => {
    backends.set('node', await nodeBackend());
    backends.set('strict', await strictBackend());
    const nginx = await nginxBackend();
    if (nginx !== null) backends.set('nginx', nginx);
    ports = await plane.start(Object.fromEntries([...backends].map(([name, { port }]) => [name, port])));
  });
  afterAll(async () => {
    plane.close();
    for (const close of closers.reverse()) await close();
  });

  it.for(['node', 'strict', 'nginx'])('reach %s as what the proxy took them for', async (name, { skip }) => {
    const backend = backends.get(name);
    if (backend === undefined) return skip(`nginx is not at ${NGINX}; install the package nginx-light`);
    const host = plane.plane.boundAddress(name)!.host;
    for (const request of AMBIGUOUS_REQUESTS) {
      const shown = `${request.class}: ${JSON.stringify(request.bytes.slice(0, 300))}`;
      const text = await send(ports[name]!, host, request);
      if (name === 'nginx' || typeof request.verdict !== 'string') await sleep(2);
      const arrivals = await backend.arrivals();
      const answers = [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => status);
      expect([shown, arrivals.some((line) => line.startsWith('GET /smuggled'))]).toEqual([shown, false]);
      if (name === 'nginx') {
        // It answers a head without waiting for its body.
        expect([shown, arrivals.length <= 1, answers.length <= 1]).toEqual([shown, true, true]);
        if (typeof request.verdict === 'number') expect([shown, answers]).toEqual([shown, [`${request.verdict}`]]);
      } else if (request.verdict === 'pass') {
        const [method, target] = request.bytes.trimStart().split(' ');
        const expected = `${method} ${target!.replace(/^http:\/\/h/i, '')} ${request.body}`;
        expect([shown, arrivals, answers]).toEqual([shown, [expected], ['200']]);
      } else {
        const refusal = request.verdict === 'wait' ? [] : [`${request.verdict}`];
        expect([shown, arrivals, answers]).toEqual([shown, [], refusal]);
      }
    }
  });
});
