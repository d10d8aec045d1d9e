package meltemi;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Scanner;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.dubbo.config.ApplicationConfig;
import org.apache.dubbo.config.MethodConfig;
import org.apache.dubbo.config.ReferenceConfig;
import org.apache.dubbo.rpc.RpcContext;
import org.apache.dubbo.rpc.RpcException;
import org.apache.dubbo.rpc.service.GenericService;

/**
 * {@code WindConsumer HOST:PORT [NAME=VALUE of the URL]…}: makes the calls that its standard input names, one a line, and prints one line of
 * result for each: what it prints through a proxy has to be what it prints without one.
 */
public final class WindConsumer {
    private static final int TIMEOUT_MS = 5_000;

    private final String address;
    private final List<String> parameters;
    private final ApplicationConfig application = new ApplicationConfig("wind-consumer");
    private final Map<String, Wind> winds = new HashMap<>();

    private WindConsumer(String address, List<String> parameters) {
        this.address = address;
        this.parameters = parameters;
        application.setQosEnable(false);
    }

    public static void main(String[] args) {
        WindConsumer consumer = new WindConsumer(args[0], Arrays.asList(args).subList(1, args.length));
        System.out.println("ready");
        Scanner scanner = new Scanner(System.in);
        while (scanner.hasNextLine()) {
            String[] words = scanner.nextLine().trim().split(" ");
            System.out.println(words[0] + ": " + result(() -> consumer.run(words)));
        }
        System.exit(0);
    }

    private static String result(Callable<Object> call) {
        try {
            return String.valueOf(call.call());
        } catch (Throwable thrown) {
            Throwable cause = thrown instanceof java.util.concurrent.ExecutionException ? thrown.getCause() : thrown;
            String text = String.valueOf(cause.getMessage()).split("\n")[0];
            // Addresses, clocks and stacks differ from run to run: they stand behind the bar.
            if (cause instanceof RpcException) text = "code " + ((RpcException) cause).getCode() + " | " + text;
            return cause.getClass().getName() + " " + text;
        }
    }

    private Object run(String[] words) throws Exception {
        RpcContext.getContext().clearAttachments();
        Wind wind = wind("", "");
        switch (words[0]) {
            case "echo":
                return wind.echo("hello");
            case "empty":
                return "[" + wind.echo("") + "]";
            case "null-argument":
                return wind.echo(null);
            case "unicode":
                return wind.echo("μελτέμι 北风 \uD83C\uDF2C\uD83D\uDE00 é\u0000 end");
            case "big-text": {
                StringBuilder text = new StringBuilder();
                while (text.length() < 1_048_576) text.append("wind \uD83C\uDF2C μ ");
                return text.toString().equals(wind.echo(text.toString())) + " " + text.length();
            }
            case "big-ascii": {
                String text = "x".repeat(1_048_576);
                return text.equals(wind.echo(text)) + " " + text.length();
            }
            case "big-bytes": {
                byte[] bytes = new byte[1_048_576];
                for (int n = 0; n < bytes.length; n++) bytes[n] = (byte) (n * 31);
                byte[] reversed = wind.reverse(bytes);
                boolean good = reversed.length == bytes.length;
                for (int n = 0; good && n < bytes.length; n++) good = reversed[n] == bytes[bytes.length - 1 - n];
                return good;
            }
            case "too-big": {
                return wind.echo("x".repeat(9 * 1_048_576)).length();
            }
            case "object":
                return wind.forecast("Naxos", 5);
            case "objects": {
                Map<String, Object> options = new HashMap<>();
                options.put("days", 2);
                options.put("of", Forecast.of("Paros", 1));
                return wind.forecasts(new ArrayList<>(Arrays.asList("Naxos", "Paros", "Ios")), options);
            }
            case "null":
                return wind.nothing();
            case "void":
                wind.observe("Tinos");
                return wind.lastObserved();
            case "declared":
                try {
                    return wind.declared("too strong");
                } catch (WindException e) {
                    return e.getClass().getName() + " " + e.getMessage() + " " + e.getBeaufort();
                }
            case "undeclared":
                return wind.undeclared("not at sea");
            case "future":
                return wind.later("x").get(TIMEOUT_MS, TimeUnit.MILLISECONDS);
            case "async":
                return RpcContext.getContext()
                        .asyncCall(() -> wind.echo("async"))
                        .get(TIMEOUT_MS, TimeUnit.MILLISECONDS);
            case "many": {
                List<CompletableFuture<String>> all = new ArrayList<>();
                for (int n = 0; n < 100; n++) all.add(wind.later(String.valueOf(n)));
                for (int n = 0; n < 100; n++) {
                    String answer = all.get(n).get(TIMEOUT_MS, TimeUnit.MILLISECONDS);
                    if (!answer.equals("later " + n)) return n + " got " + answer;
                }
                return "all";
            }
            case "oneway": {
                String island = "Syros " + System.nanoTime();
                wind("", "oneway").observe(island);
                for (int n = 0; n < 200; n++) {
                    if (wind.lastObserved().equals(island)) return "observed";
                    Thread.sleep(10);
                }
                return "not observed";
            }
            case "generic": {
                Object answer = generic().$invoke("echo", new String[] {"java.lang.String"}, new Object[] {"generic"});
                return answer;
            }
            case "generic-object":
                return new java.util.TreeMap<>((Map<?, ?>) generic()
                        .$invoke("forecast", new String[] {"java.lang.String", "int"}, new Object[] {"Ios", 1}))
                        .keySet();
            case "generic-undeclared":
                return generic().$invoke("undeclared", new String[] {"java.lang.String"}, new Object[] {"x"});
            case "attachments": {
                RpcContext.getContext().setAttachment("tier", "χρυσός");
                String seen = wind.attachment("tier");
                Map<String, String> back = AnswerAttachments.last();
                return seen + " " + back.get("answered-by") + " " + back.get("greek");
            }
            case "attachment": {
                if (words.length > 2) RpcContext.getContext().setAttachment(words[1], words[2]);
                return wind.attachment(words[1]);
            }
            case "answer-attachment":
                wind.whoAreYou();
                return AnswerAttachments.last().get(words[1]);
            case "until": {
                for (int n = 0; n < 150; n++) {
                    try {
                        if (wind.whoAreYou().equals(words[1])) return words[1];
                    } catch (RpcException e) {
                        // Not yet.
                    }
                    Thread.sleep(100);
                }
                return "never";
            }
            case "hurry":
                RpcContext.getContext().setAttachment("tier", "hurry");
                return wind.sleep(1_000);
            case "tiered":
                RpcContext.getContext().setAttachment("tier", words[1]);
                return wind.whoAreYou();
            case "grouped":
                return wind("north", "").whoAreYou();
            case "sleep":
                return wind.sleep(Integer.parseInt(words[1]));
            case "short-timeout":
                return wind("", "short").sleep(1_000);
            case "who":
                return wind.whoAreYou();
            case "unknown-method":
                return generic().$invoke("nowhere", new String[0], new Object[0]);
            case "wait":
                Thread.sleep(Long.parseLong(words[1]));
                return "waited";
            default:
                return "no such call";
        }
    }

    private Wind wind(String group, String kind) {
        return winds.computeIfAbsent(group + "/" + kind, key -> {
            ReferenceConfig<Wind> reference = new ReferenceConfig<>();
            reference.setInterface(Wind.class);
            if (kind.equals("oneway")) {
                MethodConfig method = new MethodConfig();
                method.setName("observe");
                method.setReturn(false);
                reference.setMethods(List.of(method));
            }
            if (!group.isEmpty()) {
                reference.setGroup(group);
                reference.setVersion("1.2.0");
            }
            return refer(reference, kind.equals("short") ? 200 : TIMEOUT_MS);
        });
    }

    private GenericService generic;

    private GenericService generic() {
        if (generic == null) {
            ReferenceConfig<GenericService> reference = new ReferenceConfig<>();
            reference.setInterface(Wind.class.getName());
            reference.setGeneric("true");
            generic = refer(reference, TIMEOUT_MS);
        }
        return generic;
    }

    private <T> T refer(ReferenceConfig<T> reference, int timeoutMs) {
        List<String> query = new ArrayList<>(List.of("payload=67108864"));
        query.addAll(parameters);
        reference.setApplication(application);
        reference.setUrl("dubbo://" + address + "/" + Wind.class.getName() + "?" + String.join("&", query));
        reference.setRetries(0);
        reference.setTimeout(timeoutMs);
        reference.setCheck(false);
        return reference.get();
    }
}
