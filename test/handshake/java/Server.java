import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Properties;
import java.util.logging.Level;
import java.util.logging.Logger;
import javax.servlet.http.HttpServlet;
import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpServletResponse;
import org.apache.catalina.Context;
import org.apache.catalina.connector.Connector;
import org.apache.catalina.core.StandardService;
import org.apache.catalina.startup.Tomcat;
import org.apache.tomcat.util.net.SSLHostConfig;
import org.apache.tomcat.util.net.SSLHostConfigCertificate;

/**
 * A server as the products are to their peers: Tomcat with a key from a keystore, and a client with a truststore, both
 * read once, at the start. Its argument is a file with settings: home, port, keystore, keystore.type, keystore.password,
 * alias, and those of the prober. start.log in the folder out tells when it started, was ready, and was asked to stop.
 */
final class Server {
    private static final int DRAIN = 3_000; // milliseconds

    private Server() { }

    public static void main(String[] args) throws Exception {
        Properties settings = new Properties();
        try (InputStream in = new FileInputStream(args[0])) {
            settings.load(in);
        }
        Journal log = new Journal(Path.of(settings.getProperty("out"), "start.log"));
        log.add(Instant.now(), "start");
        Logger.getLogger("org.apache").setLevel(Level.WARNING);
        Tomcat tomcat = tomcat(settings);
        Prober prober = new Prober(settings);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                log.add(Instant.now(), "stop"); // before anything closes: from here on the peer may be refused
                prober.stop();
                tomcat.stop();
            } catch (Exception e) {
                e.printStackTrace();
            }
        }));
        tomcat.start();
        log.add(Instant.now(), "ready");
        prober.start();
        tomcat.getServer().await();
    }

    private static Tomcat tomcat(Properties settings) throws Exception {
        Tomcat tomcat = new Tomcat();
        tomcat.setBaseDir(settings.getProperty("home"));
        // When it stops, the port closes first, and connections that it has accepted come to their end: a handshake that
        // was cut off would be told from a refused certificate by nothing but a guess.
        ((StandardService) tomcat.getService()).setGracefulStopAwaitMillis(DRAIN);
        tomcat.setConnector(connector(settings));
        Context context = tomcat.addContext("", null);
        Tomcat.addServlet(context, "ok", new HttpServlet() {
            @Override
            protected void doGet(HttpServletRequest request, HttpServletResponse response) throws IOException {
                response.setContentType("application/json");
                response.getWriter().print("{\"issuer\": \"https://localhost/oauth2/token\"}"); // for the health check
            }
        });
        context.addServletMappingDecoded("/*", "ok");
        return tomcat;
    }

    private static Connector connector(Properties settings) {
        Connector connector = new Connector("org.apache.coyote.http11.Http11NioProtocol");
        connector.setPort(Integer.parseInt(settings.getProperty("port")));
        connector.setScheme("https");
        connector.setSecure(true);
        connector.setProperty("address", "127.0.0.1");
        connector.setProperty("SSLEnabled", "true");
        connector.setProperty("maxKeepAliveRequests", "1");
        connector.setProperty("bindOnInit", "false"); // only such a port is closed first when it stops
        connector.setThrowOnFailure(true);
        SSLHostConfig tls = new SSLHostConfig();
        tls.setProtocols("TLSv1.2+TLSv1.3");
        SSLHostConfigCertificate certificate = new SSLHostConfigCertificate(tls, SSLHostConfigCertificate.Type.UNDEFINED);
        certificate.setCertificateKeystoreFile(settings.getProperty("keystore"));
        certificate.setCertificateKeystoreType(settings.getProperty("keystore.type"));
        certificate.setCertificateKeystorePassword(settings.getProperty("keystore.password"));
        certificate.setCertificateKeyAlias(settings.getProperty("alias"));
        tls.addCertificate(certificate);
        connector.addSslHostConfig(tls);
        return connector;
    }
}
