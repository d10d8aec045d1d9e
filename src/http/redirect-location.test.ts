import { expect, it } from 'vitest';
import type { RequestMessage } from '../metaprotocol/message.ts';
import type { Redirect } from './http-route-options.ts';
import { redirectLocation } from './redirect-location.ts';

const NOTHING: Redirect = { status: 301, scheme: null, authority: null, port: null, path: null };

it.each([
  // The cases of Istio, FROM_REQUEST_PORT among them.
  ['h:80', {}, 80, 'http://h:80/a'],
  ['h:80', { port: 'listener' }, 80, 'http://h:80/a'],
  ['h', { port: 'listener' }, 80, 'http://h/a'],
  ['h', { port: 'listener' }, 85, 'http://h:85/a'],
  ['h:1', { port: 'listener' }, 85, 'http://h:85/a'],
  ['h:80', { scheme: 'https' }, 80, 'https://h/a'],
  ['h:8080', { scheme: 'https' }, 80, 'https://h:8080/a'],
  ['h:8080', { scheme: 'https', port: 443 }, 80, 'https://h/a'],
  ['[::1]:8080', { port: 81 }, 80, 'http://[::1]:81/a'],
  // HTTP/1.0 without Host.
  ['', {}, 80, '/a'],
  ['', { authority: 'h' }, 80, 'http://h/a'],
  ['', { scheme: 'https' }, 80, 'https://10.0.0.1/a'],
  ['', { port: 81 }, 80, 'http://10.0.0.1:81/a'],
] as const)('from %s with %j at port %d: %s', (host, redirect, port, location) => {
  const request = { get: (key: string) => (key === ':authority' ? host : '/a') } as RequestMessage;
  expect(redirectLocation({ ...NOTHING, ...redirect }, request, 'http', { host: '10.0.0.1', port })).toBe(location);
});
