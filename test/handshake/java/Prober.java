import java.io.EOFException;
import java.io.FileInputStream;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.ConnectException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.KeyStore;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;

/**
 * A client that opens one new TLS connection after another to a server, and notes what came of each: in counts-*.txt how
 * many were good, in events.log every other one. Like the products it reads its truststore once, at its start. Settings:
 * truststore, truststore.type, truststore.password, peer.name, peer.address, peer.port, protocols (which take turns), path
 * (what it asks for), status (what the answer must begin with), pause (milliseconds between two), verify (whether the
 * certificate must have the peer's name), out (a folder).
 */
final class Prober implements Runnable {
    private static final int TIMEOUT = 30_000; // milliseconds: a busy machine takes more than ten seconds for the first handshakes of a JVM

    private final TrustManager[] trust;
    private final String name;
    private final InetSocketAddress address;
    private final boolean verify;
    private final long pause;
    private final String path, status;
    private final String[] protocols;
    private final Journal events;
    private final Path counts;
    private final Map<String, Integer> good = new TreeMap<>();
    private final Thread thread = new Thread(this, "prober");
    private volatile boolean stopping;

    Prober(Properties settings) throws Exception {
        KeyStore store = KeyStore.getInstance(settings.getProperty("truststore.type"));
        try (InputStream in = new FileInputStream(settings.getProperty("truststore"))) {
            store.load(in, settings.getProperty("truststore.password").toCharArray());
        }
        TrustManagerFactory factory = TrustManagerFactory.getInstance("PKIX");
        factory.init(store);
        trust = factory.getTrustManagers();
        name = settings.getProperty("peer.name");
        address = new InetSocketAddress(settings.getProperty("peer.address"), Integer.parseInt(settings.getProperty("peer.port")));
        verify = Boolean.parseBoolean(settings.getProperty("verify"));
        pause = Long.parseLong(settings.getProperty("pause"));
        path = settings.getProperty("path");
        protocols = settings.getProperty("protocols").split(",");
        status = settings.getProperty("status");
        Path out = Path.of(settings.getProperty("out"));
        events = new Journal(out.resolve("events.log"));
        // One file for each start: what an earlier one has counted stays.
        counts = out.resolve("counts-" + System.currentTimeMillis() + "-" + ProcessHandle.current().pid() + ".txt");
        thread.setDaemon(true);
    }

    void start() {
        thread.start();
    }

    /** Ends after the attempt that is under way. */
    void stop() throws InterruptedException {
        stopping = true;
        thread.join(TIMEOUT);
    }

    @Override
    public void run() {
        try {
            long written = System.nanoTime();
            for (int n = 0; !stopping; n++) {
                attempt(protocols[n % protocols.length]);
                if (System.nanoTime() - written > 200_000_000L) {
                    write();
                    written = System.nanoTime();
                }
                Thread.sleep(pause);
            }
            write();
        } catch (Exception e) { // what it would have seen from here on is lost, and that must not look like a success
            e.printStackTrace();
            Runtime.getRuntime().halt(1);
        }
    }

    private void attempt(String protocol) throws IOException {
        Instant began = Instant.now();
        CountingSocket socket = new CountingSocket();
        String kind = "failed";
        boolean shook = false;
        try (socket) {
            socket.setSoTimeout(TIMEOUT);
            socket.setTcpNoDelay(true);
            socket.connect(address, TIMEOUT);
            SSLSocket tls = handshake(socket, protocol);
            shook = true;
            kind = ask(tls);
        } catch (ConnectException e) {
            events.add(began, Instant.now(), "refused", protocol, e);
            return;
        } catch (Exception e) {
            // A connection that ends without a byte from the server has not come to a handshake. One that ends in the
            // middle of it has failed, whatever the reason.
            if (ended(e) && (shook || socket.received == 0)) {
                kind = shook ? "cut" : "reset";
            }
            events.add(began, Instant.now(), kind, protocol, describe(e));
            return;
        }
        if (kind.equals("ok")) {
            good.merge(protocol, 1, Integer::sum);
        } else {
            events.add(began, Instant.now(), "failed", protocol, kind);
        }
    }

    private SSLSocket handshake(Socket socket, String protocol) throws Exception {
        // A context remembers its sessions and would resume one, which asks for no certificate. A new one has none.
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, trust, null);
        SSLSocket tls = (SSLSocket) context.getSocketFactory().createSocket(socket, name, address.getPort(), true);
        SSLParameters parameters = tls.getSSLParameters();
        parameters.setProtocols(new String[] {protocol});
        if (verify) {
            parameters.setEndpointIdentificationAlgorithm("HTTPS");
        }
        tls.setSSLParameters(parameters);
        tls.startHandshake();
        return tls;
    }

    /** Asks for something: in TLS 1.3 a server's objection arrives only after the client's handshake. */
    private String ask(SSLSocket tls) throws IOException {
        tls.getOutputStream().write(("GET " + path + " HTTP/1.1\r\nHost: " + name + "\r\nConnection: close\r\n\r\n").getBytes(StandardCharsets.US_ASCII));
        String answer = new String(tls.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (answer.isEmpty()) {
            throw new EOFException("no answer");
        }
        return answer.startsWith("HTTP/1.1 " + status) ? "ok" : answer.lines().findFirst().orElse("");
    }

    /** Tells whether the connection just ended: with no alert, no certificate that was refused, and no silence. */
    private static boolean ended(Throwable e) {
        for (; e.getCause() != null; e = e.getCause()) { }
        return e instanceof SocketException || e instanceof EOFException;
    }

    private static String describe(Throwable e) {
        StringBuilder all = new StringBuilder();
        for (; e != null; e = e.getCause()) {
            all.append(all.length() > 0 ? ", caused by " : "").append(e);
        }
        return all.toString();
    }

    private void write() throws IOException {
        StringBuilder text = new StringBuilder();
        good.forEach((protocol, n) -> text.append(protocol).append(" ok ").append(n).append('\n'));
        Path temporary = counts.resolveSibling(counts.getFileName() + ".new");
        Files.writeString(temporary, text);
        Files.move(temporary, counts, StandardCopyOption.ATOMIC_MOVE);
    }

    /** A socket that counts what it receives. */
    private static final class CountingSocket extends Socket {
        private long received;

        @Override
        public InputStream getInputStream() throws IOException {
            return new FilterInputStream(super.getInputStream()) {
                @Override
                public int read() throws IOException {
                    int one = super.read();
                    received += one < 0 ? 0 : 1;
                    return one;
                }

                @Override
                public int read(byte[] into, int at, int length) throws IOException {
                    int n = super.read(into, at, length);
                    received += Math.max(n, 0);
                    return n;
                }
            };
        }
    }

    /** Clients alone, one for each file with settings, until they are stopped. */
    public static void main(String[] args) throws Exception {
        List<Prober> probers = new ArrayList<>();
        for (String file : args) {
            probers.add(new Prober(Settings.read(file)));
        }
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                for (Prober prober : probers) {
                    prober.stop();
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }));
        for (Prober prober : probers) {
            prober.start();
        }
        for (Prober prober : probers) {
            prober.thread.join();
        }
    }
}
