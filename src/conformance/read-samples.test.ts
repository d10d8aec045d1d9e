import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { readHexSample, readSamples } from './read-samples.ts';

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
});

async function folderOf(files: Readonly<Record<string, string | Buffer>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'meltemi-samples-'));
  folders.push(folder);
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  return folder;
}

describe('readSamples', () => {
  it('joins requests and responses, heartbeats and their answers, digits and bytes', async () => {
    const folder = await folderOf({
      'say.request.hex': '@attribute method = say \n01 02 # two bytes\n03',
      'say.response.bin': Buffer.from([9, 8]),
      'note.request.hex': '07',
      'ping.heartbeat.hex': 'aa',
      'ping.heartbeat-answer.hex': 'bb',
      'README.md': 'not a sample',
    });
    expect(await readSamples(folder)).toEqual({
      exchanges: [
        { name: 'note', request: { name: 'note', bytes: Buffer.from([7]), attributes: {} }, response: null },
        {
          name: 'say',
          request: { name: 'say', bytes: Buffer.from([1, 2, 3]), attributes: { method: 'say' } },
          response: { name: 'say', bytes: Buffer.from([9, 8]), attributes: {} },
        },
      ],
      heartbeats: [{ name: 'ping', bytes: Buffer.from([0xaa]), answer: Buffer.from([0xbb]) }],
    });
  });

  it.each([
    ['an answer to nothing', { 'a.request.hex': '01', 'b.response.hex': '01' }, 'b.response: there is no b.request'],
    [
      'an unknown role',
      { 'a.question.hex': '01' },
      'a.question.hex: question is not one of request, request-sent, response',
    ],
    ['a name without a role', { 'a.hex': '01' }, 'a.hex: expected a name such as say.request.hex'],
    [
      'a message that is there twice',
      { 'a.request.bin': '1', 'a.request.hex': '01' },
      'a.request.hex: there is a .bin of it too',
    ],
    ['what it cannot read, with its folder', { 'a.request.hex': 'zz' }, /meltemi-samples-.*a\.request\.hex:1: zz: not/],
    ['nothing at all', { 'README.md': '' }, 'no file is named NAME.request.hex'],
  ])('refuses %s', async (_what, files, message) => {
    await expect(readSamples(await folderOf(files))).rejects.toThrow(message);
  });

  it('reads what a message that streams holds and becomes, and what its protocol is like', async () => {
    const folder = await folderOf({
      'put.request.hex': '@data = déjà vu\n@trailer sum = 1 \n@end = close\n"PUT\\r\\n#" 00 # a text\n0 1',
      'put.request-sent.hex': '"PUT"',
      'put.response.hex': '01',
      'protocol.json': '{ "followers": { "key": ["hash-key"] }, "dropsHalfRequests": true }',
    });
    const { exchanges, traits } = await readSamples(folder);
    const request = { name: 'put', bytes: Buffer.from('PUT\r\n#\0\x01'), attributes: {}, sent: Buffer.from('PUT') };
    expect(exchanges[0]!.request).toEqual({
      ...request,
      data: Buffer.from('déjà vu'),
      trailers: { sum: '1' },
      end: 'close',
    });
    expect(traits).toEqual({ followers: { key: ['hash-key'] }, dropsHalfRequests: true });
  });

  it.each([
    ['{ "follower": {} }', 'protocol.json: follower is not one of codecOptions, followers, dropsHalfRequests'],
    ['{ "followers": { "key": "hash-key" } }', 'followers: {"key":"hash-key"} is not an object of lists'],
    ['[]', 'expected an object'],
    ['{', 'protocol.json: '],
  ])('refuses %s as what a protocol is like', async (text, message) => {
    const folder = await folderOf({ 'a.request.hex': '01', 'protocol.json': text });
    await expect(readSamples(folder)).rejects.toThrow(message);
  });

  it('reads what is expected of a response', () => {
    expect(readHexSample('a', '@code = 4\n01', 'a').outcome).toEqual({ code: 4, ok: false });
    expect(readHexSample('a', '@code = 4\n@ok = true\n01', 'a').outcome).toEqual({ code: 4, ok: true });
    expect(readHexSample('a', '@ok = false\n01', 'a').outcome).toEqual({ code: 0, ok: false });
  });

  it.each([
    ['01\nxyz', 'a.hex:2: xyz: not hexadecimal digits'],
    ['@expect 4\n01', 'a.hex:1: @expect 4: expected @attribute KEY = VALUE, @trailer KEY = VALUE, @code = NUMBER'],
    ['@code = zero\n01', 'a.hex:1: @code = zero: expected @attribute KEY = VALUE'],
    ['@ok = maybe\n01', 'a.hex:1: @ok = maybe: expected @attribute KEY = VALUE'],
    ['@end = soon\n01', 'a.hex:1: @end = soon: expected'],
    ['"\\x"', 'a.hex:1: "\\x": not hexadecimal digits, nor text in quotes'],
    ['"open', 'a.hex:1: "open: not hexadecimal digits'],
    ['012', 'a.hex: 3 hexadecimal digits'],
    ['# nothing', 'a.hex: 0 hexadecimal digits'],
  ])('names the line of %j', (text, message) => {
    expect(() => readHexSample('a', text, 'a.hex')).toThrow(message);
  });
});
