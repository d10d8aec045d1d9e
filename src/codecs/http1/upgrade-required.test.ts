/** Upgrade in answers that switch nothing: the resource's word to its caller in a 426, else a word between server and proxy. */
import { expect, it } from 'vitest';
import { HttpMesh } from '../../../test/harness/http/http-mesh.ts';
import { watchLeaks } from '../../../test/harness/watch-leaks.ts';

const GET = 'GET / HTTP/1.1\r\nHost: h\r\n';

/** What the caller gets; `answer` is a status and lines. */
function answered(request: string, answer: string): string {
  const mesh = watchLeaks(new HttpMesh());
  const caller = mesh.newCaller();
  caller.send(request);
  mesh.settle();
  mesh.upstream().connection.send(`HTTP/1.1 ${answer}Content-Length: 0\r\n\r\n`);
  mesh.settle();
  const text = caller.text;
  caller.end();
  mesh.settle();
  return text.replace('HTTP/1.1 ', '').replace('Content-Length: 0\r\n', '');
}

it.each([
  ['websocket', 'Connection: upgrade\r\nUpgrade: websocket\r\n'],
  ['HTTP/2.0, WebSocket', 'Connection: upgrade, close\r\nUpgrade: HTTP/2.0\r\nUpgrade: WebSocket\r\n'],
  ['TLS/1.0', 'Upgrade: TLS/1.0\r\n'],
])('426 asks the caller for %s', (protocols, lines) => {
  expect(answered(`${GET}\r\n`, `426 Upgrade Required\r\n${lines}`)).toBe(
    `426 Upgrade Required\r\nupgrade: ${protocols}\r\nconnection: upgrade\r\n\r\n`,
  );
  expect(answered(`${GET}Connection: close\r\n\r\n`, `426 Upgrade Required\r\n${lines}`)).toBe(
    `426 Upgrade Required\r\nupgrade: ${protocols}\r\nconnection: close\r\nconnection: upgrade\r\n\r\n`,
  );
});

it.each([
  '426 Upgrade Required\r\nConnection: upgrade\r\nUpgrade: a b\r\n',
  '426 Upgrade Required\r\nUpgrade:\r\n',
  '426 Upgrade Required\r\n',
  '200 OK\r\nConnection: upgrade\r\nUpgrade: h2c\r\n',
  '503 Service Unavailable\r\nUpgrade: websocket\r\n',
])('%j tells the caller of none', (answer) => {
  expect(answered(`${GET}\r\n`, answer)).toBe(`${answer.split('\r\n')[0]}\r\n\r\n`);
});
