import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
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
import org.apache.tomcat.util.modeler.Registry;
import org.apache.tomcat.util.net.SSLHostConfig;
import org.apache.tomcat.util.net.SSLHostConfigCertificate;

/**
 * A server as the products are to their peers: Tomcat with a key from a keystore, and clients with a truststore, both read at
 * the start. It reads the keystore again only if the template in its home says so, see Reloading. Its arguments are files with
 * settings of a prober each; the first one also has those of the server: home, port, gateway.port (empty for none), keystore,
 * keystore.type, keystore.password, alias, reload.seconds. start.log in the folder out tells when it started, was ready, and
 * was asked to stop.
 */
final class Server {
    private static final int DRAIN = 10_000; // milliseconds, at most
    private static final Logger TOMCAT = Logger.getLogger("org.apache"), CATALINA = Logger.getLogger("org.apache.catalina");

    private Server() { }

    public static void main(String[] args) throws Exception {
        Properties settings = Settings.read(args[0]);
        Journal log = new Journal(Path.of(settings.getProperty("out"), "start.log"));
        log.add(Instant.now(), "start");
        TOMCAT.setLevel(Level.WARNING);
        CATALINA.setLevel(Level.SEVERE); // as in the products' log4j2.properties: else each reload of the certificate is logged
        Registry.disableRegistry(); // two of them in one process have the same names in JMX
        List<Tomcat> tomcats = new ArrayList<>();
        Path home = Path.of(settings.getProperty("home"));
        int seconds = Integer.parseInt(settings.getProperty("reload.seconds"));
        tomcats.add(tomcat(settings, settings.getProperty("port")));
        Reloading.asTemplate(tomcats.get(0), home, seconds);
        if (!settings.getProperty("gateway.port").isEmpty()) {
            tomcats.add(tomcat(settings, settings.getProperty("gateway.port")));
        }
        List<Prober> probers = new ArrayList<>();
        for (String file : args) {
            probers.add(new Prober(Settings.read(file)));
        }
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                log.add(Instant.now(), "stop"); // before anything closes: from here on the peer may be refused
                for (Prober prober : probers) {
                    prober.stop();
                }
                for (Tomcat tomcat : tomcats) {
                    tomcat.stop();
                }
            } catch (Exception e) {
                e.printStackTrace();
            }
        }));
        for (Tomcat tomcat : tomcats) {
            tomcat.start();
        }
        if (tomcats.size() > 1) {
            Reloading.asGateway(tomcats.get(1), home, seconds);
        }
        log.add(Instant.now(), "ready");
        for (Prober prober : probers) {
            prober.start();
        }
        tomcats.get(0).getServer().await();
    }

    private static Tomcat tomcat(Properties settings, String port) throws Exception {
        Tomcat tomcat = new Tomcat();
        tomcat.setBaseDir(settings.getProperty("home"));
        // When it stops, the port closes first, and connections that it has accepted come to their end: a handshake that
        // was cut off would be told from a refused certificate by nothing but a guess.
        ((StandardService) tomcat.getService()).setGracefulStopAwaitMillis(DRAIN);
        tomcat.setConnector(connector(settings, port));
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

    private static Connector connector(Properties settings, String port) {
        Connector connector = new Connector("org.apache.coyote.http11.Http11NioProtocol");
        connector.setPort(Integer.parseInt(port));
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
