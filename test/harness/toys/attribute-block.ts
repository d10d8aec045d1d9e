/** AttributeBlock: the `key=value` lines that are the head of the toy protocols, read lazily and edited on demand. */
import type { Message } from '../../../src/metaprotocol/message.ts';

export class AttributeBlock {
  #bytes: Buffer;
  /** null until the first edit: then the bytes are no longer looked at. */
  #edited: [key: string, value: string][] | null = null;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** For messages that no peer sent: local replies, and messages of another family. */
  static of(pairs: Iterable<readonly [key: string, value: string]>): AttributeBlock {
    const lines = [...pairs].map(([key, value]) => `${key}=${value}\n`);
    return new AttributeBlock(Buffer.from(lines.join('')));
  }

  static from(message: Pick<Message, 'entries'>): AttributeBlock {
    const pairs: [string, string][] = [];
    message.entries((key, value) => pairs.push([key, value]));
    return AttributeBlock.of(pairs);
  }

  get edited(): boolean {
    return this.#edited !== null;
  }

  /** The same bytes at a place that stays. */
  rebase(bytes: Buffer): void {
    this.#bytes = bytes;
  }

  fork(): AttributeBlock {
    const fork = new AttributeBlock(this.#bytes);
    fork.#edited = this.#edited === null ? null : this.#edited.map(([key, value]) => [key, value]);
    return fork;
  }

  get(key: string): string | undefined {
    return this.#pairs().find(([known]) => known === key)?.[1];
  }

  entries(visit: (key: string, value: string) => void): void {
    for (const [key, value] of this.#pairs()) visit(key, value);
  }

  set(key: string, value: string): boolean {
    if (!carries(key, value)) return false;
    this.#edited = [...this.#pairs().filter(([known]) => known !== key), [key, value]];
    return true;
  }

  add(key: string, value: string): boolean {
    if (!carries(key, value)) return false;
    this.#edited = [...this.#pairs(), [key, value]];
    return true;
  }

  remove(key: string): boolean {
    const pairs = this.#pairs();
    if (pairs.some(([known]) => known === key)) this.#edited = pairs.filter(([known]) => known !== key);
    return true;
  }

  /** What goes on the wire. */
  encoded(): Buffer {
    if (this.#edited === null) return this.#bytes;
    return Buffer.from(this.#edited.map(([key, value]) => `${key}=${value}\n`).join(''));
  }

  #pairs(): [string, string][] {
    if (this.#edited !== null) return this.#edited;
    return this.#bytes
      .toString()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const equals = line.indexOf('=');
        return equals === -1 ? [line, ''] : [line.slice(0, equals), line.slice(equals + 1)];
      });
  }
}

function carries(key: string, value: string): boolean {
  return key !== '' && !/[=\n]/.test(key) && !value.includes('\n');
}
