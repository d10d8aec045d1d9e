/** What the parent process and a load generator say to each other. */

export interface LoadJob {
  readonly port: number;
  readonly callers: number;
  readonly inFlight: number;
  readonly payloadBytes: number;
  readonly warmUpMs: number;
  readonly measureMs: number;
  /** The process whose CPU time is counted; null: there is no proxy. */
  readonly proxyPid: number | null;
}

export interface LoadResult {
  /** Answered within the measured window. */
  readonly calls: number;
  /** Wrong, unknown or missing answers, of the whole job. */
  readonly failures: number;
  readonly firstFailure: string | null;
  readonly callsPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly cpuUsPerCall: number | null;
}
