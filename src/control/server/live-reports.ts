/** What proxies say runs on all their workers: the second signal after an ACK (XDS rule 9). */
import type { LiveReport } from '../../xds/discovery.ts';

export interface LiveVersion {
  readonly version: string;
  readonly notes: readonly string[];
  readonly atMs: number;
}

interface Reporter {
  readonly nodeId: string;
  readonly live: Map<string, LiveVersion>;
}

export class LiveReports {
  readonly #nowMs: () => number;
  /** By the stream that reports: a proxy that reconnects starts anew. */
  readonly #reporters = new Map<object, Reporter>();
  readonly #byNode = new Map<string, Reporter>();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** The first report of a stream is complete; later ones tell what changed. */
  take(source: object, report: LiveReport): void {
    let reporter = this.#reporters.get(source);
    if (reporter === undefined) {
      reporter = { nodeId: report.nodeId, live: new Map() };
      this.#reporters.set(source, reporter);
      this.#byNode.set(report.nodeId, reporter);
    }
    for (const { typeUrl, name, version, notes } of report.live) {
      const key = keyOf(typeUrl, name);
      const known = reporter.live.get(key);
      reporter.live.set(key, { version, notes, atMs: known?.version === version ? known.atMs : this.#nowMs() });
    }
    for (const { typeUrl, name } of report.removed) reporter.live.delete(keyOf(typeUrl, name));
  }

  drop(source: object): void {
    const reporter = this.#reporters.get(source);
    if (reporter === undefined) return;
    this.#reporters.delete(source);
    if (this.#byNode.get(reporter.nodeId) === reporter) this.#byNode.delete(reporter.nodeId);
  }

  /** Null: the node does not report, or runs no such resource. */
  find(nodeId: string, typeUrl: string, name: string): LiveVersion | null {
    return this.#byNode.get(nodeId)?.live.get(keyOf(typeUrl, name)) ?? null;
  }
}

function keyOf(typeUrl: string, name: string): string {
  return `${typeUrl}\0${name}`;
}
