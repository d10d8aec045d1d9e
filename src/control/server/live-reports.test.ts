import { expect, it } from 'vitest';
import { LiveReports } from './live-reports.ts';

const resource = { typeUrl: 'Cluster', name: 'a' };

it('keeps what a stream reported until it says otherwise or ends', () => {
  let nowMs = 1;
  const reports = new LiveReports(() => nowMs);
  const stream = {};
  reports.take(stream, { nodeId: 'p1', live: [{ ...resource, version: 'v1', notes: [] }], removed: [] });
  nowMs = 2;
  reports.take(stream, {
    nodeId: '',
    live: [{ ...resource, version: 'v1', notes: ['mutations not carried: 12'] }],
    removed: [],
  });
  // Live since it first was, though there is news of it.
  expect(reports.find('p1', 'Cluster', 'a')).toEqual({ version: 'v1', notes: ['mutations not carried: 12'], atMs: 1 });
  expect(reports.find('p2', 'Cluster', 'a')).toBeNull();
  reports.take(stream, { nodeId: '', live: [], removed: [resource] });
  expect(reports.find('p1', 'Cluster', 'a')).toBeNull();
  reports.drop(stream);
});

it('is not confused by an old stream that ends behind the new one', () => {
  const reports = new LiveReports(() => 1);
  const [old, next] = [{}, {}];
  reports.take(old, { nodeId: 'p1', live: [{ ...resource, version: 'v1', notes: [] }], removed: [] });
  reports.take(next, { nodeId: 'p1', live: [{ ...resource, version: 'v2', notes: [] }], removed: [] });
  reports.drop(old);
  expect(reports.find('p1', 'Cluster', 'a')?.version).toBe('v2');
});
