package meltemi;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.apache.dubbo.common.Version;
import org.apache.dubbo.config.ApplicationConfig;
import org.apache.dubbo.config.ProtocolConfig;
import org.apache.dubbo.config.RegistryConfig;
import org.apache.dubbo.config.ServiceConfig;
import org.apache.dubbo.rpc.RpcContext;

/** {@code WindProvider NAME PORT [SERIALIZATION]}: exports Wind without a registry, without and with group "north" and version "1.2.0". */
public final class WindProvider implements Wind {
    private final String name;
    private volatile String lastObserved = "";

    private WindProvider(String name) {
        this.name = name;
    }

    public static void main(String[] args) throws InterruptedException {
        ApplicationConfig application = new ApplicationConfig("wind-provider");
        application.setQosEnable(false);
        ProtocolConfig protocol = new ProtocolConfig("dubbo", Integer.parseInt(args[1]));
        if (args.length > 2) protocol.setSerialization(args[2]);
        WindProvider provider = new WindProvider(args[0]);
        provider.export(application, protocol, null, null);
        provider.export(application, protocol, "north", "1.2.0");
        System.out.println("ready " + Version.getVersion());
        Thread.currentThread().join();
    }

    private void export(ApplicationConfig application, ProtocolConfig protocol, String group, String version) {
        ServiceConfig<Wind> service = new ServiceConfig<>();
        service.setApplication(application);
        service.setRegistry(new RegistryConfig("N/A"));
        service.setProtocol(protocol);
        service.setInterface(Wind.class);
        service.setRef(this);
        if (group != null) service.setGroup(group);
        if (version != null) service.setVersion(version);
        service.export();
    }

    @Override
    public String echo(String text) {
        return text;
    }

    @Override
    public byte[] reverse(byte[] bytes) {
        byte[] reversed = new byte[bytes.length];
        for (int n = 0; n < bytes.length; n++) reversed[n] = bytes[bytes.length - 1 - n];
        return reversed;
    }

    @Override
    public Forecast forecast(String island, int days) {
        return Forecast.of(island, days);
    }

    @Override
    public List<Forecast> forecasts(List<String> islands, Map<String, Object> options) {
        List<Forecast> all = new ArrayList<>();
        for (String island : islands) all.add(Forecast.of(island, (Integer) options.get("days")));
        return all;
    }

    @Override
    public CompletableFuture<String> later(String text) {
        return CompletableFuture.supplyAsync(() -> "later " + text);
    }

    @Override
    public void observe(String island) {
        lastObserved = island;
    }

    @Override
    public String lastObserved() {
        return lastObserved;
    }

    @Override
    public String nothing() {
        return null;
    }

    @Override
    public String declared(String text) throws WindException {
        throw new WindException(text, 9);
    }

    @Override
    public String undeclared(String text) {
        throw new IllegalStateException(text);
    }

    @Override
    public String attachment(String key) {
        RpcContext.getServerContext().setAttachment("answered-by", name);
        RpcContext.getServerContext().setAttachment("greek", "ναι");
        return RpcContext.getContext().getAttachment(key);
    }

    @Override
    public String sleep(int forMs) {
        try {
            Thread.sleep(forMs);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        return "slept " + forMs;
    }

    @Override
    public String whoAreYou() {
        return name;
    }
}
