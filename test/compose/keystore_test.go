//go:build compose

package compose

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os/exec"
	"testing"
	"time"

	"wso2agent/internal/keystore"
)

// tlsStore is a keystore with a new key for API-M, and its certificate in PEM.
func tlsStore(t *testing.T) (store, certificate []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "wso2am"}, DNSNames: []string{"wso2am", "localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	s, err := keystore.New(keystore.Options{Format: keystore.PKCS12, Password: "wso2carbon"})
	if err == nil {
		err = s.SetKey("wso2am", key, []keystore.Certificate{{DER: der}}, "wso2carbon", time.Now())
	}
	if err != nil {
		t.Fatal(err)
	}
	if store, err = s.Encode(); err != nil {
		t.Fatal(err)
	}
	return store, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// put runs a shell command beside API-M, as its user, with input.
func (w *world) put(input []byte, command string) {
	w.t.Helper()
	cmd := exec.Command("docker", "exec", "-i", w.container("wso2am"), "sh", "-ec", "cd /home/wso2carbon/wso2-config-volume; "+command)
	cmd.Stdin = bytes.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil {
		w.t.Fatalf("%s: %v\n%s", command, err, out)
	}
}

// The TLS keystore of API-M is replaced by hand, as docs/operating.md says: each server that has to know of it restarts once,
// in place.
func TestATLSKeystoreThatIsReplacedByHand(t *testing.T) {
	w := newParallelWorld(t, "keystore")
	w.env["TLS_MODE"] = "none"
	w.up()
	made := w.made()
	store, certificate := tlsStore(t)
	w.put(certificate, "cat >/tmp/new.pem; /agent/agent certs import --store repository/resources/security/client-truststore.jks --alias wso2am-tls --cert /tmp/new.pem")
	w.shellWith(map[string][]byte{"tls.p12": store}, one(t))
	w.put(nil, `cp repository/conf/deployment.toml /tmp/new.toml
		sed -i '/^\[keystore.tls\]/,/^\[/{s/^file_name.*/file_name = "tls.p12"/;s/^type.*/type = "PKCS12"/;s/^alias.*/alias = "wso2am"/}' /tmp/new.toml
		cp /tmp/new.toml repository/conf/deployment.toml`)
	w.eventually(2*time.Minute, "both servers have started again", func() bool { return w.starts("wso2is") >= 2 && w.starts("wso2am") >= 2 })
	w.ready("wso2is", "wso2am", "is-agent", "am-agent")
	w.eventually(30*time.Second, "API-M's agent publishes the new certificate first", func() bool {
		return bytes.HasPrefix(w.file("am-agent", "/exchange/wso2am/certs.pem"), certificate)
	})
	w.works()
	w.wantStarts(2, 2)
	w.wantMade(made)
}
