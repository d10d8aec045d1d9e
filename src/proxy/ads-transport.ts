/** A connection to the control plane: one gRPC channel with the ADS stream and the stream of live reports. */
import { type ChannelOptions, Client, type ClientWritableStream, credentials, type ServiceError } from '@grpc/grpc-js';
import type { Descriptor } from '../xds/descriptor.ts';
import {
  aggregatedDiscoveryMethods,
  type DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
  type DiscoveryRequest,
  type DiscoveryResponse,
  type LiveReport,
  proxyStatusMethods,
} from '../xds/discovery.ts';

export interface AdsConnection {
  /** One of these, once. */
  openDelta(onResponse: (response: DeltaDiscoveryResponse) => void): (request: DeltaDiscoveryRequest) => void;
  openSotw(onResponse: (response: DiscoveryResponse) => void): (request: DiscoveryRequest) => void;
  /** Reports are dropped where the control plane takes none. */
  report(report: LiveReport): void;
  /** Ends both streams; `onEnd` is not called any more. */
  close(): void;
}

/** Opens one connection. `onEnd` comes at most once, when the ADS stream broke or could not be opened, with the reason. */
export type AdsTransport = (onEnd: (reason: string) => void) => AdsConnection;

const responseLimitBytes = 256 * 1024 * 1024;

const channelOptions: ChannelOptions = {
  'grpc.max_receive_message_length': responseLimitBytes,
  // A control plane whose machine vanished is noticed within 40 s.
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 10_000,
  // Back-off is the client's: shared subchannels would add their own.
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_retries': 0,
  // An http_proxy of the environment is for browsing, not for the mesh's own connections.
  'grpc.enable_http_proxy': 0,
};

/** `address`: `host:port`, plaintext. */
export function grpcTransport(address: string, descriptor: Descriptor): AdsTransport {
  const ads = aggregatedDiscoveryMethods(descriptor);
  const { report: reportMethod } = proxyStatusMethods(descriptor);
  return (onEnd) => {
    const client = new Client(address, credentials.createInsecure(), channelOptions);
    let closed = false;
    let reports: ClientWritableStream<LiveReport> | null = null;
    const calls: { cancel(): void }[] = [];
    const end = (): void => {
      closed = true;
      for (const call of calls) call.cancel();
      client.close();
    };
    const fail = (reason: string): void => {
      if (closed) return;
      end();
      onEnd(reason);
    };
    const open = <Request, Response>(
      method: {
        path: string;
        requestSerialize: (value: Request) => Buffer;
        responseDeserialize: (bytes: Buffer) => Response;
      },
      onResponse: (response: Response) => void,
    ): ((request: Request) => void) => {
      const call = client.makeBidiStreamRequest(method.path, method.requestSerialize, method.responseDeserialize);
      calls.push(call);
      call.on('data', (response: Response) => {
        if (!closed) onResponse(response);
      });
      call.on('error', (error: ServiceError) => fail(error.details || error.message));
      call.on('end', () => fail('the control plane ended the stream'));
      return (request) => {
        if (!closed) call.write(request);
      };
    };
    return {
      openDelta: (onResponse) => open(ads.deltaAggregatedResources, onResponse),
      openSotw: (onResponse) => open(ads.streamAggregatedResources, onResponse),
      report(report) {
        if (closed) return;
        // The callback has the end of the stream: with the connection, or at once where nobody serves it. Neither is news.
        if (reports === null) {
          const { path, requestSerialize, responseDeserialize } = reportMethod;
          reports = client.makeClientStreamRequest(path, requestSerialize, responseDeserialize, () => undefined);
          calls.push(reports);
        }
        reports.write(report);
      },
      close: end,
    };
  };
}
