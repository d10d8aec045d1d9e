/** CPU time and memory of another process, read from Linux's /proc. */
import { readdirSync, readFileSync } from 'node:fs';

/** Nanoseconds that all living threads of `pid` ran (schedstat: finer than the 10 ms ticks of `stat`). */
export function cpuTimeNs(pid: number): number {
  let sum = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    sum += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ', 1)[0]);
  }
  return sum;
}

/** Resident memory of `pid` in bytes. */
export function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(status);
  if (!match) throw new Error(`/proc/${pid}/status: no VmRSS line`);
  return Number(match[1]) * 1024;
}
