/** Durations as Istio's YAML writes them: `1.5s`, `200ms`, `1h2m`. */

const UNIT_MS: ReadonlyMap<string, number> = new Map([
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
  ['ms', 1],
  ['us', 1e-3],
  ['µs', 1e-3],
  ['ns', 1e-6],
]);
const WHOLE = /^(\d+(\.\d+)?(h|ms|m|s|us|µs|ns))+$/;

/** null when the text is no duration; negative ones are none. */
export function parseDurationMs(text: string): number | null {
  if (text === '0') return 0;
  if (!WHOLE.test(text)) return null;
  let total = 0;
  for (const [, amount, , unit] of text.matchAll(/(\d+(\.\d+)?)(h|ms|m|s|us|µs|ns)/g))
    total += Number(amount) * UNIT_MS.get(unit!)!;
  return total;
}

/** Protobuf's JSON form: seconds, at most nine decimals. */
export function protoDuration(ms: number): string {
  return `${(ms / 1_000).toFixed(9).replace(/\.?0+$/, '')}s`;
}
