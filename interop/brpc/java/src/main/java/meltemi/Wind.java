package meltemi;

import com.baidu.brpc.protocol.BrpcMeta;
import com.google.protobuf.DescriptorProtos.EnumValueDescriptorProto;

/** The service. Its messages come with protobuf itself, so that nothing is generated: a text and a number. */
public interface Wind {
    @BrpcMeta(serviceName = "meltemi.Wind", methodName = "Forecast")
    EnumValueDescriptorProto forecast(EnumValueDescriptorProto request);

    /** What the server does not have. */
    interface Unknown {
        @BrpcMeta(serviceName = "meltemi.Wind", methodName = "Nothing")
        EnumValueDescriptorProto nothing(EnumValueDescriptorProto request);
    }
}
