package meltemi;

import java.util.Map;
import org.apache.dubbo.common.extension.Activate;
import org.apache.dubbo.rpc.Filter;
import org.apache.dubbo.rpc.Invocation;
import org.apache.dubbo.rpc.Invoker;
import org.apache.dubbo.rpc.Result;

/** Keeps what the last answer's attachments were, in the one way that 2.7 and 3.3 share. */
@Activate(group = "consumer")
public final class AnswerAttachments implements Filter {
    private static volatile Map<String, String> last = Map.of();

    static Map<String, String> last() {
        return last;
    }

    @Override
    public Result invoke(Invoker<?> invoker, Invocation invocation) {
        return invoker.invoke(invocation).whenCompleteWithContext((result, thrown) -> {
            if (result != null) last = result.getAttachments();
        });
    }
}
