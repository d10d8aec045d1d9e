package meltemi;

import com.baidu.brpc.RpcContext;
import com.baidu.brpc.client.BrpcProxy;
import com.baidu.brpc.client.RpcClient;
import com.baidu.brpc.client.RpcClientOptions;
import com.baidu.brpc.protocol.Options;
import com.google.protobuf.DescriptorProtos.EnumValueDescriptorProto;
import io.netty.buffer.ByteBuf;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** Args: port, then calls. Prints for each call a line with what came back. */
public final class WindClient {
    private static final int MANY = 200;

    public static void main(String[] args) throws Exception {
        RpcClient plain = client(args[0], Options.CompressType.COMPRESS_TYPE_NONE);
        RpcClient gzip = client(args[0], Options.CompressType.COMPRESS_TYPE_GZIP);
        RpcClient snappy = client(args[0], Options.CompressType.COMPRESS_TYPE_SNAPPY);
        Wind wind = BrpcProxy.getProxy(plain, Wind.class);
        Wind zipped = BrpcProxy.getProxy(gzip, Wind.class);
        Wind snapped = BrpcProxy.getProxy(snappy, Wind.class);
        Wind.Unknown unknown = BrpcProxy.getProxy(client(args[0], Options.CompressType.COMPRESS_TYPE_NONE), Wind.Unknown.class);
        for (int i = 1; i < args.length; i++) {
            String call = args[i];
            String result;
            try {
                result = switch (call.split(" ")[0]) {
                    case "big" -> digest(call(wind, "wind".repeat(262_144)));
                    case "gzip" -> digest(call(zipped, "wind".repeat(20_000)));
                    case "snappy" -> digest(call(snapped, "wind".repeat(20_000)));
                    case "nothing" -> shown(unknown.nothing(message("x", 1)));
                    case "attachment" -> attachment(wind, call);
                    case "with" -> with(wind, call.split(" ", 4));
                    case "many" -> many(wind);
                    default -> call(wind, call);
                };
            } catch (Exception e) {
                result = e.getClass().getSimpleName() + " | " + e.getMessage();
            }
            System.out.println(call + ": " + result.replace('\n', ' '));
        }
        System.exit(0);
    }

    private static RpcClient client(String port, Options.CompressType compression) {
        RpcClientOptions options = new RpcClientOptions();
        options.setProtocolType(Options.ProtocolType.PROTOCOL_BAIDU_STD_VALUE);
        options.setReadTimeoutMillis(3_000);
        options.setWriteTimeoutMillis(3_000);
        options.setMaxTryTimes(1);
        options.setMinIdleConnections(1);
        options.setCompressType(compression);
        return new RpcClient("list://127.0.0.1:" + port, options);
    }

    private static EnumValueDescriptorProto message(String text, int number) {
        return EnumValueDescriptorProto.newBuilder().setName(text).setNumber(number).build();
    }

    private static String shown(EnumValueDescriptorProto answer) {
        return answer.getName() + " " + answer.getNumber();
    }

    private static String digest(String text) {
        return text.length() + " characters, hash " + text.hashCode();
    }

    private static String call(Wind wind, String text) {
        RpcContext.getContext().reset();
        RpcContext.getContext().setLogId(1L << 60);
        return shown(wind.forecast(message(text, -7)));
    }

    /** `with KEY VALUE TEXT` */
    private static String with(Wind wind, String[] words) {
        RpcContext.getContext().reset();
        RpcContext.getContext().setRequestKvAttachment(words[1], words[2]);
        return shown(wind.forecast(message(words[3], 1)));
    }

    private static String attachment(Wind wind, String text) {
        RpcContext context = RpcContext.getContext();
        context.reset();
        context.setRequestBinaryAttachment(new byte[] {0, 1, 2, (byte) 0xff});
        String answer = shown(wind.forecast(message(text, 1)));
        ByteBuf attachment = context.getResponseBinaryAttachment();
        StringBuilder hex = new StringBuilder();
        while (attachment != null && attachment.isReadable()) hex.append(String.format("%02x", attachment.readByte()));
        return answer + " " + hex;
    }

    /** From many threads at once: each must get its own answer. */
    private static String many(Wind wind) throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(16);
        List<Callable<Boolean>> calls = new ArrayList<>();
        for (int i = 0; i < MANY; i++) {
            int number = i;
            calls.add(() -> shown(wind.forecast(message("call " + number, number))).equals("call " + number + " " + number));
        }
        int good = 0;
        for (Future<Boolean> future : threads.invokeAll(calls)) if (future.get()) good++;
        threads.shutdown();
        return good + " of " + MANY + " got their own answer";
    }
}
