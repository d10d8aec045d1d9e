/** What the main thread and its workers say to each other; all of it can be cloned between threads. */

import type { RuntimeIssue } from '../../metaprotocol/compile.ts';
import type { RuntimeDescription } from '../../metaprotocol/description.ts';
import type { ProtocolManifest } from '../../metaprotocol/manifest.ts';
import type { ClusterStatus } from '../../metaprotocol/runtime.ts';
import type { StatDefinition } from '../../metaprotocol/stats.ts';

/** An outside plugin, as the operator named it. */
export interface PluginReference {
  /** A path, or the name of a package. */
  readonly reference: string;
  /** Where paths start and packages are looked up. */
  readonly directory: string;
}

/** What an outside plugin turned out to be. */
export interface LoadedPlugin {
  readonly name: string;
  readonly version: string;
  readonly manifests: readonly ProtocolManifest[];
  /** Its own source files. */
  readonly files: readonly string[];
}

/** Why an outside plugin cannot be used; another verdict needs a change of one of `files`, some of which may not be there yet. */
export class PluginRefused extends Error {
  readonly files: readonly string[];

  constructor(reason: string, files: readonly string[]) {
    super(reason);
    this.files = files;
  }
}

export type ToWorker =
  /** Compile and bind, change nothing. Answered with `prepared`. A second one replaces the first. */
  | { readonly type: 'prepare'; readonly round: number; readonly description: RuntimeDescription }
  /** Make the round that was prepared the running one. Answered with `committed`. */
  | { readonly type: 'commit'; readonly round: number }
  | { readonly type: 'abandon'; readonly round: number }
  /** Answered with `drained`, at the latest when the deadline passed. Callers that are quiet for `quietMs` are asked to go. */
  | { readonly type: 'drain'; readonly deadlineMs: number; readonly quietMs: number }
  /** Answered with `pong` at once. */
  | { readonly type: 'ping' }
  /** Open access logs anew that were renamed or deleted. Answered with `logs_reopened`. */
  | { readonly type: 'reopen_logs'; readonly question: number }
  /** Answered with `status`. */
  | { readonly type: 'status'; readonly question: number };

export type FromWorker =
  /** Before `ready`, where there is an outside plugin. */
  | { readonly type: 'loaded'; readonly plugin: LoadedPlugin }
  /** Instead of `ready`, and the last one: the plugin cannot be used. */
  | { readonly type: 'refused'; readonly reason: string; readonly files: readonly string[] }
  | { readonly type: 'pong' }
  /** Once: it takes messages now. */
  | { readonly type: 'ready' }
  | { readonly type: 'prepared'; readonly round: number; readonly issues: readonly RuntimeIssue[] }
  | { readonly type: 'committed'; readonly round: number }
  | { readonly type: 'drained' }
  | { readonly type: 'logs_reopened'; readonly question: number }
  | { readonly type: 'status'; readonly question: number; readonly clusters: readonly ClusterStatus[] }
  /** A statistic that it will write to from now on. */
  | { readonly type: 'defined'; readonly definition: StatDefinition }
  | { readonly type: 'log'; readonly level: LogLevel; readonly fields: object; readonly text: string }
  /** Whole lines of an access log that goes to one of the process's own streams; files a worker writes itself. */
  | { readonly type: 'lines'; readonly path: string; readonly bytes: Uint8Array; readonly count: number };

export type LogLevel = 'info' | 'warn' | 'error';
