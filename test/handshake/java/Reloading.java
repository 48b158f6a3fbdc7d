import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.catalina.LifecycleListener;
import org.apache.catalina.core.StandardServer;
import org.apache.catalina.security.TLSCertificateReloadListener;
import org.apache.catalina.startup.Tomcat;
import org.apache.coyote.http11.AbstractHttp11Protocol;

/**
 * How the products load a new certificate while they run. On 9443 that is Tomcat's own listener, if the template in the home
 * has it. The gateway here is a Tomcat that stands in for WSO2's own transport: it loads its keystore when the file with its
 * profiles has become younger. Both look every so many seconds as the setting reload.seconds says.
 */
final class Reloading {
    private static final String TEMPLATE = "repository/resources/conf/templates/repository/conf/tomcat/catalina-server.xml.j2";
    private static final String PROFILES = "repository/resources/security/listenerprofiles.xml";
    private static final Pattern LISTENER = Pattern.compile("<Listener\\s[^>]*" + TLSCertificateReloadListener.class.getName().replace(".", "\\.")
            + "[^>]*daysBefore=\"(\\d+)\"");

    private Reloading() { }

    /** Adds the listener to a server that has it in its template. */
    static void asTemplate(Tomcat tomcat, Path home, int seconds) throws IOException {
        Path template = home.resolve(TEMPLATE);
        if (!Files.exists(template)) {
            return;
        }
        Matcher found = LISTENER.matcher(Files.readString(template, StandardCharsets.UTF_8));
        if (!found.find()) {
            return;
        }
        TLSCertificateReloadListener listener = new TLSCertificateReloadListener();
        listener.setCheckPeriod(seconds);
        listener.setDaysBefore(Integer.parseInt(found.group(1)));
        StandardServer server = (StandardServer) tomcat.getServer();
        server.setPeriodicEventDelay(1); // seconds
        server.addLifecycleListener((LifecycleListener) listener);
    }

    /** Loads the gateway's keystore when the file with its profiles has become younger. A store that cannot be read changes nothing. */
    static void asGateway(Tomcat tomcat, Path home, int seconds) throws IOException {
        Path profiles = home.resolve(PROFILES);
        if (!Files.exists(profiles)) { // every start of the product writes it
            Files.writeString(profiles, "<parameter name=\"SSLProfiles\"/>\n");
        }
        FileTime first = Files.getLastModifiedTime(profiles);
        Thread poll = new Thread(() -> {
            FileTime seen = first;
            while (true) {
                try {
                    Thread.sleep(1000L * seconds);
                    FileTime now = Files.getLastModifiedTime(profiles);
                    if (now.compareTo(seen) > 0) {
                        seen = now;
                        ((AbstractHttp11Protocol<?>) tomcat.getConnector().getProtocolHandler()).reloadSslHostConfigs();
                    }
                } catch (InterruptedException e) {
                    return;
                } catch (IOException | RuntimeException e) {
                    e.printStackTrace();
                }
            }
        }, "gateway-profiles");
        poll.setDaemon(true);
        poll.start();
    }
}
