import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.security.KeyStore;
import java.security.MessageDigest;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import javax.net.ssl.TrustManagerFactory;

/**
 * What Java makes of certificates. It reads from its standard input, again and again, a length of four bytes and as many bytes
 * of DER, and answers with one byte each: the sum of 1 if CertificateFactory reads it, 2 and 4 if a PKCS#12 and a JKS store
 * that hold it can be loaded and have the entry, and 8 if trust managers can be made of that. The stores are written by hand,
 * since KeyStore does not store what it cannot read.
 */
public class Certificates {
    static final int FACTORY = 1, PKCS12 = 2, JKS = 4, TRUST = 8;
    static final char[] PASSWORD = "changeit".toCharArray();

    public static void main(String[] args) throws Exception {
        DataInputStream in = new DataInputStream(new BufferedInputStream(System.in, 1 << 20));
        OutputStream out = new BufferedOutputStream(System.out, 1 << 16);
        CertificateFactory factory = CertificateFactory.getInstance("X.509");
        for (;;) {
            int length;
            try {
                if (in.available() == 0) out.flush();
                length = in.readInt();
            } catch (EOFException e) {
                break;
            }
            byte[] der = in.readNBytes(length);
            out.write(judge(factory, der));
        }
        out.flush();
    }

    static int judge(CertificateFactory factory, byte[] der) {
        int verdict = 0;
        try {
            X509Certificate c = (X509Certificate) factory.generateCertificate(new ByteArrayInputStream(der));
            c.getPublicKey();
            c.getSubjectX500Principal().hashCode();
            c.getIssuerX500Principal().hashCode();
            verdict |= FACTORY;
        } catch (Exception | Error e) {
            // the answer
        }
        try {
            verdict |= load("PKCS12", pkcs12(der), null) != null ? PKCS12 : 0;
        } catch (Exception | Error e) {
            // the answer
        }
        try {
            KeyStore store = load("JKS", jks(der), PASSWORD);
            verdict |= JKS;
            TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
            trust.init(store);
            verdict |= trust.getTrustManagers().length == 1 ? TRUST : 0;
        } catch (Exception | Error e) {
            // the answer
        }
        return verdict;
    }

    static KeyStore load(String format, byte[] data, char[] password) throws Exception {
        KeyStore store = KeyStore.getInstance(format);
        store.load(new ByteArrayInputStream(data), password);
        Certificate c = store.getCertificate("peer");
        if (c == null || !store.isCertificateEntry("peer")) throw new IOException("no entry");
        return store;
    }

    static byte[] jks(byte[] der) throws Exception {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        DataOutputStream out = new DataOutputStream(bytes);
        out.writeInt(0xfeedfeed);
        out.writeInt(2); // version
        out.writeInt(1); // entries
        out.writeInt(2); // a trusted certificate
        out.writeUTF("peer");
        out.writeLong(0);
        out.writeUTF("X.509");
        out.writeInt(der.length);
        out.write(der);
        MessageDigest digest = MessageDigest.getInstance("SHA-1");
        digest.update(new String(PASSWORD).getBytes(StandardCharsets.UTF_16BE));
        digest.update("Mighty Aphrodite".getBytes(StandardCharsets.UTF_8));
        out.write(digest.digest(bytes.toByteArray()));
        return bytes.toByteArray();
    }

    static final byte[] DATA = oid(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01);
    static final byte[] ATTRIBUTES = tlv(0x31,
        tlv(0x30, oid(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x14), // friendlyName
            tlv(0x31, tlv(0x1e, "peer".getBytes(StandardCharsets.UTF_16BE)))),
        tlv(0x30, oid(0x60, 0x86, 0x48, 0x01, 0x86, 0xf9, 0x66, 0xad, 0xca, 0x7b, 0x01, 0x01), // trusted for
            tlv(0x31, oid(0x55, 0x1d, 0x25, 0x00)))); // any purpose

    /** A store without encryption and MAC. */
    static byte[] pkcs12(byte[] der) {
        byte[] certificate = tlv(0x30, oid(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x16, 0x01), tlv(0xa0, tlv(0x04, der)));
        byte[] bag = tlv(0x30, oid(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x0a, 0x01, 0x03), tlv(0xa0, certificate), ATTRIBUTES);
        byte[] safe = tlv(0x30, content(tlv(0x30, bag)));
        return tlv(0x30, tlv(0x02, new byte[] {3}), content(safe));
    }

    static byte[] content(byte[] data) {
        return tlv(0x30, DATA, tlv(0xa0, tlv(0x04, data)));
    }

    static byte[] oid(int... bytes) {
        byte[] body = new byte[bytes.length];
        for (int i = 0; i < bytes.length; i++) body[i] = (byte) bytes[i];
        return tlv(0x06, body);
    }

    static byte[] tlv(int tag, byte[]... parts) {
        int length = 0;
        for (byte[] p : parts) length += p.length;
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.write(tag);
        if (length < 0x80) {
            out.write(length);
        } else {
            out.write(0x83);
            out.write(length >> 16);
            out.write(length >> 8);
            out.write(length);
        }
        for (byte[] p : parts) out.writeBytes(p);
        byte[] all = out.toByteArray();
        return length < 0x80 || length > 0xffff ? all : shorten(all, length);
    }

    /** Java wants the shortest form of a length. */
    static byte[] shorten(byte[] all, int length) {
        int n = length > 0xff ? 2 : 1;
        byte[] out = new byte[2 + n + length];
        out[0] = all[0];
        out[1] = (byte) (0x80 | n);
        System.arraycopy(all, 5 - n, out, 2, n + length);
        return out;
    }
}
