import java.io.FileInputStream;
import java.security.KeyStore;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;

/**
 * Asks Java whether a client with a truststore accepts a server's certificate.
 *
 * java Anchors.java PASSWORD (STORE CERTIFICATE)...   prints a line each: trusted, or why not
 */
public class Anchors {
    public static void main(String[] args) throws Exception {
        for (int i = 1; i < args.length; i += 2) {
            System.out.println(judge(args[0].toCharArray(), args[i], args[i + 1]));
        }
    }

    static String judge(char[] password, String file, String certificate) throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        try (var in = new FileInputStream(file)) {
            store.load(in, password);
        }
        TrustManagerFactory factory = TrustManagerFactory.getInstance("PKIX");
        factory.init(store);
        try (var in = new FileInputStream(certificate)) {
            var leaf = (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(in);
            ((X509TrustManager) factory.getTrustManagers()[0]).checkServerTrusted(new X509Certificate[] {leaf}, "UNKNOWN");
            return "trusted";
        } catch (CertificateException e) {
            return e.getMessage().replace('\n', ' ');
        }
    }
}
