import java.io.ByteArrayInputStream;
import java.io.File;
import java.io.FileOutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.Key;
import java.security.KeyStore;
import java.security.MessageDigest;
import java.security.PrivateKey;
import java.security.Signature;
import java.security.cert.Certificate;
import java.util.Collections;
import java.util.HexFormat;
import java.util.concurrent.FutureTask;
import javax.crypto.spec.SecretKeySpec;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

/**
 * What Java makes of keystores, many in one run, for the tests of this package.
 *
 * java Stores.java make BASE DIR PASSWORD   writes BASE in every combination of algorithms, with a secret key added
 * java Stores.java list PASSWORD FILE...    prints FILE, alias, kind and fingerprints, after every private key has signed
 * java Stores.java handshake PASSWORD FILE... completes a TLS handshake with the first key and the trusted certificates
 */
public class Stores {
    static final String[] MACS = {"NONE", "HmacPBESHA1", "HmacPBESHA224", "HmacPBESHA256", "HmacPBESHA384",
        "HmacPBESHA512", "HmacPBESHA512/224", "HmacPBESHA512/256"};
    static final String[] CIPHERS = {"NONE", "PBEWithSHA1AndRC2_40", "PBEWithSHA1AndRC2_128", "PBEWithSHA1AndDESede",
        "PBEWithHmacSHA1AndAES_128", "PBEWithHmacSHA1AndAES_256", "PBEWithHmacSHA224AndAES_128",
        "PBEWithHmacSHA224AndAES_256", "PBEWithHmacSHA256AndAES_128", "PBEWithHmacSHA256AndAES_256",
        "PBEWithHmacSHA384AndAES_128", "PBEWithHmacSHA384AndAES_256", "PBEWithHmacSHA512AndAES_128",
        "PBEWithHmacSHA512AndAES_256"};

    public static void main(String[] args) throws Exception {
        switch (args[0]) {
            case "make" -> make(args[1], args[2], args[3].toCharArray());
            case "list" -> {
                for (int i = 2; i < args.length; i++) list(args[i], args[1].toCharArray());
            }
            case "handshake" -> {
                for (int i = 2; i < args.length; i++) handshake(args[i], args[1].toCharArray());
            }
            default -> throw new IllegalArgumentException(args[0]);
        }
    }

    static KeyStore load(String file, char[] password) throws Exception {
        byte[] data = Files.readAllBytes(Path.of(file));
        KeyStore store = KeyStore.getInstance((data[0] & 0xff) == 0xfe ? "JKS" : "PKCS12");
        store.load(new ByteArrayInputStream(data), password);
        return store;
    }

    static void make(String base, String dir, char[] password) throws Exception {
        for (String name : new String[] {"certPbeIterationCount", "keyPbeIterationCount", "macIterationCount"}) {
            System.setProperty("keystore.pkcs12." + name, "1234");
        }
        for (int c = 0; c < CIPHERS.length; c++) {
            for (String mac : MACS) {
                System.setProperty("keystore.pkcs12.certProtectionAlgorithm", CIPHERS[c]);
                System.setProperty("keystore.pkcs12.keyProtectionAlgorithm", CIPHERS[1 + c % (CIPHERS.length - 1)]);
                System.setProperty("keystore.pkcs12.macAlgorithm", mac);
                // A store that was loaded keeps its algorithms; only an empty one takes these.
                KeyStore from = load(base, password);
                KeyStore store = KeyStore.getInstance("PKCS12");
                store.load(null, null);
                for (String alias : Collections.list(from.aliases())) {
                    if (from.isKeyEntry(alias)) {
                        store.setKeyEntry(alias, from.getKey(alias, password), password, from.getCertificateChain(alias));
                    } else {
                        store.setCertificateEntry(alias, from.getCertificate(alias));
                    }
                }
                store.setEntry("secret", new KeyStore.SecretKeyEntry(new SecretKeySpec(new byte[16], "AES")),
                    new KeyStore.PasswordProtection(password));
                try (var out = new FileOutputStream(new File(dir, CIPHERS[c] + "+" + mac.replace('/', '_')))) {
                    store.store(out, password);
                }
            }
        }
    }

    static void list(String file, char[] password) throws Exception {
        KeyStore store = load(file, password);
        MessageDigest sha256 = MessageDigest.getInstance("SHA-256");
        HexFormat hex = HexFormat.ofDelimiter(":").withUpperCase();
        for (String alias : Collections.list(store.aliases())) {
            String kind = "certificate";
            Certificate[] chain = {store.getCertificate(alias)};
            if (store.isKeyEntry(alias)) {
                Key key = store.getKey(alias, password);
                kind = key instanceof PrivateKey ? "key" : "secret";
                chain = key instanceof PrivateKey ? store.getCertificateChain(alias) : new Certificate[0];
                if (chain == null) chain = new Certificate[0];
                else if (key instanceof PrivateKey) sign((PrivateKey) key, chain[0]);
            }
            StringBuilder line = new StringBuilder(file + "\t" + alias + "\t" + kind);
            for (Certificate c : chain) line.append(' ').append(hex.formatHex(sha256.digest(c.getEncoded())));
            // Written as UTF-8 whatever the locale is.
            System.out.write((line + "\n").getBytes("UTF-8"));
        }
        System.out.flush();
    }

    static void sign(PrivateKey key, Certificate leaf) throws Exception {
        Signature s = Signature.getInstance("SHA256with" + (key.getAlgorithm().equals("EC") ? "ECDSA" : key.getAlgorithm()));
        s.initSign(key);
        s.update((byte) 1);
        byte[] signature = s.sign();
        s.initVerify(leaf);
        s.update((byte) 1);
        if (!s.verify(signature)) throw new Exception("the key does not belong to its certificate");
    }

    static void handshake(String file, char[] password) throws Exception {
        KeyStore store = load(file, password);
        KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
        keys.init(store, password);
        TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
        trust.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
        try (SSLServerSocket server = (SSLServerSocket) context.getServerSocketFactory().createServerSocket(0)) {
            FutureTask<Integer> accepted = new FutureTask<>(() -> {
                try (SSLSocket s = (SSLSocket) server.accept()) {
                    return s.getInputStream().read();
                }
            });
            new Thread(accepted).start();
            try (SSLSocket client = (SSLSocket) context.getSocketFactory().createSocket("localhost", server.getLocalPort())) {
                client.startHandshake();
                client.getOutputStream().write(42);
            }
            System.out.println(file + "\t" + accepted.get());
        }
    }
}
