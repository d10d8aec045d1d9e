package meltemi;

import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import org.apache.thrift.TException;
import org.apache.thrift.TProcessor;
import org.apache.thrift.protocol.TBinaryProtocol;
import org.apache.thrift.protocol.TField;
import org.apache.thrift.protocol.TMessage;
import org.apache.thrift.protocol.TMessageType;
import org.apache.thrift.protocol.TProtocol;
import org.apache.thrift.protocol.TStruct;
import org.apache.thrift.protocol.TType;
import org.apache.thrift.server.TThreadPoolServer;
import org.apache.thrift.transport.TServerSocket;
import org.apache.thrift.transport.layered.TFramedTransport;

/**
 * A thread-per-connection server that answers `binary echo(1: binary text)` in order, each after a fixed time: the kind of server that needs one
 * call in flight per connection. Prints its port; the argument is the handler's time in milliseconds.
 */
public final class EchoServer {
  private record Echo(long handlerMs) implements TProcessor {
    @Override
    public void process(TProtocol in, TProtocol out) throws TException {
      TMessage call = in.readMessageBegin();
      in.readStructBegin();
      in.readFieldBegin();
      ByteBuffer text = in.readBinary();
      in.readFieldEnd();
      in.readFieldBegin();
      in.readStructEnd();
      in.readMessageEnd();
      try {
        Thread.sleep(handlerMs);
      } catch (InterruptedException ended) {
        throw new TException(ended);
      }
      out.writeMessageBegin(new TMessage(call.name, TMessageType.REPLY, call.seqid));
      out.writeStructBegin(new TStruct("echo_result"));
      out.writeFieldBegin(new TField("success", TType.STRING, (short) 0));
      out.writeBinary(text);
      out.writeFieldEnd();
      out.writeFieldStop();
      out.writeStructEnd();
      out.writeMessageEnd();
      out.getTransport().flush();
    }
  }

  public static void main(String[] arguments) throws Exception {
    TServerSocket socket =
        new TServerSocket(
            new TServerSocket.ServerSocketTransportArgs()
                .bindAddr(new InetSocketAddress("127.0.0.1", 0))
                .backlog(256));
    System.out.println(socket.getServerSocket().getLocalPort());
    new TThreadPoolServer(
            new TThreadPoolServer.Args(socket)
                .processor(new Echo(Long.parseLong(arguments[0])))
                .transportFactory(new TFramedTransport.Factory())
                .protocolFactory(new TBinaryProtocol.Factory())
                .maxWorkerThreads(512))
        .serve();
  }
}
