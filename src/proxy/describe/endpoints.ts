/** ClusterLoadAssignment into endpoints. */
import { isIP } from 'node:net';
import type { EndpointDescription } from '../../metaprotocol/description.ts';
import type { Reader } from './reader.ts';

/** An endpoint whose host may still be a name. */
export type EndpointPlan = EndpointDescription;

const UNHEALTHY: readonly string[] = ['UNHEALTHY', 'DRAINING', 'TIMEOUT'];

/** `hosts`: whether a host may be a DNS name or has to be an IP address. */
export function readEndpoints(assignment: Reader, hosts: 'address' | 'name'): EndpointPlan[] {
  const endpoints = assignment.children('endpoints').flatMap((group) => {
    const place = group.child('locality');
    const locality = place === null ? '' : readLocality(place);
    const priority = group.number('priority', 0);
    const members = group.children('lbEndpoints').map((member) => readEndpoint(member, hosts, locality, priority));
    // Without locality weighting it changes nothing.
    group.ignore('loadBalancingWeight');
    group.end('note');
    return members;
  });
  assignment.ignore('clusterName');
  assignment.end('note');
  return endpoints;
}

function readLocality(locality: Reader): string {
  const parts = [locality.string('region'), locality.string('zone'), locality.string('subZone')];
  while (parts.at(-1) === '') parts.pop();
  return parts.join('/');
}

function readEndpoint(member: Reader, hosts: 'address' | 'name', locality: string, priority: number): EndpointPlan {
  const endpoint = member.child('endpoint');
  const socket = endpoint?.child('address')?.child('socketAddress') ?? null;
  if (socket === null) member.error('expected a socketAddress', 'endpoint.address');
  const host = socket?.string('address') ?? '';
  if (socket !== null && (host === '' || (hosts === 'address' && isIP(host) === 0))) {
    socket.error(`${JSON.stringify(host)} is not an IP address`, 'address');
  }
  const labels = member.child('metadata')?.child('filterMetadata')?.child('envoy.lb') ?? null;
  const described: EndpointPlan = {
    host,
    port: socket?.number('portValue', 0, 1) ?? 0,
    weight: member.number('loadBalancingWeight', 1, 1),
    locality,
    priority,
    labels: Object.fromEntries(labels?.keys().map((key) => [key, labels.string(key)]) ?? []),
    healthy: !UNHEALTHY.includes(member.string('healthStatus', 'UNKNOWN')),
  };
  socket?.ignore('protocol');
  socket?.end('note');
  endpoint?.ignore('hostname');
  endpoint?.end('note');
  member.end('note');
  return described;
}
