/** The messages of ADS and of our status service, and their gRPC methods in the form that grpc-js takes. */
import type { Descriptor, Message } from './descriptor.ts';
import type { AnyMessage } from './resource.ts';

/** google.rpc.Status */
export interface RpcStatus {
  readonly code: number;
  readonly message: string;
  readonly details: readonly AnyMessage[];
}

export interface DiscoveryRequest {
  readonly versionInfo: string;
  /** A decoded envoy.config.core.v3.Node; only the first request of a stream must have it. */
  readonly node?: Message | null;
  readonly resourceNames: readonly string[];
  readonly typeUrl: string;
  readonly responseNonce: string;
  readonly errorDetail?: RpcStatus | null;
}

export interface DiscoveryResponse {
  readonly versionInfo: string;
  readonly resources: readonly AnyMessage[];
  readonly typeUrl: string;
  readonly nonce: string;
}

export interface DeltaDiscoveryRequest {
  readonly node?: Message | null;
  readonly typeUrl: string;
  readonly resourceNamesSubscribe: readonly string[];
  readonly resourceNamesUnsubscribe: readonly string[];
  readonly initialResourceVersions: Readonly<Record<string, string>>;
  readonly responseNonce: string;
  readonly errorDetail?: RpcStatus | null;
}

export interface DeltaResource {
  readonly name: string;
  readonly version: string;
  readonly resource: AnyMessage;
}

export interface DeltaDiscoveryResponse {
  readonly systemVersionInfo: string;
  readonly resources: readonly DeltaResource[];
  readonly typeUrl: string;
  readonly removedResources: readonly string[];
  readonly nonce: string;
}

/** meltemi.status.v1.LiveReport: see src/xds/proto/meltemi/status.proto. */
export interface LiveReport {
  readonly nodeId: string;
  readonly live: readonly LiveResource[];
  readonly removed: readonly ResourceRef[];
}

export interface ResourceRef {
  readonly typeUrl: string;
  readonly name: string;
}

export interface LiveResource extends ResourceRef {
  readonly version: string;
  readonly notes: readonly string[];
}

export interface RpcMethod<Request, Response> {
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  readonly requestSerialize: (value: Request) => Buffer;
  readonly requestDeserialize: (bytes: Buffer) => Request;
  readonly responseSerialize: (value: Response) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => Response;
}

export interface AggregatedDiscoveryMethods {
  readonly streamAggregatedResources: RpcMethod<DiscoveryRequest, DiscoveryResponse>;
  readonly deltaAggregatedResources: RpcMethod<DeltaDiscoveryRequest, DeltaDiscoveryResponse>;
}

export function aggregatedDiscoveryMethods(descriptor: Descriptor): AggregatedDiscoveryMethods {
  const service = '/envoy.service.discovery.v3.AggregatedDiscoveryService';
  const discovery = 'envoy.service.discovery.v3';
  return {
    streamAggregatedResources: {
      path: `${service}/StreamAggregatedResources`,
      requestStream: true,
      responseStream: true,
      ...request<DiscoveryRequest>(descriptor, `${discovery}.DiscoveryRequest`),
      ...response<DiscoveryResponse>(descriptor, `${discovery}.DiscoveryResponse`),
    },
    deltaAggregatedResources: {
      path: `${service}/DeltaAggregatedResources`,
      requestStream: true,
      responseStream: true,
      ...request<DeltaDiscoveryRequest>(descriptor, `${discovery}.DeltaDiscoveryRequest`),
      ...response<DeltaDiscoveryResponse>(descriptor, `${discovery}.DeltaDiscoveryResponse`),
    },
  };
}

export interface ProxyStatusMethods {
  readonly report: RpcMethod<LiveReport, object>;
}

export function proxyStatusMethods(descriptor: Descriptor): ProxyStatusMethods {
  return {
    report: {
      path: '/meltemi.status.v1.ProxyStatusService/Report',
      requestStream: true,
      responseStream: false,
      ...request<LiveReport>(descriptor, 'meltemi.status.v1.LiveReport'),
      ...response<object>(descriptor, 'google.protobuf.Empty'),
    },
  };
}

/** The JSON of what is asked and answered is read and written by `Xds`. */
export interface ClientStatusMethods {
  readonly fetchClientStatus: RpcMethod<Message, Message>;
  readonly streamClientStatus: RpcMethod<Message, Message>;
}

export function clientStatusMethods(descriptor: Descriptor): ClientStatusMethods {
  const service = '/envoy.service.status.v3.ClientStatusDiscoveryService';
  const messages = {
    ...request<Message>(descriptor, 'envoy.service.status.v3.ClientStatusRequest'),
    ...response<Message>(descriptor, 'envoy.service.status.v3.ClientStatusResponse'),
  };
  return {
    fetchClientStatus: {
      path: `${service}/FetchClientStatus`,
      requestStream: false,
      responseStream: false,
      ...messages,
    },
    streamClientStatus: {
      path: `${service}/StreamClientStatus`,
      requestStream: true,
      responseStream: true,
      ...messages,
    },
  };
}

function request<M extends object>(descriptor: Descriptor, name: string) {
  const { serialize, deserialize } = wire<M>(descriptor, name);
  return { requestSerialize: serialize, requestDeserialize: deserialize };
}

function response<M extends object>(descriptor: Descriptor, name: string) {
  const { serialize, deserialize } = wire<M>(descriptor, name);
  return { responseSerialize: serialize, responseDeserialize: deserialize };
}

function wire<M extends object>(descriptor: Descriptor, name: string) {
  const type = descriptor.get(name);
  return {
    serialize: (value: M): Buffer => type.encode(value as unknown as Message).finish() as Buffer,
    deserialize: (bytes: Buffer): M => type.decode(bytes) as unknown as M,
  };
}
