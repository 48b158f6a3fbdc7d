package place

import (
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/identity"
	"wso2agent/internal/keystore"
	"wso2agent/internal/seed"
)

// trust puts certificates into the truststore of the config volume, by their aliases.
func (w *world) trust(certificates map[string]keystore.Certificate) {
	w.t.Helper()
	store := newStore(w.t, keystore.JKS)
	for alias, c := range certificates {
		if err := store.SetTrusted(alias, c, time.Now()); err != nil {
			w.t.Fatal(err)
		}
	}
	w.put(w.volume, securityDir+"/client-truststore.jks", encoded(w.t, store))
}

func authority(t *testing.T) keystore.Certificate {
	t.Helper()
	return keystore.Certificate{DER: sign(t, nil, func(c *x509.Certificate) { c.IsCA = true }).cert.Raw}
}

func TestAStartTrustsTheAgentsEntriesAndThoseOfServers(t *testing.T) {
	own := issue(t, "wso2am")
	w := newWorld(t, own, "PEERS", "wso2is")
	trusts, certificate := w.Starting(t.Context())
	if trusts == nil || len(trusts) != 0 || certificate != fingerprint(own) || strings.Contains(w.log.String(), "WARN") {
		t.Errorf("an empty truststore: %v (nil: %t), %s\n%s", trusts, trusts == nil, certificate, w.log)
	}
	peer, spare, ca, persons := issue(t, "wso2is").Leaf(), issue(t, "wso2is").Leaf(), authority(t), issue(t, "person").Leaf()
	w.trust(map[string]keystore.Certificate{"wso2is": peer, "wso2is-" + spare.Fingerprint().Short(): spare, "wso2am": ca, "public": authority(t), "persons": persons})
	trusts, _ = w.Starting(t.Context())
	want := []string{peer.Fingerprint().String(), spare.Fingerprint().String(), ca.Fingerprint().String(), persons.Fingerprint().String()}
	if slices.Sort(trusts); !slices.Equal(trusts, sorted(want)) {
		t.Errorf("trusts %v, want %v", trusts, want)
	}
}

func sorted(list []string) []string { slices.Sort(list); return list }

func TestAStartTrustsTheCAOfItsOwnCertificate(t *testing.T) {
	ca := sign(t, nil, func(c *x509.Certificate) {
		c.IsCA, c.KeyUsage, c.Subject.CommonName = true, x509.KeyUsageCertSign, "CA"
	})
	twin := sign(t, nil, func(c *x509.Certificate) {
		c.IsCA, c.KeyUsage, c.Subject.CommonName = true, x509.KeyUsageCertSign, "CA"
	})
	w := newWorld(t, issue(t, "wso2am"))
	w.put(w.volume, keystoreFile, chained(t, keystore.PKCS12, sign(t, &ca, nil), ca))
	own := keystore.Certificate{DER: ca.cert.Raw}
	w.trust(map[string]keystore.Certificate{"of a person": own, "of the same name": {DER: twin.cert.Raw}, "public": authority(t)})
	if trusts, _ := w.Starting(t.Context()); !slices.Equal(trusts, []string{own.Fingerprint().String()}) {
		t.Errorf("trusts %v, want %s\n%s", trusts, own.Fingerprint(), w.log)
	}
}

// The container of a server in Compose has neither SERVER_NAME nor PEERS.
func TestAStartKnowsTheCAOfAPeerWithoutItsName(t *testing.T) {
	ca := authority(t)
	w := newWorld(t, issue(t, "api.example.com"))
	w.trust(map[string]keystore.Certificate{"identity.example.com": ca})
	w.put(w.volume, ".agent/changes.json", []byte(`{"identity.example.com": {"known": []}}`))
	if trusts, _ := w.Starting(t.Context()); !slices.Equal(trusts, []string{ca.Fingerprint().String()}) {
		t.Errorf("trusts %v", trusts)
	}
}

func TestWhatAStartReadsIsNotKnownIfItCannotBeRead(t *testing.T) {
	own := issue(t, "wso2am")
	for _, c := range []struct {
		name                string
		change              func(w *world) error
		trusts, certificate bool // known
		log                 string
	}{
		{"no truststore", func(w *world) error { return os.Remove(filepath.Join(w.volume, securityDir, "client-truststore.jks")) }, false, true, "which certificates this start trusts"},
		{"a broken truststore", func(w *world) error {
			return os.Truncate(filepath.Join(w.volume, securityDir, "client-truststore.jks"), 10)
		}, false, true, "which certificates this start trusts"},
		{"a broken keystore", func(w *world) error { return os.Truncate(filepath.Join(w.volume, keystoreFile), 100) }, true, false, "which TLS certificate this start presents"},
		{"no keystore at all", func(w *world) error {
			return errors.Join(os.Remove(filepath.Join(w.volume, keystoreFile)), os.Remove(filepath.Join(w.home, keystoreFile)))
		}, true, false, "which TLS certificate this start presents"},
		{"a keystore in the home only", func(w *world) error { return os.Remove(filepath.Join(w.volume, keystoreFile)) }, true, true, ""},
		{"settings that the server refuses", func(w *world) error { return os.WriteFile(filepath.Join(w.volume, settingsFile), []byte("[a"), 0o600) }, false, false, "cannot find the stores that this start reads"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, own)
			if err := c.change(w); err != nil {
				t.Fatal(err)
			}
			trusts, certificate := w.Starting(t.Context())
			if (trusts != nil) != c.trusts || (certificate != "") != c.certificate {
				t.Errorf("trusts %v, certificate %q", trusts, certificate)
			}
			if log := w.log.String(); (c.log != "") != strings.Contains(log, "WARN") || !strings.Contains(log, c.log) {
				t.Errorf("the log is %q", log)
			}
		})
	}
}

func TestAServerReloadsIfItsFilesSaySo(t *testing.T) {
	own := issue(t, "wso2am")
	without := func(name, text, part string) func(w *world) {
		return func(w *world) { w.put(w.home, name, []byte(strings.Replace(text, part, "", 1))) }
	}
	interval := func(value string) func(w *world) {
		return func(w *world) { w.put(w.home, settingsFile, []byte(strings.Replace(settings, `"60000"`, value, 1))) }
	}
	const listener = `<Listener className="org.apache.catalina.security.TLSCertificateReloadListener" checkPeriod="60" daysBefore="36500"/>`
	for _, c := range []struct {
		name   string
		more   []string
		change func(w *world)
		want   bool
		log    string
	}{
		{name: "all is set", want: true},
		{name: "TLS_MODE=files", more: []string{"TLS_MODE", "files"}, want: true},
		{name: "a container without TLS_MODE", more: []string{"TLS_MODE", ""}, want: true},
		{name: "a listener of a person", change: func(w *world) {
			w.put(w.home, seed.TomcatTemplate, []byte(strings.Replace(template, `checkPeriod="60" daysBefore="36500"`, `daysBefore='3650' checkPeriod='7'`, 1)))
		}, want: true},
		{name: "a listener that only renews what is about to expire", change: without(seed.TomcatTemplate, template, ` daysBefore="36500"`), log: "does not have a listener"},
		{name: "a listener that looks once a day", change: func(w *world) {
			w.put(w.home, seed.TomcatTemplate, []byte(strings.Replace(template, `"60"`, `"86400"`, 1)))
		}, log: "checkPeriod of at most 60"},
		{name: "RELOAD=off", more: []string{"RELOAD", "off"}},
		{name: "TLS_MODE=none", more: []string{"TLS_MODE", "none"}},
		{name: "no listener", change: without(seed.TomcatTemplate, template, listener), log: "does not have a listener"},
		{name: "a listener in a comment", change: func(w *world) {
			w.put(w.home, seed.TomcatTemplate, []byte(strings.Replace(template, listener, "<!-- "+listener+"\n-->{# "+listener+" #}", 1)))
		}, log: "does not have a listener"},
		{name: "no template", change: func(w *world) { os.Remove(filepath.Join(w.home, seed.TomcatTemplate)) }, log: "catalina-server.xml.j2"},
		{name: "another keystore", change: without(settingsFile, settings, `file_name = "wso2agent-tls.p12"`), log: "does not name wso2agent-tls.p12"},
		{name: "a gateway that does not look", change: without(settingsFile, settings, `ssl_profile_interval = "60000"`), log: "ssl_profile_interval"},
		{name: "a gateway that looks every ten minutes", change: interval(`"600000"`), log: "ssl_profile_interval is 600000"},
		{name: "a gateway that looks every two minutes, without quotes", change: interval("120000"), log: "ssl_profile_interval is 120000"},
		{name: "a gateway whose interval is no number", change: interval(`"60s"`), log: "ssl_profile_interval is 60s"},
		{name: "a gateway that should look more often", change: interval("1000"), want: true},
		{name: "IS has no gateway", more: []string{"PRODUCT", "is", "PEERS", "none"}, change: without(settingsFile, settings, `ssl_profile_interval = "60000"`), want: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, own, c.more...)
			if c.change != nil {
				c.change(w)
			}
			if got := w.Reloads(t.Context()); got != c.want {
				t.Errorf("got %t, log %s", got, w.log)
			}
			if log := w.log.String(); (log != "") != (c.log != "") || !strings.Contains(log, c.log) {
				t.Errorf("the log is %q, want %q", log, c.log)
			}
		})
	}
}

// Without SERVER_NAME the default may be another name than the one that peers use.
func TestWithoutItsNameAServerGetsTheCertificateThatItsStartHad(t *testing.T) {
	for own, want := range map[string]bool{"wso2am": false, "api.example.com": true} {
		w := newWorld(t, issue(t, own), "SERVER_NAME", "")
		w.Starting(t.Context())
		second := issue(t, "api.example.com")
		w.install(second)
		if _, err := w.Place(t.Context(), fingerprint(second)); (err == nil) != want {
			t.Errorf("started with %s: %v", own, err)
		}
	}
}

func TestIdentityServerHasNoFileOfListeners(t *testing.T) {
	first, second := issue(t, "wso2am"), issue(t, "wso2am")
	w := newWorld(t, first, "PRODUCT", "is", "PEERS", "none")
	if err := os.Remove(filepath.Join(w.home, listenersFile)); err != nil {
		t.Fatal(err)
	}
	w.install(second)
	if _, err := w.Place(t.Context(), fingerprint(second)); err != nil {
		t.Fatal(err)
	}
	if got := w.served(); !identity.Same(&got, &second) {
		t.Errorf("the home has %s", fingerprint(got))
	}
	if _, err := os.Stat(filepath.Join(w.home, listenersFile)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file of listeners was made: %v", err)
	}
}
