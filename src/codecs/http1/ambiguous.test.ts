import { describe, expect, it } from 'vitest';
import { benchServer } from '../../conformance/codec-bench.ts';
import { feed, feedBytewise } from '../../conformance/feed.ts';
import { AMBIGUOUS_REQUESTS, type AmbiguousRequest } from './fixtures/ambiguous-requests.ts';
import { http1Factory } from './plugin.ts';

/** What the codec makes of it: the status of its refusal, `pass` with the body, or `wait`. */
function verdictOf(request: AmbiguousRequest, bytewise: boolean): { verdict: string; body: string; heads: number } {
  const { codec, sink } = benchServer(http1Factory);
  const bytes = Buffer.from(request.bytes, 'latin1');
  if (bytewise) feedBytewise(codec, bytes);
  else feed(codec, bytes);
  const { heads, headIds } = sink;
  const refusal = heads.find((head) => head.answer !== null);
  const ended = sink.events.some((event) => (event.kind === 'data' && event.end) || event.kind === 'trailers');
  const whole = heads.length > 0 && ((heads[0]!.flags & 1) !== 0 || ended);
  const verdict = refusal?.answer?.outcome?.code ?? (whole ? 'pass' : 'wait');
  const body = headIds.length > 0 ? sink.dataOf(headIds[0]!).toString('latin1') : '';
  return { verdict: `${verdict}`, body, heads: heads.filter((head) => head.answer === null).length };
}

describe('ambiguous requests', () => {
  const classes = Map.groupBy(AMBIGUOUS_REQUESTS, (request) => request.class);

  it('are many', () => {
    expect(AMBIGUOUS_REQUESTS.length).toBeGreaterThanOrEqual(150);
    expect(new Set(AMBIGUOUS_REQUESTS.map(({ bytes }) => bytes)).size).toBe(AMBIGUOUS_REQUESTS.length);
  });

  it.each([...classes])('%s: have one reading', (_name, requests) => {
    for (const request of requests) {
      const shown = JSON.stringify(request.bytes.slice(0, 200));
      const whole = verdictOf(request, false);
      expect(`${shown}: ${whole.verdict}`).toBe(`${shown}: ${request.verdict}`);
      // However it is cut, and never as a second request.
      expect(verdictOf(request, true)).toEqual(whole);
      expect(whole.heads).toBeLessThanOrEqual(1);
      if (request.verdict === 'pass') expect(whole.body).toBe(request.body);
    }
  });
});
