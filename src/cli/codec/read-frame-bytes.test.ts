import { describe, expect, it } from 'vitest';
import { readFrameBytes } from './read-frame-bytes.ts';

const bytes = Buffer.from('ec01000000000000000000070000002f000373617900', 'hex');
const read = (text: string) => readFrameBytes(Buffer.from(text)).toString('hex');

describe('the bytes of codec decode', () => {
  it.each([
    ['digits', 'ec01 0000 00000000 00000007\n0000002f 0003736179 00\n'],
    ['digits that look like offsets', '0000\n0001\n0002\n'],
    ['prefixes', [...bytes].map((byte) => `0x${byte.toString(16)}`).join(', ')],
    ['one number', `0x${bytes.toString('hex')}\n`],
    ['escapes', [...bytes].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')],
    ['colons', bytes.toString('hex').replace(/..(?!$)/g, '$&:')],
    [
      'a list in braces',
      `{ 0xec, 0x01, ${[...bytes.subarray(2)].map((byte) => `0x${byte.toString(16)}`).join(', ')} };`,
    ],
    [
      'xxd',
      '00000000: ec01 0000 0000 0000 0000 0007 0000 002f  .............../\n00000010: 0003 7361 7900                           ..say.\n',
    ],
    [
      'xxd, text that looks like digits',
      '00000000: ec01 0000 0000 0000 0000 0007 0000 002f  abcd ab 12\n00000010: 0003 7361 7900  ab cd\n',
    ],
    ['one row of xxd', `00000000: ${bytes.toString('hex').replace(/..../g, '$& ')}     ..say.\n`],
    [
      'hexdump -C',
      '00000000  ec 01 00 00 00 00 00 00  00 00 00 07 00 00 00 2f  |.............../|\n00000010  00 03 73 61 79 00                                 |..say.|\n00000016\n',
    ],
    ['od, octal', '0000000 ec 01 00 00 00 00 00 00 00 00 00 07 00 00 00 2f\n0000020 00 03 73 61 79 00\n0000026\n'],
    [
      'od, decimal, with text',
      '0000000 ec 01 00 00 00 00 00 00 00 00 00 07 00 00 00 2f  >......../<\n0000016 00 03 73 61 79 00   >..say.<\n0000022\n',
    ],
    [
      'tcpdump',
      '\t0x0000:  ec01 0000 0000 0000 0000 0007 0000 002f  .............../\n\t0x0010:  0003 7361 7900                           ..say.\n',
    ],
  ])('are read from %s', (name, text) => {
    expect(read(text)).toBe(name.includes('look like offsets') ? '000000010002' : bytes.toString('hex'));
  });

  it('are those of a sample, or what is there', () => {
    expect(read('@attribute method = say\nec 01 # the magic\n00\n')).toBe('ec0100');
    expect(read('"\\r\\n" 00')).toBe('0d0a00');
    expect(readFrameBytes(bytes)).toEqual(bytes);
    const text = Buffer.from('GET / HTTP/1.1\r\n\r\n');
    expect(readFrameBytes(text)).toEqual(text);
  });

  it('are refused where nobody can mean them', () => {
    expect(() => read('')).toThrow('the input is empty');
    expect(() => read('ec 01 0\n')).toThrow('5 hexadecimal digits: expected two for each byte');
    const words = '0000000 01ec 0000 0000 0000 0000 0700 0000 2f00\n0000010 0300 6173 0079\n0000016\n';
    expect(() => read(words)).toThrow('a dump of words, whose byte order is that of some machine');
  });
});
