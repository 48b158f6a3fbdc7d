package verify

import (
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/identity"
	"wso2agent/internal/keystore"
	"wso2agent/internal/product"
	"wso2agent/internal/wso2"
)

const ownPass = "wso2carbon"

// issued returns an identity, and the keystore that holds it.
func issued(t *testing.T) (leaf keystore.Certificate, store []byte) {
	t.Helper()
	id, err := identity.Issue(identity.Spec{Names: []string{"wso2is"}}, time.Now(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if store, err = id.Encode(keystore.PKCS12, identity.Alias, ownPass); err != nil {
		t.Fatal(err)
	}
	return id.Leaf(), store
}

// serving answers as IS does, with the certificate in the keystore, at the port that it returns.
func serving(t *testing.T, store []byte) (port int) {
	t.Helper()
	opened, err := keystore.Open(store, ownPass)
	if err != nil {
		t.Fatal(err)
	}
	key, keyErr := opened.PrivateKey(identity.Alias, ownPass)
	leaf, err := opened.Leaf(identity.Alias)
	if err := errors.Join(keyErr, err); err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"issuer":"it"}`) }))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.DER}, PrivateKey: key}}}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	_, text, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if port, err = strconv.Atoi(text); err != nil {
		t.Fatal(err)
	}
	return port
}

// TestAServerThatIsAboutToLoadACertificateIsWell: its home has the new one already, and its listener does not present it yet.
func TestAServerThatIsAboutToLoadACertificateIsWell(t *testing.T) {
	leaf, former := issued(t)
	_, next := issued(t)
	other, _ := issued(t)
	trusting := func(alias string, c keystore.Certificate) []byte {
		t.Helper()
		store, err := keystore.New(keystore.Options{Format: keystore.PKCS12, Password: ownPass})
		if err == nil {
			err = store.SetTrusted(alias, c, time.Now())
		}
		var data []byte
		if err == nil {
			data, err = store.Encode()
		}
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	own := trusting("wso2is-"+leaf.Fingerprint().Short(), leaf)
	for name, c := range map[string]struct {
		presents, home, truststore, kept []byte
		ok                               bool
	}{
		"as in its home":                      {former, former, trusting("other", other), nil, true},
		"loaded":                              {next, next, own, former, true},
		"the former one, which it trusts":     {former, next, own, nil, true},
		"the former one, by the agent's copy": {former, next, trusting("wso2is", other), former, true},
		"the former one, of a peer's name":    {former, next, trusting("wso2am", leaf), nil, false},
		"one that nobody knows":               {former, next, trusting("wso2is", other), nil, false},
		"no truststore":                       {former, next, nil, nil, false},
	} {
		dir := t.TempDir()
		cfg := config.Config{Release: product.Default(config.IS), Server: config.Server{Product: config.IS, Name: "wso2is", Home: filepath.Join(dir, "home"), ConfigDir: filepath.Join(dir, "volume")},
			Keystore:   config.Keystore{File: "own.p12", Pass: ownPass, Alias: identity.Alias},
			Truststore: config.Truststore{File: "trust.p12", Pass: ownPass}, IS: config.IdentityServer{Port: serving(t, c.presents)}}
		for path, data := range map[string][]byte{
			"home/repository/resources/security/own.p12":   c.home,
			"home/repository/resources/security/trust.p12": c.truststore,
			"volume/repository/resources/security/own.p12": c.home,
			"volume/.agent/keystore/own.p12.served":        c.kept,
		} {
			if data == nil {
				continue
			}
			if err := errors.Join(os.MkdirAll(filepath.Dir(filepath.Join(dir, path)), 0o755), os.WriteFile(filepath.Join(dir, path), data, 0o600)); err != nil {
				t.Fatal(err)
			}
		}
		if err := Probe(t.Context(), cfg); (err == nil) != c.ok || err != nil && !errors.Is(err, wso2.ErrNotPinned) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAServerInAnotherContainerMustPresentWhatIsOnTheConfigVolume is of a server without agent exec, after its restart.
func TestAServerInAnotherContainerMustPresentWhatIsOnTheConfigVolume(t *testing.T) {
	_, before := issued(t)
	_, next := issued(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "repository/resources/security/own.p12")
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, next, 0o600)); err != nil {
		t.Fatal(err)
	}
	probe := func(port int) error {
		return ProbeNextTo(t.Context(), config.Config{Server: config.Server{Product: config.IS, Name: "wso2is", Home: t.TempDir(), ConfigDir: dir},
			Keystore:   config.Keystore{File: "own.p12", Pass: ownPass, Alias: identity.Alias},
			Truststore: config.Truststore{File: "trust.p12", Pass: ownPass}, IS: config.IdentityServer{Host: "localhost", Port: port}})
	}
	if err := probe(serving(t, next)); err != nil {
		t.Error(err)
	}
	if err := probe(serving(t, before)); !errors.Is(err, wso2.ErrNotPinned) {
		t.Errorf("it has not read the volume: %v", err)
	}
	unborn := httptest.NewTLSServer(http.NotFoundHandler())
	defer unborn.Close()
	_, port, _ := net.SplitHostPort(unborn.Listener.Addr().String())
	n, _ := strconv.Atoi(port)
	if err := probe(n); err == nil || errors.Is(err, wso2.ErrNotPinned) {
		t.Errorf("it does not serve yet, with another certificate: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := probe(n); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no keystore: %v", err)
	}
}
