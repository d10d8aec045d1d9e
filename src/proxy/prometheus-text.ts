/** Statistics in the Prometheus text format 0.0.4. */
import { LATENCY_BUCKETS_MS, type Labels } from '../metaprotocol/stats.ts';
import type { StatSeries } from './stat-totals.ts';

export const PROMETHEUS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** `series` of one name have to stand together. */
export function prometheusText(series: readonly StatSeries[]): string {
  const lines: string[] = [];
  let family = '';
  for (const one of series) {
    const name = `meltemi_${one.name}`;
    if (name !== family) {
      family = name;
      lines.push(`# TYPE ${name} ${one.kind}`);
    }
    if (one.kind === 'histogram') lines.push(...histogramLines(name, one));
    else lines.push(`${name}${labelText(one.labels)} ${one.values[0]}`);
  }
  return `${lines.join('\n')}\n`;
}

function histogramLines(name: string, { labels, values }: StatSeries): string[] {
  const lines: string[] = [];
  let count = 0;
  for (let bucket = 0; bucket <= LATENCY_BUCKETS_MS.length; bucket++) {
    count += values[bucket]!;
    const bound = LATENCY_BUCKETS_MS[bucket] ?? '+Inf';
    lines.push(`${name}_bucket${labelText({ ...labels, le: String(bound) })} ${count}`);
  }
  lines.push(`${name}_sum${labelText(labels)} ${values.at(-1)}`, `${name}_count${labelText(labels)} ${count}`);
  return lines;
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(
    ([key, value]) => `${key.replace(/[^a-zA-Z0-9_]/g, '_')}="${value.replace(/[\\"\n]/g, escapeCharacter)}"`,
  );
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escapeCharacter(character: string): string {
  return character === '\n' ? '\\n' : `\\${character}`;
}
