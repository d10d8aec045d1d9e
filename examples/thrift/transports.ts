/** The two wires of the example: framed binary, as most Thrift services speak, and THeader compact, which carries headers. */
import thrift, { type Options } from 'thrift';

export const wireNames = ['framed', 'theader'] as const;
export type WireName = (typeof wireNames)[number];

const compactId = 2;

export const serverOptions: Record<WireName, Options> = {
  framed: { transport: thrift.TFramedTransport, protocol: thrift.TBinaryProtocol },
  theader: { transport: thrift.TBufferedTransport, protocol: thrift.THeaderProtocol },
};

/** The compiler's clients flush the transport, and only the protocol would have written the headers. */
class HeaderTransport extends thrift.TBufferedTransport {
  constructor(buffer?: Buffer, onFlush?: (bytes: Buffer) => void) {
    super(buffer, onFlush);
    this.setProtocolId(compactId);
  }

  override flush(): void {
    this.writeHeaders();
    super.flush();
  }
}

export const clientOptions: Record<WireName, Options> = {
  framed: serverOptions.framed,
  theader: { transport: HeaderTransport, protocol: thrift.THeaderProtocol },
};
