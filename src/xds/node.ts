/** Who a proxy says it is: its xDS Node, and the form in which our code reads it. */
import { isJsonObject, type JsonObject, type JsonValue } from './json.ts';

export type ProxyType = 'sidecar' | 'router';
/** Where the proxy's listeners bind: at the service's own address where that is local, or on loopback always. */
export type BindMode = 'direct' | 'loopback';

export interface Locality {
  readonly region: string;
  readonly zone: string;
  readonly subZone: string;
}

export interface NodeInfo {
  readonly id: string;
  /** `meltemi`, or what another client calls itself (`envoy`, `gRPC Node.js`): chooses the generator. */
  readonly agent: string;
  readonly agentVersion: string;
  readonly type: ProxyType;
  readonly namespace: string;
  /** The workload's addresses, by which inbound listeners are found. */
  readonly ips: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly serviceAccount: string;
  readonly locality: Locality;
  readonly bind: BindMode;
  /** Addresses and CIDR blocks the proxy can bind to, such as `10.0.0.7` and, on Linux, `127.0.0.0/8`. */
  readonly localAddresses: readonly string[];
  readonly workers: number;
  /** Manifests of the codecs it has, as plain JSON. */
  readonly manifests: readonly JsonValue[];
}

/** The proto3 JSON of envoy.config.core.v3.Node. */
export function nodeToJson(node: NodeInfo): JsonObject {
  return {
    id: node.id,
    cluster: node.namespace,
    userAgentName: node.agent,
    userAgentVersion: node.agentVersion,
    locality: { ...node.locality },
    metadata: {
      meltemi: {
        type: node.type,
        namespace: node.namespace,
        ips: [...node.ips],
        labels: { ...node.labels },
        serviceAccount: node.serviceAccount,
        bind: node.bind,
        localAddresses: [...node.localAddresses],
        workers: node.workers,
        manifests: [...node.manifests],
      },
    },
  };
}

/** Reads any client's Node: what it does not say takes the value of a plain sidecar. */
export function nodeFromJson(json: JsonObject): NodeInfo {
  const metadata = isJsonObject(json.metadata) ? json.metadata : {};
  const own = isJsonObject(metadata.meltemi) ? metadata.meltemi : {};
  const locality = isJsonObject(json.locality) ? json.locality : {};
  return {
    id: text(json.id),
    agent: text(json.userAgentName),
    agentVersion: text(json.userAgentVersion),
    type: own.type === 'router' ? 'router' : 'sidecar',
    namespace: text(own.namespace ?? metadata.NAMESPACE) || 'default',
    ips: texts(own.ips),
    labels: textMap(own.labels ?? metadata.LABELS),
    serviceAccount: text(own.serviceAccount ?? metadata.SERVICE_ACCOUNT),
    locality: { region: text(locality.region), zone: text(locality.zone), subZone: text(locality.subZone) },
    bind: own.bind === 'loopback' ? 'loopback' : 'direct',
    localAddresses: texts(own.localAddresses),
    workers: typeof own.workers === 'number' && own.workers >= 1 ? Math.floor(own.workers) : 1,
    manifests: Array.isArray(own.manifests) ? own.manifests : [],
  };
}

function text(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : '';
}

function texts(value: JsonValue | undefined): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

function textMap(value: JsonValue | undefined): Record<string, string> {
  const result: Record<string, string> = Object.create(null);
  if (!isJsonObject(value)) return result;
  for (const [key, item] of Object.entries(value)) if (typeof item === 'string') result[key] = item;
  return result;
}
