package meltemi;

import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;

/** The service that the example and the interoperability tests call. */
public interface Wind {
    String echo(String text);

    byte[] reverse(byte[] bytes);

    Forecast forecast(String island, int days);

    List<Forecast> forecasts(List<String> islands, Map<String, Object> options);

    CompletableFuture<String> later(String text);

    /** Has no answer when it is called oneway. */
    void observe(String island);

    String lastObserved();

    String nothing();

    String declared(String text) throws WindException;

    String undeclared(String text);

    /** The value of one attachment as the provider sees it; sets attachments of the answer. */
    String attachment(String key);

    String sleep(int forMs);

    /** Tells its name. */
    String whoAreYou();
}
