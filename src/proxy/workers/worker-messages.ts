/** What the main thread and its workers say to each other; all of it can be cloned between threads. */

import type { RuntimeIssue } from '../../metaprotocol/compile.ts';
import type { RuntimeDescription } from '../../metaprotocol/description.ts';
import type { ClusterStatus } from '../../metaprotocol/runtime.ts';
import type { StatDefinition } from '../../metaprotocol/stats.ts';

export type ToWorker =
  /** Compile and bind, change nothing. Answered with `prepared`. A second one replaces the first. */
  | { readonly type: 'prepare'; readonly round: number; readonly description: RuntimeDescription }
  /** Make the round that was prepared the running one. Answered with `committed`. */
  | { readonly type: 'commit'; readonly round: number }
  | { readonly type: 'abandon'; readonly round: number }
  /** Answered with `drained`, at the latest when the deadline passed. */
  | { readonly type: 'drain'; readonly deadlineMs: number }
  /** Answered with `status`. */
  | { readonly type: 'status'; readonly question: number };

export type FromWorker =
  /** Once, first: it takes messages now. */
  | { readonly type: 'ready' }
  | { readonly type: 'prepared'; readonly round: number; readonly issues: readonly RuntimeIssue[] }
  | { readonly type: 'committed'; readonly round: number }
  | { readonly type: 'drained' }
  | { readonly type: 'status'; readonly question: number; readonly clusters: readonly ClusterStatus[] }
  /** A statistic that it will write to from now on. */
  | { readonly type: 'defined'; readonly definition: StatDefinition }
  | { readonly type: 'log'; readonly level: LogLevel; readonly fields: object; readonly text: string }
  /** Whole lines of an access log. */
  | { readonly type: 'lines'; readonly path: string; readonly text: string; readonly count: number };

export type LogLevel = 'info' | 'warn' | 'error';
