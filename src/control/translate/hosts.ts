/** Host patterns: exact names, `*.suffix` and `*`, in lower case. */

export function hostMatches(pattern: string, host: string): boolean {
  return pattern === host || pattern === '*' || (pattern.startsWith('*.') && host.endsWith(pattern.slice(1)));
}

/** What both stand for, which is always the narrower one; null: nothing. */
export function intersectHosts(a: string, b: string): string | null {
  if (hostMatches(a, b)) return b;
  return hostMatches(b, a) ? a : null;
}
