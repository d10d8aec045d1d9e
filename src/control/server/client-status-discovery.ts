/** CSDS: what `clients()` knows, in the form that tools of other xDS systems ask for. */
import type { JsonObject } from '../../xds/json.ts';
import { nodeToJson } from '../../xds/node.ts';
import type { ClientResourceStatus, ClientStatus, ResourceState } from './client-status.ts';

interface State {
  readonly config: string;
  readonly client: string;
}

const states: Readonly<Record<ResourceState, State>> = {
  pending: { config: 'NOT_SENT', client: 'UNKNOWN' },
  sent: { config: 'STALE', client: 'REQUESTED' },
  acknowledged: { config: 'SYNCED', client: 'ACKED' },
  rejected: { config: 'ERROR', client: 'NACKED' },
};

/** The proto3 JSON of envoy.service.status.v3.ClientStatusResponse; without the resources themselves. */
export function clientStatusResponse(clients: readonly ClientStatus[]): JsonObject {
  return {
    config: clients.map(({ node, resources }) => ({
      node: nodeToJson(node),
      genericXdsConfigs: resources.map(genericXdsConfig),
    })),
  };
}

function genericXdsConfig(resource: ClientResourceStatus): JsonObject {
  const { typeUrl, name, state, rejection, acknowledgedVersion, sentVersion, sentAtMs, acknowledgedAtMs } = resource;
  const updatedAtMs = acknowledgedAtMs ?? sentAtMs;
  return {
    typeUrl,
    name,
    versionInfo: acknowledgedVersion ?? sentVersion ?? '',
    configStatus: states[state].config,
    clientStatus: states[state].client,
    ...(updatedAtMs === null ? {} : { lastUpdated: timestamp(updatedAtMs) }),
    ...(rejection === null
      ? {}
      : {
          errorState: {
            details: rejection.message,
            versionInfo: rejection.version,
            lastUpdateAttempt: timestamp(rejection.atMs),
          },
        }),
  };
}

function timestamp(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
