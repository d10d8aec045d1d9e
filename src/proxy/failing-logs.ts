/** Access logs with which something is wrong now, as remarks on the listeners that ask for them. */
import { TypeUrl } from '../xds/type-urls.ts';
import type { ListenerPlan } from './describe/listener-plan.ts';
import { LOG_FAILURES, type LogFailureKind } from './log-failure.ts';
import type { ResourceRemark } from './resource-remark.ts';
import type { StatTotals } from './stat-totals.ts';

const FAILING = 'access_logs_failing';

/** An access log that a listener asks for. */
export interface AskedLog {
  readonly listener: string;
  readonly path: string;
}

/** Each once, however many chains share it. */
export function askedLogs(listeners: readonly ListenerPlan[]): AskedLog[] {
  return listeners.flatMap(({ name, chains }) => {
    const filters = chains.flatMap((chain) => chain.filters).filter((filter) => filter.name === 'access_log');
    const paths = new Set(filters.map(({ options }) => (options as { path: string }).path));
    return [...paths].map((path) => ({ listener: name, path }));
  });
}

export function failingLogs(totals: StatTotals, asked: readonly AskedLog[]): ResourceRemark[] {
  return totals.series(FAILING).flatMap(({ labels: { path, failure, reason }, values: [failing = 0] }) => {
    if (failing === 0) return [];
    const message = `access log ${path} ${LOG_FAILURES[failure as LogFailureKind]}: ${reason}`;
    const listeners = asked.filter((log) => log.path === path).map(({ listener }) => listener);
    return listeners.map((name) => ({ typeUrl: TypeUrl.Listener, name, message }));
  });
}
