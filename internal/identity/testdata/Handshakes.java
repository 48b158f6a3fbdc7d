import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.util.concurrent.FutureTask;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

/**
 * Completes TLS handshakes between a server with a keystore and a client with a truststore, which knows the server by a
 * name and looks for it in the certificate. The server asks the client for its certificate, too, and refuses a wrong one.
 *
 * java Handshakes.java PASSWORD (KEYSTORE TRUSTSTORE NAME PROTOCOL)...   prints a line each: ok, or why not
 */
public class Handshakes {
    public static void main(String[] args) throws Exception {
        for (int i = 1; i < args.length; i += 4) {
            SSLContext context = context(args[0].toCharArray(), args[i], args[i + 1]);
            System.out.println(handshake(context, args[i + 2], args[i + 3]));
        }
    }

    static KeyStore load(String file, char[] password) throws Exception {
        byte[] data = Files.readAllBytes(Path.of(file));
        KeyStore store = KeyStore.getInstance((data[0] & 0xff) == 0xfe ? "JKS" : "PKCS12");
        store.load(new ByteArrayInputStream(data), password);
        return store;
    }

    static SSLContext context(char[] password, String keystore, String truststore) throws Exception {
        KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
        keys.init(load(keystore, password), password);
        TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
        trust.init(load(truststore, password));
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
        return context;
    }

    static String handshake(SSLContext context, String name, String protocol) throws Exception {
        InetAddress here = InetAddress.getLoopbackAddress();
        try (SSLServerSocket server = (SSLServerSocket) context.getServerSocketFactory().createServerSocket(0, 1, here)) {
            server.setWantClientAuth(true); // Java shows a certificate only to who names its issuer
            FutureTask<Integer> accepted = new FutureTask<>(() -> {
                try (SSLSocket s = (SSLSocket) server.accept()) {
                    return s.getInputStream().read();
                }
            });
            Thread thread = new Thread(accepted);
            thread.start();
            try (Socket plain = new Socket(here, server.getLocalPort());
                    SSLSocket client = (SSLSocket) context.getSocketFactory().createSocket(plain, name, server.getLocalPort(), true)) {
                var parameters = client.getSSLParameters();
                parameters.setEndpointIdentificationAlgorithm("HTTPS");
                parameters.setProtocols(new String[] {protocol});
                client.setSSLParameters(parameters);
                client.startHandshake();
                client.getOutputStream().write(42);
                return accepted.get() == 42 ? "ok" : "the connection ended";
            } catch (IOException e) {
                return String.valueOf(e.getMessage()).replace('\n', ' ');
            } finally {
                thread.join();
            }
        }
    }
}
