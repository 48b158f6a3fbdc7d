package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/remedy"
)

// TestWhatToDoIsAHint: commands print it on a line of its own.
func TestWhatToDoIsAHint(t *testing.T) {
	root, expired := newCA(t, "root", nil, nil), newCA(t, "expired", nil, func(c *x509.Certificate) { c.NotAfter = day().AddDate(0, 0, -1) })
	good := mustIssue(t, Spec{}, "wso2am")
	cert, key := certPEM(good.Leaf().DER), keyPEM(t, "PRIVATE KEY", good.key)
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	clientKey := newKey(t)
	client := template("wso2am")
	client.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	clientPEM := certPEM(sign(t, client, clientKey, nil, nil).DER)
	pemOf := func(cert, key []byte) error { _, err := FromPEM(cert, key, nil); return err }
	issued := func(s Spec, name string) error { s.Names = []string{name}; _, err := Issue(s, day(), 0); return err }
	unreadable := t.TempDir()
	writePEM(t, unreadable, cert, key)
	if err := os.Chmod(filepath.Join(unreadable, "tls.key"), 0); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		err  error
		hint string
	}{
		"an encrypted key":      {pemOf(cert, pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("x")})), "provide it without a passphrase, readable by the agent alone"},
		"no key":                {pemOf(cert, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")})), "generate it again, or convert it with openssl pkcs8 -topk8 -nocrypt"},
		"a curve without TLS":   {pemOf(cert, keyPEM(t, "EC PRIVATE KEY", p224)), "generate one on P-256"},
		"another key":           {pemOf(cert, keyPEM(t, "PRIVATE KEY", newKey(t))), "if this persists, put a key and its certificate there"},
		"half a file":           {pemOf(cert[:60], key), "if this persists, write it again"},
		"a client's":            {pemOf(clientPEM, keyPEM(t, "PRIVATE KEY", clientKey)), "have it issued with server auth"},
		"an expired CA":         {issued(expired.spec(t), "wso2am"), "renew it (TLS_CA_CERT_FILE)"},
		"a CA of the same name": {issued(root.spec(t), "root"), "rename one of them"},
	} {
		text, hints := remedy.Split(c.err)
		if len(hints) != 1 || hints[0] != c.hint || strings.Contains(text, c.hint) {
			t.Errorf("%s: %q with the hints %q, want %q", name, text, hints, c.hint)
		}
	}
	if os.Geteuid() != 0 { // root reads every file
		_, err := ReadPEM(t.Context(), unreadable, time.Millisecond)
		if text, hints := remedy.Split(err); len(hints) != 1 || !strings.HasSuffix(hints[0], "which must own the file or have the right to read it") || strings.Contains(text, hints[0]) {
			t.Errorf("a key that cannot be read: %q with the hints %q", text, hints)
		}
	}
}
