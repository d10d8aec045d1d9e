/** The words that Redis's errors begin with, numbered, so that faults and status rules can name them. */

/** Numbers are ours and stay: configuration travels with them. */
export const ErrorCode = {
  ERR: 1,
  WRONGTYPE: 2,
  NOAUTH: 3,
  WRONGPASS: 4,
  NOPERM: 5,
  LOADING: 6,
  BUSY: 7,
  READONLY: 8,
  OOM: 9,
  MOVED: 10,
  ASK: 11,
  TRYAGAIN: 12,
  CLUSTERDOWN: 13,
  CROSSSLOT: 14,
  MASTERDOWN: 15,
  NOREPLICAS: 16,
  NOSCRIPT: 17,
  EXECABORT: 18,
  MISCONF: 19,
  UNKILLABLE: 20,
  NOPROTO: 21,
  BUSYGROUP: 22,
  BUSYKEY: 23,
  NOGROUP: 24,
  NOTBUSY: 25,
  IOERR: 26,
  INPROG: 27,
  UNBLOCKED: 28,
  DENIED: 29,
} as const;

const NAMES: ReadonlyMap<number, string> = new Map(Object.entries(ErrorCode).map(([name, code]) => [code, name]));
const CODES: ReadonlyMap<string, number> = new Map(Object.entries(ErrorCode));

export function errorName(code: number): string {
  return NAMES.get(code) ?? 'ERR';
}

/** A word that is not listed counts as ERR. */
export function errorCode(name: string): number {
  return CODES.get(name) ?? ErrorCode.ERR;
}
