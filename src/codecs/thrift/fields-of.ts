/** fieldsOf: a message piece by piece, for people and tools. Never throws. */
import type { FrameField } from '../../metaprotocol/codec.ts';
import { HeadReader } from './head-reader.ts';
import { HeaderCursor } from './header-block.ts';
import { serviceBytes } from './method-names.ts';
import { parseThriftOptions } from './options.ts';
import {
  BINARY_MAGIC,
  HEADER_BLOCK_AT,
  HEADER_SEQ_AT,
  HEADER_WORDS_AT,
  isHeaderMagic,
  LENGTH_BYTES,
  MESSAGE_TYPE_NAMES,
  readInt32,
  readUint16,
} from './wire.ts';

const FLAGS_AT = LENGTH_BYTES + 2;
const OPTIONS = parseThriftOptions(undefined);

/** Headers and the two parts of a name are called as attributes are. The struct is one field: only an IDL tells what lies in it. */
export function thriftFields(frame: Buffer): readonly FrameField[] {
  const fields: FrameField[] = [];
  const add = (name: string, at: number, to: number, value: string) => {
    if (at < to && to <= frame.length) fields.push({ name, at, bytes: to - at, value });
  };
  const isUnframed = frame.length > 0 && frame[0]! >= BINARY_MAGIC;
  if (!isUnframed && frame.length >= LENGTH_BYTES) add('length', 0, LENGTH_BYTES, String(readInt32(frame, 0)));
  const hasHeaders = !isUnframed && frame.length >= HEADER_BLOCK_AT && isHeaderMagic(frame, LENGTH_BYTES);
  if (hasHeaders) {
    add('magic', LENGTH_BYTES, FLAGS_AT, frame.toString('hex', LENGTH_BYTES, FLAGS_AT));
    add('flags', FLAGS_AT, HEADER_SEQ_AT, frame.toString('hex', FLAGS_AT, HEADER_SEQ_AT));
    add('header-id', HEADER_SEQ_AT, HEADER_WORDS_AT, String(readInt32(frame, HEADER_SEQ_AT)));
    add('header-words', HEADER_WORDS_AT, HEADER_BLOCK_AT, String(readUint16(frame, HEADER_WORDS_AT)));
  }
  const head = new HeadReader(OPTIONS);
  if (!head.read(frame, 0, frame.length, isUnframed)) return fields;
  if (hasHeaders) {
    add('header-protocol', HEADER_BLOCK_AT, head.infosAt, `${head.protocol}, 0 transforms`);
    const cursor = new HeaderCursor().start(frame, head.infosAt, head.innerAt);
    while (cursor.next()) {
      const key = frame.toString('utf8', cursor.keyAt, cursor.keyEnd);
      add(key, cursor.keyAt, cursor.valueEnd, frame.toString('utf8', cursor.valueAt, cursor.valueEnd));
    }
  }
  const { innerAt, nameAt, bodyAt, seqAt } = head;
  const nameEnd = nameAt + head.nameBytes;
  const methodAt = nameAt + serviceBytes(frame, nameAt, nameEnd);
  const versionEnd = head.protocol === 'binary' ? innerAt + 2 : innerAt + 1;
  add('version', innerAt, versionEnd, frame.toString('hex', innerAt, versionEnd));
  const typeAt = head.protocol === 'binary' ? innerAt + 3 : innerAt + 1;
  add('message-type', typeAt, typeAt + 1, MESSAGE_TYPE_NAMES[head.type as 1 | 2 | 3 | 4]);
  add('id', seqAt, seqAt + head.seqWidth, String(head.seqid));
  add('service', nameAt, methodAt - 1, frame.toString('utf8', nameAt, methodAt - 1));
  add('method', methodAt, nameEnd, frame.toString('utf8', methodAt, nameEnd));
  add('body', bodyAt, frame.length, frame.toString('hex', bodyAt, bodyAt + 32));
  // A compact id stands before the name, a binary one behind it.
  return fields.sort((a, b) => a.at - b.at);
}
