/** The resources a proxy holds, in the shape of Envoy's /config_dump, so that tools which read that read this. */
import { isJsonObject, type JsonObject } from '../xds/json.ts';
import type { VersionedResource } from '../xds/resource.ts';
import { TypeUrl } from '../xds/type-urls.ts';
import type { Resources } from './ads-resources.ts';
import type { ResourceRemark } from './resource-remark.ts';

export interface ConfigDumpInput {
  /** Newest versions, of which `refused` do not run. */
  readonly wanted: Resources;
  readonly used: Resources;
  readonly refused: readonly ResourceRemark[];
  readonly notes: readonly ResourceRemark[];
}

const ADMIN = 'type.googleapis.com/envoy.admin.v3';

export function configDump(input: ConfigDumpInput): JsonObject {
  return {
    configs: [
      {
        '@type': `${ADMIN}.ClustersConfigDump`,
        dynamicActiveClusters: entries(input, TypeUrl.Cluster, (one) => ({ ...one.head, cluster: one.value })),
      },
      {
        '@type': `${ADMIN}.EndpointsConfigDump`,
        dynamicEndpointConfigs: entries(input, TypeUrl.ClusterLoadAssignment, (one) => ({
          ...one.head,
          endpointConfig: one.value,
        })),
      },
      {
        '@type': `${ADMIN}.ListenersConfigDump`,
        dynamicListeners: entries(input, TypeUrl.Listener, ({ name, head: { versionInfo, ...rest }, value }) => ({
          name,
          ...(value === undefined ? {} : { activeState: { versionInfo, listener: value } }),
          ...rest,
        })),
      },
      {
        '@type': `${ADMIN}.RoutesConfigDump`,
        dynamicRouteConfigs: entries(input, TypeUrl.RouteConfiguration, (one) => ({
          ...one.head,
          routeConfig: one.value,
        })),
      },
      {
        '@type': `${ADMIN}.SecretsConfigDump`,
        dynamicActiveSecrets: entries(input, TypeUrl.Secret, (one) => ({ ...one.head, secret: one.value })),
      },
    ],
  };
}

interface Entry {
  readonly name: string;
  readonly head: { readonly versionInfo: string; readonly errorState?: JsonObject; readonly notes?: string[] };
  /** Absent: no version of it ever ran. */
  readonly value?: JsonObject;
}

function entries(input: ConfigDumpInput, typeUrl: string, write: (entry: Entry) => object): JsonObject[] {
  const used = input.used.get(typeUrl) ?? new Map<string, VersionedResource>();
  const wanted = input.wanted.get(typeUrl) ?? new Map<string, VersionedResource>();
  const names = [...new Set([...used.keys(), ...wanted.keys()])].sort();
  return names.map((name) => {
    const running = used.get(name);
    const refusal = input.refused.find((remark) => remark.typeUrl === typeUrl && remark.name === name);
    const notes = input.notes.filter((remark) => remark.typeUrl === typeUrl && remark.name === name);
    const head: Entry['head'] = {
      versionInfo: running?.version ?? '',
      ...(refusal === undefined
        ? {}
        : { errorState: { details: refusal.message, versionInfo: wanted.get(name)?.version ?? '' } }),
      ...(notes.length === 0 ? {} : { notes: notes.map(({ message }) => message) }),
    };
    const entry =
      running === undefined ? { name, head } : { name, head, value: { '@type': typeUrl, ...running.value } };
    return JSON.parse(JSON.stringify(write(entry), hideSecrets)) as JsonObject;
  });
}

/** Whoever may look at the admin port need not know what callers and upstreams are asked for, nor who the proxy can pretend to be. */
function hideSecrets(key: string, value: unknown): unknown {
  if (key === 'privateKey' && isJsonObject(value)) {
    return value.filename === undefined ? '[redacted]' : { filename: value.filename };
  }
  return typeof value === 'string' && value !== '' && /password/i.test(key) ? '[redacted]' : value;
}
