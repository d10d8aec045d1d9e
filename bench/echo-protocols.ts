/** The protocols that the benchmark's children speak, by name: their arguments are text. */
import { dubboEcho } from './dubbo/echo-call.ts';
import type { EchoProtocol } from './echo-protocol.ts';
import { thriftEcho } from './thrift/echo-call.ts';

export function echoProtocolNamed(name: string | undefined): EchoProtocol {
  switch (name) {
    case 'thrift':
      return thriftEcho;
    case 'dubbo':
      return dubboEcho;
    default:
      throw new Error(`${name} is no protocol of the benchmark; there are thrift, dubbo`);
  }
}
