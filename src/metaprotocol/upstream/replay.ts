/** What becomes of attempts whose connection died: which may be sent again, and in what order. */
import type { LiveAttempt } from '../attempt.ts';
import type { ProxyStatus } from '../status.ts';

/**
 * `lost` in the order in which they were sent. With affinity a caller's attempts are judged together: the longest suffix
 * that may be replayed is replayed, in order; what stands before it fails, else a later command would overtake it.
 */
export function failAttempts(lost: readonly LiveAttempt[], status: ProxyStatus, affinity: boolean): void {
  const replayed = new Set<LiveAttempt>();
  const blocked = new Set<object>();
  for (let index = lost.length - 1; index >= 0; index--) {
    const attempt = lost[index]!;
    if (affinity && blocked.has(attempt.caller)) continue;
    if (attempt.mayReplay(status)) replayed.add(attempt);
    else blocked.add(attempt.caller);
  }
  for (const attempt of lost) if (replayed.has(attempt)) attempt.replay(status);
  for (const attempt of lost) if (!replayed.has(attempt)) attempt.fail(status);
}
