/** Text and the values of bytewise messages: there text is its UTF-8, one byte a character. Most values are ASCII: both alike. */

const NOT_ASCII = /[^\0-\x7f]/;

export function isAscii(text: string): boolean {
  return !NOT_ASCII.test(text);
}

/** What a bytewise message has for this text. */
export function bytewise(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** The text of such a value; what is not UTF-8 shows as U+FFFD. */
export function textOfBytewise(value: string): string {
  return isAscii(value) ? value : Buffer.from(value, 'latin1').toString('utf8');
}
