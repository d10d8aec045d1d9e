/** describe: values of any kind, and places in them, as they stand in messages to people. */

/** A value in a message: short, never multi-line, and of values that JSON does not know too. */
export function describe(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'function') return 'a function';
  if (typeof value !== 'string' && (typeof value !== 'object' || value === null)) return String(value);
  const text = jsonOf(value);
  const short = text.length > 60 ? `${text.slice(0, 57)}…` : text;
  return Array.isArray(value) ? `a list ${short}` : typeof value === 'object' ? `an object ${short}` : short;
}

/** A value that may be a secret, or hold one: of texts, lists and objects only what they are. */
export function describeKind(value: unknown): string {
  if (typeof value === 'string') return 'a text';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' && value !== null ? 'an object' : describe(value);
}

/** `spec.routes[0].match`; '' = the whole. */
export function formatPath(path: readonly PropertyKey[]): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (typeof part === 'string' && /^[A-Za-z_][\w-]*$/.test(part)) text += text === '' ? part : `.${part}`;
    else text += `[${typeof part === 'string' ? JSON.stringify(part) : String(part)}]`;
  }
  return text;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function jsonOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? '';
  } catch {
    // It holds itself, a bigint, or a getter that throws.
    return '';
  }
}
