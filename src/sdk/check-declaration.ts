/** checkDeclaration: what types cannot say about a declaration: places inside the head, values that fit, names that exist. */
import type { ConfigIssue } from '../metaprotocol/config-error.ts';
import type { CodecDeclaration } from './declaration.ts';
import { type IdName, type NumberName, numberFormat } from './number-format.ts';

export function checkDeclaration(declaration: CodecDeclaration, issues: ConfigIssue[]): void {
  const { name, frame, id, kind, outcome, codes, errors, attributes } = declaration;
  const bad = (path: string, message: string) => issues.push({ path: `${name}.${path}`, message });
  const mustLieInHead = (path: string, at: number, bytes: number) => {
    if (!Number.isInteger(at) || at < 0 || at + bytes > frame.headBytes) {
      bad(path, `bytes ${at} to ${at + bytes} are not inside the head of ${frame.headBytes} bytes`);
    }
  };
  const mustFit = (path: string, value: number, as: NumberName) => {
    const { maximum } = numberFormat(as);
    if (!Number.isInteger(value) || value < 0 || value > maximum)
      bad(path, `${value} is not a number from 0 to ${maximum}`);
  };

  if (!/^[a-z][a-z0-9-]*$/.test(name))
    bad('name', `${JSON.stringify(name)} is not lower case letters, digits and dashes`);
  mustLieInHead('frame.magic', 0, frame.magic?.length ?? 0);
  mustLieInHead('frame.length', frame.length.at, numberFormat(frame.length.as).bytes);
  if (frame.limitBytes < frame.headBytes) bad('frame.limitBytes', `${frame.limitBytes} < headBytes ${frame.headBytes}`);
  mustLieInHead('id', id.at, idBytes(id.as));
  mustLieInHead('outcome', outcome.at, numberFormat(outcome.as).bytes);

  mustLieInHead('kind', kind.at, numberFormat(kind.as).bytes);
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

  for (const [code, value] of Object.entries(codes)) mustFit(`codes.${code}`, value, outcome.as);
  for (const [status, code] of [['otherwise', errors.otherwise], ...Object.entries(errors.of ?? {})] as const) {
    if (code !== undefined && !Object.hasOwn(codes, code)) {
      bad(`errors.${status}`, `${JSON.stringify(code)} is not one of the codes ${Object.keys(codes).join(', ')}`);
    }
  }
  for (const [key, field] of Object.entries(attributes)) {
    if (field.place === 'head') mustLieInHead(`attributes.${key}`, field.at, field.bytes);
  }
}

export function idBytes(as: IdName): number {
  return as === 'u64be' || as === 'u64le' ? 8 : numberFormat(as).bytes;
}
