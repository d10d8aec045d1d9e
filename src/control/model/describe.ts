/** describe: values of any kind as they stand in messages to people. */

/** A value in a message: short, and never multi-line. */
export function describe(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  const text = JSON.stringify(value);
  const short = text.length > 60 ? `${text.slice(0, 57)}…` : text;
  return Array.isArray(value) ? `a list ${short}` : typeof value === 'object' ? `a mapping ${short}` : short;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
