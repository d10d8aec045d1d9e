import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LogWriter } from './log-writer.ts';

function recording() {
  const batches: { text: string; count: number }[] = [];
  let firsts = 0;
  const writer = new LogWriter(
    (bytes, count) => batches.push({ text: bytes.toString(), count }),
    () => firsts++,
  );
  return { writer, batches, firsts: () => firsts };
}

describe('LogWriter', () => {
  it('delivers every line as it was written, whatever its length, and no line in parts', () => {
    const part = fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 900 }),
      fc.integer({ min: 0, max: 40_000 }).map((length) => 'x'.repeat(length)),
      fc.nat({ max: Number.MAX_SAFE_INTEGER }),
      fc.constantFrom(0, 9, 10, 999_999_999, 1_000_000_000, 4_294_967_296),
      fc.uint8Array({ maxLength: 100, min: 0x20, max: 0x7e }),
    );
    fc.assert(
      fc.property(fc.array(fc.array(part, { maxLength: 6 }), { maxLength: 12 }), (lines) => {
        const { writer, batches } = recording();
        const expected: string[] = [];
        for (const parts of lines) {
          writer.beginLine();
          for (const one of parts) {
            if (typeof one === 'string') writer.text(one);
            else if (typeof one === 'number') writer.number(one);
            else writer.copy(one);
          }
          writer.endLine();
          expected.push(
            `${parts.map((one) => (one instanceof Uint8Array ? Buffer.from(one).toString() : String(one))).join('')}\n`,
          );
        }
        writer.flush();
        expect(batches.map(({ text }) => text).join('')).toBe(expected.join(''));
        expect(batches.every(({ text }) => text.endsWith('\n'))).toBe(true);
        expect(batches.reduce((sum, { count }) => sum + count, 0)).toBe(lines.length);
      }),
      { numRuns: 50 },
    );
  });

  it('forgets a line that was not ended', () => {
    const { writer, batches } = recording();
    writer.beginLine();
    writer.text('half a ');
    writer.beginLine();
    writer.text('whole');
    writer.endLine();
    writer.flush();
    expect(batches).toEqual([{ text: 'whole\n', count: 1 }]);
  });

  it('writes what others chose so that it ends neither a line nor a quoted field', () => {
    const { writer, batches } = recording();
    const text = 'a"b\\c\r\nd\x7fe\x9bfé東\u{1f30a}';
    writer.beginLine();
    writer.quoted(text);
    writer.quoted('');
    expect(writer.quotedBytes(Buffer.from(text, 'latin1'), 0, 1)).toBe(true);
    for (let byte = 0; byte < 256; byte++) {
      const plain = byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c;
      expect(writer.quotedBytes(Uint8Array.of(0x61, byte), 1, 2)).toBe(plain);
      if (!plain) expect(writer.quotedBytes(Uint8Array.of(0x61, byte), 0, 2)).toBe(false);
    }
    writer.endLine();
    writer.flush();
    const plain = Array.from({ length: 0x5f }, (_, index) => String.fromCharCode(0x20 + index)).join('');
    expect(batches[0]!.text).toBe(
      `${String.raw`a\x22b\x5cc\x0d\x0ad\x7fe\x9bfé東🌊`}a${plain.replaceAll(/["\\]/g, '')}\n`,
    );
  });

  it('gives a part as text and forgets it, without touching the lines before', () => {
    const { writer, batches } = recording();
    writer.beginLine();
    writer.text('kept');
    writer.endLine();
    writer.beginLine();
    writer.text('é');
    writer.number(7);
    expect([writer.takeText(), writer.takeText()]).toEqual(['é7', '']);
    writer.flush();
    expect(batches).toEqual([{ text: 'kept\n', count: 1 }]);
  });

  it('tells of the first line that waits', () => {
    const { writer, firsts } = recording();
    for (const text of ['one', 'two']) {
      writer.beginLine();
      writer.text(text);
      writer.endLine();
    }
    expect(firsts()).toBe(1);
    writer.flush();
    writer.flush();
    writer.beginLine();
    writer.endLine();
    expect(firsts()).toBe(2);
  });
});
