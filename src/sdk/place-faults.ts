/** placeFaults: what types cannot say about a declaration: places inside the head, values that fit, names that exist. */
import type { ConfigIssue } from '../metaprotocol/config-error.ts';
import type { CodecDeclaration } from './declaration.ts';
import { type FieldSide, otherSide } from './field.ts';
import { lengthAdds } from './frame-format.ts';
import { type IdName, type NumberName, numberFormat } from './number-format.ts';

interface Place {
  readonly path: string;
  readonly at: number;
  readonly end: number;
  /** Absent: every frame has it. */
  readonly on?: FieldSide;
}

/** Of a declaration whose shape is right. */
export function placeFaults(declaration: CodecDeclaration): ConfigIssue[] {
  const issues: ConfigIssue[] = [];
  const bad = (path: string, message: string): void => void issues.push({ path, message });
  const { frame, id, kind, outcome, codes, errors, attributes } = declaration;
  const mustLieInHead = (path: string, at: number, bytes: number) => {
    if (!Number.isInteger(at) || at < 0 || !(at + bytes <= frame.headBytes)) {
      bad(path, `bytes ${at} to ${at + bytes} are not inside the head of ${frame.headBytes} bytes`);
    }
  };
  const mustFit = (path: string, value: number, as: NumberName) => {
    const { maximum } = numberFormat(as);
    if (value > maximum) bad(path, `${value} is not a number from 0 to ${maximum}`);
  };

  const mustBeApart = (place: Place, others: readonly Place[]) => {
    for (const other of others) {
      if (place.at >= other.end || other.at >= place.end) continue;
      if (place.on !== undefined && place.on !== 'both' && other.on === otherSide(place.on)) continue;
      bad(place.path, `bytes ${place.at} to ${place.end} overlap ${other.path}, bytes ${other.at} to ${other.end}`);
    }
  };

  const inHead = (path: string, at: number, as: IdName) => ({ path, at, end: at + idBytes(as) });
  const structure: readonly Place[] = [
    { path: 'frame.magic', at: 0, end: frame.magic?.length ?? 0 },
    inHead('frame.length', frame.length.at, frame.length.as),
    inHead('id', id.at, id.as),
    inHead('outcome', outcome.at, outcome.as),
    inHead('kind', kind.at, kind.as),
  ];
  for (const { path, at, end } of structure) mustLieInHead(path, at, end - at);
  for (const [index, place] of structure.entries()) mustBeApart(place, structure.slice(0, index));
  const length = numberFormat(frame.length.as);
  const largest = length.maximum + lengthAdds(frame);
  if (frame.limitBytes < frame.headBytes) bad('frame.limitBytes', `${frame.limitBytes} < headBytes ${frame.headBytes}`);
  if (frame.limitBytes > largest) {
    bad(
      'frame.limitBytes',
      `${frame.limitBytes} > ${largest}, the largest frame that ${frame.length.as} of ${frame.length.of} can tell`,
    );
  }

  const { at: _at, as: _as, mask = numberFormat(kind.as).maximum, ...kinds } = kind;
  const taken = new Map<number, string>();
  for (const [key, value] of Object.entries(kinds)) {
    mustFit(`kind.${key}`, value, kind.as);
    if ((value & ~mask) !== 0) bad(`kind.${key}`, `${value} has bits outside the mask ${mask}`);
    const before = taken.get(value);
    if (before !== undefined) bad(`kind.${key}`, `${value} is also ${before}`);
    taken.set(value, key);
  }
  if (kind.heartbeatAnswer !== undefined && kind.heartbeat === undefined) {
    bad('kind.heartbeatAnswer', 'needs a heartbeat to answer');
  }

  for (const value of outcome.ok ?? []) mustFit('outcome.ok', value, outcome.as);
  const okCodes = outcome.ok ?? [0];
  for (const [code, value] of Object.entries(codes)) mustFit(`codes.${code}`, value, outcome.as);
  const replies = Object.entries(errors.of ?? {}).map(([status, code]) => [`of.${status}`, code] as const);
  for (const [path, code] of [['otherwise', errors.otherwise], ...replies] as const) {
    if (code === undefined) continue;
    if (!Object.hasOwn(codes, code)) {
      bad(`errors.${path}`, `${JSON.stringify(code)} is not one of the codes ${Object.keys(codes).join(', ')}`);
    } else if (okCodes.includes(codes[code]!)) {
      bad(`errors.${path}`, `${JSON.stringify(code)} is ${codes[code]}, which means success`);
    }
  }

  const written: Place[] = structure.filter(({ path }) => path !== 'outcome');
  for (const [key, field] of Object.entries(attributes)) {
    if (field.place !== 'head') continue;
    const place = { path: `attributes.${key}`, at: field.at, end: field.at + field.bytes, on: field.on };
    mustLieInHead(place.path, field.at, field.bytes);
    if (!field.mutable) continue;
    mustBeApart(place, written);
    written.push(place);
  }
  return issues;
}

export function idBytes(as: IdName): number {
  return as === 'u64be' || as === 'u64le' ? 8 : numberFormat(as).bytes;
}
