/** The toys' error codes: one for each ProxyStatus, so that a test sees which status a caller was told. */
import { type ProxyStatus, Status, type StatusName } from '../../../src/metaprotocol/status.ts';

export const TOY_CODES: readonly { readonly name: StatusName; readonly code: number }[] = Object.freeze(
  (Object.keys(Status) as StatusName[]).map((name, code) => ({ name, code })),
);

export function codeOf(status: ProxyStatus): number {
  return status.code ?? TOY_CODES.find(({ name }) => name === status.name)!.code;
}

export function statusNameOf(code: number): StatusName | undefined {
  return TOY_CODES[code]?.name;
}
