import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { benchClient, benchServer } from '../../conformance/codec-bench.ts';
import { feed } from '../../conformance/feed.ts';
import { ConfigError } from '../../metaprotocol/config-error.ts';
import { Status, statusOf } from '../../metaprotocol/status.ts';
import { detectHttp1, http1Factory, http1Manifest } from './plugin.ts';
import { HTTP_OF_STATUS, httpReply } from './reply.ts';

const page = readFileSync(new URL('../../../docs/codecs/http1.md', import.meta.url), 'utf8');

describe('the HTTP/1.1 plugin', () => {
  it('states a manifest that survives JSON', () => {
    expect(JSON.parse(JSON.stringify(http1Manifest))).toEqual(http1Manifest);
  });

  it('is described with its attributes, options and errors', () => {
    for (const { key } of http1Manifest.attributes.fixed) expect(page).toContain(`\`${key}\``);
    for (const option of http1Manifest.options) {
      const shown = option.type === 'integer' ? option.default : `\`${option.default}\``;
      expect(page).toContain(`| \`${option.key}\` | ${shown} |`);
    }
    for (const [name, code] of Object.entries(HTTP_OF_STATUS)) expect(page).toContain(`| \`${name}\` | ${code} |`);
  });

  it('detects requests, and no HTTP/2', () => {
    const verdicts = [
      'GET / HTTP/1.1',
      'M-SEARCH * ',
      'GE',
      '',
      'GET ',
      'PRI * HTTP/2.0',
      'PRI ',
      '\x16\x03\x01',
      'get /',
    ].map((text) => detectHttp1(Buffer.from(text, 'latin1')));
    expect(verdicts).toEqual(['match', 'match', 'more', 'more', 'more', 'reject', 'more', 'reject', 'reject']);
  });

  it('checks its options, all of them', () => {
    const messages = (() => {
      try {
        http1Factory.parseOptions({ headLimitBytes: 1, halfClose: 'x', windowBytes: '1', y: 1 });
      } catch (error) {
        if (error instanceof ConfigError) return error.issues.map(({ path }) => path);
      }
      return [];
    })();
    expect(messages).toEqual(['headLimitBytes', 'windowBytes', 'halfClose', 'y']);
  });

  it('answers with every status in a way that its own client side reads', () => {
    const { codec, sink, out } = benchServer(http1Factory);
    feed(codec, Buffer.from('GET / HTTP/1.1\r\nHost: h\r\n\r\n'));
    const request = sink.heads[0]!;
    for (const status of Object.values(Status)) {
      codec.encode(1, codec.reply(status, request), request);
      const client = benchClient(http1Factory);
      client.codec.encode(7, request);
      feed(client.codec, out.take());
      expect(client.sink.error).toBe(null);
      expect(client.sink.heads[0]!.outcome!.code).toBe(HTTP_OF_STATUS[status.name]);
      expect(client.sink.dataOf(7).toString()).toContain(status.detail);
    }
  });

  it.each([0, 99, 101, 1_000, 200.5, Number.NaN])('answers 500 where a filter asks for status %s', (code) => {
    const reply = httpReply(statusOf(Status.denied, 'no', code));
    expect(reply.status).toBe(500);
    expect(reply.body.toString()).toContain(`status ${code} was asked for, expected 200 to 999`);
  });

  it('refuses edits of what it alone writes', () => {
    const { codec, sink } = benchServer(http1Factory);
    feed(codec, Buffer.from('POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nX: 1\r\nX: 2\r\n\r\nx'));
    const request = sink.heads[0]!;
    for (const key of ['Content-Length', 'transfer-encoding', 'Connection', ':method', ':status', 'bad name', '']) {
      expect([key, request.set(key, '1')]).toEqual([key, false]);
    }
    for (const value of ['a\r\nEvil: 1', 'a\0', 'ü€']) expect(request.set('x', value)).toBe(false);
    for (const path of ['a', '/a b', '/a#b', '/ä', '']) expect(request.set(':path', path)).toBe(false);
    for (const host of ['a b', 'u@h', '']) expect(request.set('Host', host)).toBe(false);
    expect([request.remove('content-length'), request.remove('host'), request.remove(':path')]).toEqual([
      false,
      false,
      false,
    ]);
    expect([request.get('x'), request.get('X')]).toEqual(['1,2', '1,2']);
    const fork = request.fork();
    expect([fork.set('x', '3'), fork.add('x', '4'), fork.get('x'), request.get('x')]).toEqual([
      true,
      true,
      '3,4',
      '1,2',
    ]);
    expect([fork.remove('x'), fork.get('x')]).toEqual([true, undefined]);
  });
});
