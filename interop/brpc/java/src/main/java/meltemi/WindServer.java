package meltemi;

import com.baidu.brpc.RpcContext;
import com.baidu.brpc.exceptions.RpcException;
import com.baidu.brpc.protocol.Options;
import com.baidu.brpc.server.RpcServer;
import com.baidu.brpc.server.RpcServerOptions;
import com.google.protobuf.DescriptorProtos.EnumValueDescriptorProto;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.util.Map;
import java.util.concurrent.CountDownLatch;

/** Args: name, port. */
public final class WindServer implements Wind {
    private final String name;

    private WindServer(String name) {
        this.name = name;
    }

    @Override
    public EnumValueDescriptorProto forecast(EnumValueDescriptorProto request) {
        String text = request.getName();
        RpcContext context = RpcContext.getContext();
        ByteBuf attachment = context.getRequestBinaryAttachment();
        if (attachment != null && attachment.isReadable()) {
            context.setResponseBinaryAttachment(Unpooled.copiedBuffer(attachment));
        }
        if (text.equals("who")) return answer(name, 0);
        if (text.startsWith("key ")) {
            Map<String, Object> pairs = context.getRequestKvAttachment();
            return answer(String.valueOf(pairs == null ? null : pairs.get(text.substring(4))), 0);
        }
        if (text.equals("fail")) throw new RpcException(RpcException.SERVICE_EXCEPTION, "no wind today");
        if (text.startsWith("sleep ")) {
            try {
                Thread.sleep(Long.parseLong(text.substring(6)));
            } catch (InterruptedException e) {
                throw new RpcException(e);
            }
        }
        return answer(text, request.getNumber());
    }

    private static EnumValueDescriptorProto answer(String text, int number) {
        return EnumValueDescriptorProto.newBuilder().setName(text).setNumber(number).build();
    }

    public static void main(String[] args) throws InterruptedException {
        RpcServerOptions options = new RpcServerOptions();
        options.setProtocolType(Options.ProtocolType.PROTOCOL_BAIDU_STD_VALUE);
        options.setWorkThreadNum(8);
        RpcServer server = new RpcServer(Integer.parseInt(args[1]), options);
        server.registerService(new WindServer(args[0]));
        server.start();
        System.out.println(args[1]);
        new CountDownLatch(1).await();
    }
}
