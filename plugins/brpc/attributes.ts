/** Attributes of a RpcMeta: which there are, and how they are read from its bytes when somebody asks. */
import type { FixedAttribute } from 'meltemi/codec';
import { FieldWalker } from './field-walker.ts';
import { COMPRESS_NAMES, EntryTag, MetaTag, RequestTag, ResponseTag } from './wire.ts';

interface FixedField {
  /** The message inside RpcMeta that it lies in; null: RpcMeta itself. */
  readonly inside: number | null;
  readonly tag: number;
  readonly read: (bytes: Buffer, walker: FieldWalker) => string | undefined;
  readonly description: string;
}

/** brpc-java's ext_fields have the number of request_id: a message that starts with its key's tag. */
const EXT_FIELD_LEAD = EntryTag.Key;

const text = (bytes: Buffer, { valueAt, end }: FieldWalker) => bytes.toString('utf8', valueAt, end);
const int64 = (_bytes: Buffer, { high, low }: FieldWalker) =>
  high === 0 ? String(low) : String(BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low)));
const compression = (_bytes: Buffer, { low }: FieldWalker) => COMPRESS_NAMES[low] ?? String(low);
const requestId = (bytes: Buffer, walker: FieldWalker) => (isExtField(bytes, walker) ? undefined : text(bytes, walker));

const { Request, Response } = MetaTag;
const FIELDS: ReadonlyMap<string, FixedField> = new Map(
  Object.entries({
    service: { inside: Request, tag: RequestTag.ServiceName, read: text, description: 'Full name of the service.' },
    method: { inside: Request, tag: RequestTag.MethodName, read: text, description: 'Name of the method.' },
    'log-id': { inside: Request, tag: RequestTag.LogId, read: int64, description: "The caller's log_id." },
    'trace-id': { inside: Request, tag: RequestTag.TraceId, read: int64, description: 'Trace of the call.' },
    'span-id': { inside: Request, tag: RequestTag.SpanId, read: int64, description: 'Span of the call.' },
    'parent-span-id': { inside: Request, tag: RequestTag.ParentSpanId, read: int64, description: 'Span above it.' },
    'request-id': { inside: Request, tag: RequestTag.RequestId, read: requestId, description: 'Id as in HTTP.' },
    'timeout-ms': { inside: Request, tag: RequestTag.TimeoutMs, read: int64, description: "The caller's timeout." },
    'error-code': { inside: Response, tag: ResponseTag.ErrorCode, read: int64, description: '0: success.' },
    'error-text': { inside: Response, tag: ResponseTag.ErrorText, read: text, description: 'What went wrong.' },
    compression: { inside: null, tag: MetaTag.CompressType, read: compression, description: 'Of the payload: `gzip`.' },
    'attachment-bytes': { inside: null, tag: MetaTag.AttachmentSize, read: int64, description: 'Its size.' },
  }),
);

export const FIXED_ATTRIBUTES: readonly FixedAttribute[] = [...FIELDS].map(([key, { description }]) => ({
  key,
  description,
  mutable: false,
}));

export function isFixed(key: string): boolean {
  return FIELDS.has(key);
}

/** Reads in metas that MetaIndex found good. One for each connection and direction. */
export class AttributeReader {
  readonly #walker = new FieldWalker();
  readonly #inner = new FieldWalker();

  /** The last one, where a field is repeated. */
  get(bytes: Buffer, from: number, to: number, key: string): string | undefined {
    const field = FIELDS.get(key);
    let found: string | undefined;
    if (field === undefined) {
      this.#visitOpen(bytes, from, to, (entryKey, value) => {
        if (entryKey === key) found = value;
      });
      return found;
    }
    const walker = this.#walker;
    walker.start(bytes, from, to);
    while (walker.next()) {
      if (field.inside === null) {
        if (walker.tag === field.tag) found = field.read(bytes, walker);
      } else if (walker.tag === field.inside) {
        const inner = this.#inner;
        inner.start(bytes, walker.valueAt, walker.end);
        while (inner.next()) if (inner.tag === field.tag) found = field.read(bytes, inner);
      }
    }
    return found;
  }

  /** The error code of a response: signed, 0 if there is none. */
  errorCode(bytes: Buffer, from: number, to: number): number {
    const walker = this.#walker;
    let code = 0;
    walker.start(bytes, from, to);
    while (walker.next()) {
      if (walker.tag !== MetaTag.Response) continue;
      const inner = this.#inner;
      inner.start(bytes, walker.valueAt, walker.end);
      while (inner.next()) if (inner.tag === ResponseTag.ErrorCode) code = inner.low | 0;
    }
    return code;
  }

  /** Each key once. */
  entries(bytes: Buffer, from: number, to: number, visit: (key: string, value: string) => void): void {
    for (const key of FIELDS.keys()) {
      const value = this.get(bytes, from, to, key);
      if (value !== undefined) visit(key, value);
    }
    const open = new Map<string, string>();
    this.#visitOpen(bytes, from, to, (key, value) => open.set(key, value));
    for (const [key, value] of open) if (!isFixed(key)) visit(key, value);
  }

  /** brpc-java's own: they are read, but not changed. */
  hasExtField(bytes: Buffer, from: number, to: number, wanted: string): boolean {
    let found = false;
    this.#visitOpen(bytes, from, to, (key, _value, isExt) => {
      if (isExt && key === wanted) found = true;
    });
    return found;
  }

  #visitOpen(
    bytes: Buffer,
    from: number,
    to: number,
    visit: (key: string, value: string, isExt: boolean) => void,
  ): void {
    const walker = this.#walker;
    walker.start(bytes, from, to);
    while (walker.next()) {
      if (walker.tag === MetaTag.UserField) {
        const [key, value] = readEntry(bytes, walker.valueAt, walker.end);
        visit(key, value, false);
      } else if (walker.tag === MetaTag.Request) {
        const inner = this.#inner;
        inner.start(bytes, walker.valueAt, walker.end);
        while (inner.next()) {
          if (inner.tag !== RequestTag.RequestId || !isExtField(bytes, inner)) continue;
          const [key, value] = readEntry(bytes, inner.valueAt, inner.end);
          visit(key, value, true);
        }
      }
    }
  }
}

function isExtField(bytes: Buffer, { valueAt, end }: FieldWalker): boolean {
  return valueAt < end && bytes[valueAt] === EXT_FIELD_LEAD;
}

/** Of a map: what is left out is empty. */
export function readEntry(bytes: Buffer, from: number, to: number): [key: string, value: string] {
  const walker = new FieldWalker();
  let key = '';
  let value = '';
  walker.start(bytes, from, to);
  while (walker.next()) {
    if (walker.tag === EntryTag.Key) key = text(bytes, walker);
    else if (walker.tag === EntryTag.Value) value = text(bytes, walker);
  }
  return [key, value];
}
