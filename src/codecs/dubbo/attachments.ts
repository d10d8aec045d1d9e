/** The attachments of one message, once somebody edits them. Entries that nobody touches leave with the bytes they came with. */
import { isTextLead, readText, textBytes } from './hessian-text.ts';
import { type HessianWalker, TYPED_MAP, UNTYPED_MAP } from './hessian-walker.ts';
import { NULL } from './wire.ts';

const END = 0x5a;
const EMPTY_MAP = Buffer.from([UNTYPED_MAP]);

interface Attachment {
  /** null: not a string. */
  readonly key: string | null;
  /** null: not a string, so others may refer to it by its number: it stays. */
  readonly value: string | null;
  /** Key and value on the wire. */
  readonly wire: Buffer;
}

export class AttachmentEdits {
  /** What it replaces, counted from the start of the frame. */
  readonly mapAt: number;
  readonly mapEnd: number;
  /** Lead byte and type. */
  readonly #lead: Buffer;
  #attachments: readonly Attachment[];

  private constructor(mapAt: number, mapEnd: number, lead: Buffer, attachments: readonly Attachment[]) {
    this.mapAt = mapAt;
    this.mapEnd = mapEnd;
    this.#lead = lead;
    this.#attachments = attachments;
  }

  /** For a message that has none and gets a map at `mapAt`. */
  static none(mapAt: number): AttachmentEdits {
    return new AttachmentEdits(mapAt, mapAt, EMPTY_MAP, []);
  }

  /** `walker` stands on the map, in a frame that begins at `bytes[from]`. null: there is no map. Copies what it holds. */
  static read(walker: HessianWalker, bytes: Buffer, from: number, to: number): AttachmentEdits | null {
    const mapAt = walker.at;
    const lead = mapAt < to ? bytes[mapAt] : -1;
    if (lead === NULL) return new AttachmentEdits(mapAt - from, mapAt + 1 - from, EMPTY_MAP, []);
    if ((lead !== UNTYPED_MAP && lead !== TYPED_MAP) || !walker.enterMap()) return null;
    const firstAt = walker.at;
    const attachments: Attachment[] = [];
    while (!walker.atEnd) {
      const keyAt = walker.at;
      if (!walker.skip(1)) return null;
      const valueAt = walker.at;
      if (!walker.skip(1)) return null;
      attachments.push({
        key: isTextLead(bytes[keyAt]!) ? readText(bytes, keyAt, valueAt) : null,
        value: isTextLead(bytes[valueAt]!) ? readText(bytes, valueAt, walker.at) : null,
        wire: Buffer.from(bytes.subarray(keyAt, walker.at)),
      });
    }
    const leadBytes = Buffer.from(bytes.subarray(mapAt, firstAt));
    return new AttachmentEdits(mapAt - from, walker.at + 1 - from, leadBytes, attachments);
  }

  fork(): AttachmentEdits {
    return new AttachmentEdits(this.mapAt, this.mapEnd, this.#lead, this.#attachments);
  }

  get(key: string): string | undefined {
    return this.#attachments.find((one) => one.key === key)?.value ?? undefined;
  }

  visit(visit: (key: string, value: string) => void): void {
    for (const { key, value } of this.#attachments) if (key !== null && value !== null) visit(key, value);
  }

  /** False, and nothing changed: the key's value is no string, or `growthLimitBytes` more than at first would be exceeded. */
  set(key: string, value: string, growthLimitBytes: number): boolean {
    if (!this.#editable(key)) return false;
    const before = this.#attachments;
    const at = before.findIndex((one) => one.key === key);
    const rest = before.filter((one) => one.key !== key);
    rest.splice(at < 0 ? rest.length : at, 0, { key, value, wire: Buffer.concat([textBytes(key), textBytes(value)]) });
    this.#attachments = rest;
    if (this.growthBytes <= growthLimitBytes) return true;
    this.#attachments = before;
    return false;
  }

  /** False: the key's value is no string. */
  remove(key: string): boolean {
    if (!this.#editable(key)) return false;
    this.#attachments = this.#attachments.filter((one) => one.key !== key);
    return true;
  }

  /** Of the map as it is now. */
  get mapBytes(): number {
    return this.#attachments.reduce((sum, { wire }) => sum + wire.length, this.#lead.length + 1);
  }

  /** How much longer the message becomes. */
  get growthBytes(): number {
    return this.mapBytes - (this.mapEnd - this.mapAt);
  }

  /** Writes `mapBytes` bytes at `at`. */
  write(slab: Buffer, at: number): void {
    let to = at + this.#lead.copy(slab, at);
    for (const { wire } of this.#attachments) to += wire.copy(slab, to);
    slab[to] = END;
  }

  #editable(key: string): boolean {
    return !this.#attachments.some((one) => one.key === key && one.value === null);
  }
}
