package trust

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/file"
	"wso2agent/internal/keystore"
	"wso2agent/internal/testenv"
)

const password = "wso2carbon"

// issue makes a self-signed certificate and its key.
func issue(t *testing.T, name string) (keystore.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62))
	template := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return keystore.Certificate{DER: der}, key
}

func certificate(t *testing.T, name string) keystore.Certificate {
	c, _ := issue(t, name)
	return c
}

// realStores are the products' own files, and true JKS as older and later versions of theirs ship it.
func realStores(t *testing.T) map[string]Store {
	t.Helper()
	stores := map[string]Store{}
	for _, name := range []string{"is-7.1.0/client-truststore.p12", "is-7.1.0/wso2carbon.p12", "apim-4.5.0/client-truststore.jks", "apim-4.5.0/wso2carbon.jks"} {
		data, err := os.ReadFile(testenv.Shared(t, "keystores", name))
		if err != nil {
			t.Fatal(err)
		}
		stores[name] = place(t, data)
	}
	return stores
}

// place puts a store's bytes into a volume of its own.
func place(t *testing.T, data []byte) Store {
	t.Helper()
	path := filepath.Join(t.TempDir(), "repository/resources/security/client-truststore.jks")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o640); err != nil {
		t.Fatal(err)
	}
	return Store{Path: path, Password: password, Setting: "TRUSTSTORE_PASS"}
}

// truststore is a small store of our own making, with two certificates of the user's.
func truststore(t *testing.T, format keystore.Format) Store {
	t.Helper()
	s, err := keystore.New(keystore.Options{Format: format, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	for _, alias := range []string{"users-ca", "wso2carbon"} {
		if err := s.SetTrusted(alias, certificate(t, alias), time.Unix(1700000000, 0)); err != nil {
			t.Fatal(err)
		}
	}
	data, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return place(t, data)
}

func workDir(s Store) string {
	return filepath.Join(strings.TrimSuffix(s.Path, "/repository/resources/security/client-truststore.jks"), file.WorkDir)
}

// entries are the store's aliases with their leaf's fingerprint.
func entries(t *testing.T, s Store) map[string]string {
	t.Helper()
	store, err := s.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, e := range store.Entries() {
		all[e.Alias] = string(e.Kind)
		if len(e.Chain) > 0 {
			all[e.Alias] += " " + e.Chain[0].Fingerprint().String()
		}
	}
	return all
}

func actions(changes []Change) (all []string) {
	for _, c := range changes {
		all = append(all, c.Action+" "+c.Alias)
	}
	slices.Sort(all)
	return all
}

func TestImportKeepsEveryOtherEntryAndASecondRunWritesNothing(t *testing.T) {
	for name, s := range realStores(t) {
		t.Run(name, func(t *testing.T) {
			before := entries(t, s)
			peer := certificate(t, "peer")
			m, changes, err := importPeers(t.Context(), s, peerCerts{"peer-server": {peer}}, "own", []string{"peer-server"}, workDir(s))
			if err != nil {
				t.Fatal(err)
			}
			if got := actions(changes); !slices.Equal(got, []string{"added peer-server"}) || m["peer-server"] != peer.Fingerprint().String() {
				t.Errorf("changes = %v, managed = %v", got, m)
			}
			after := entries(t, s)
			if after["peer-server"] != "certificate "+peer.Fingerprint().String() {
				t.Errorf("imported entry = %q", after["peer-server"])
			}
			for alias, what := range before {
				if after[alias] != what {
					t.Errorf("entry %s was %s, is %s", alias, what, after[alias])
				}
			}
			if len(after) != len(before)+1 {
				t.Errorf("%d entries before, %d after", len(before), len(after))
			}
			info, _ := os.Stat(s.Path)
			_, changes, err = importPeers(t.Context(), s, peerCerts{"peer-server": {peer}}, "own", []string{"peer-server"}, workDir(s))
			again, _ := os.Stat(s.Path)
			if err != nil || len(changes) > 0 || !os.SameFile(info, again) || !info.ModTime().Equal(again.ModTime()) {
				t.Errorf("second run: changes %v, %v; file written: %v", changes, err, !os.SameFile(info, again))
			}
			if info.Mode().Perm() != 0o640 {
				t.Errorf("mode = %v", info.Mode().Perm())
			}
		})
	}
}

func TestTheFirstOriginalIsKeptOnce(t *testing.T) {
	s := truststore(t, keystore.JKS)
	original, _ := os.ReadFile(s.Path)
	for _, name := range []string{"a", "b"} {
		if _, _, err := importPeers(t.Context(), s, peerCerts{"wso2is": {certificate(t, name)}}, "own", []string{"wso2is"}, workDir(s)); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(filepath.Join(workDir(s), "client-truststore.jks.original"))
	if err != nil || string(kept) != string(original) {
		t.Errorf("kept original differs from the first: %v", err)
	}
}

func TestImportFollowsWhatAPeerPublishesAndTouchesNobodyElsesEntries(t *testing.T) {
	for _, format := range []keystore.Format{keystore.JKS, keystore.PKCS12} {
		t.Run(string(format), func(t *testing.T) {
			s := truststore(t, format)
			old, next, foreign := certificate(t, "old"), certificate(t, "next"), certificate(t, "foreign")
			peers := []string{"wso2is", "wso2is-2"}
			do := func(p peerCerts) []string {
				t.Helper()
				_, changes, err := importPeers(t.Context(), s, p, "own", peers, workDir(s))
				if err != nil {
					t.Fatal(err)
				}
				return actions(changes)
			}
			nextAlias := "wso2is-" + next.Fingerprint().Short()
			steps := []struct {
				name  string
				peers peerCerts
				want  []string
			}{
				{"a peer appears", peerCerts{"wso2is": {old}}, []string{"added wso2is"}},
				{"it announces another certificate", peerCerts{"wso2is": {old, next}}, []string{"added " + nextAlias}},
				{"it publishes nothing", peerCerts{}, nil},
				{"another peer with a name that begins alike", peerCerts{"wso2is-2": {foreign}}, []string{"added wso2is-2"}},
				{"it switches", peerCerts{"wso2is": {next, old}}, []string{"added wso2is-" + old.Fingerprint().Short(), "removed " + nextAlias, "replaced wso2is"}},
				{"the old one leaves", peerCerts{"wso2is": {next}}, []string{"removed wso2is-" + old.Fingerprint().Short()}},
				{"the same twice in a list is one", peerCerts{"wso2is": {next, next}}, nil},
			}
			for _, step := range steps {
				slices.Sort(step.want)
				if got := do(step.peers); !slices.Equal(got, step.want) {
					t.Errorf("%s: %v, want %v", step.name, got, step.want)
				}
			}
			after := entries(t, s)
			for _, alias := range []string{"users-ca", "wso2carbon", "wso2is", "wso2is-2"} {
				if after[alias] == "" {
					t.Errorf("%s is gone: %v", alias, after)
				}
			}
			if len(after) != 4 {
				t.Errorf("entries = %v", after)
			}
		})
	}
}

func TestAnAliasThatOnlyLooksLikeTheAgentsIsTheUsers(t *testing.T) {
	s := truststore(t, keystore.JKS)
	store, _ := s.open(t.Context())
	mine := certificate(t, "users own")
	if err := store.SetTrusted("wso2is-deadbeef", mine, time.Now()); err != nil {
		t.Fatal(err)
	}
	data, _ := store.Encode()
	os.WriteFile(s.Path, data, 0o600)
	m, _, err := importPeers(t.Context(), s, peerCerts{"wso2is": {certificate(t, "is")}}, "own", []string{"wso2is"}, workDir(s))
	if err != nil || len(m) != 1 || entries(t, s)["wso2is-deadbeef"] == "" {
		t.Errorf("managed = %v, %v; entries = %v", m, err, entries(t, s))
	}
}

func TestAHandMadeEntryUnderThePeersNameIsAdoptedAndReported(t *testing.T) {
	s := truststore(t, keystore.PKCS12)
	byHand, published := certificate(t, "by hand"), certificate(t, "published")
	store, _ := s.open(t.Context())
	store.SetTrusted("wso2is", byHand, time.Now())
	data, _ := store.Encode()
	os.WriteFile(s.Path, data, 0o600)
	_, changes, err := importPeers(t.Context(), s, peerCerts{"wso2is": {published}}, "own", []string{"wso2is"}, workDir(s))
	if err != nil || len(changes) != 1 || changes[0].Action != "replaced" || changes[0].Was != byHand.Fingerprint().String() {
		t.Errorf("changes = %+v, %v", changes, err)
	}
}

func TestAPeerNamedLikeAKeyEntryIsRefusedAndNothingChanges(t *testing.T) {
	data, err := os.ReadFile(testenv.Shared(t, "keystores/is-7.1.0/wso2carbon.p12"))
	if err != nil {
		t.Fatal(err)
	}
	s := place(t, data)
	_, _, err = importPeers(t.Context(), s, peerCerts{"wso2carbon": {certificate(t, "x")}}, "own", []string{"wso2carbon"}, workDir(s))
	if !errors.Is(err, keystore.ErrAliasTaken) || !strings.Contains(err.Error(), "give the peer another name") {
		t.Errorf("error = %v", err)
	}
	assertUntouched(t, s, data)
}

func TestABadStoreIsNamedWithItsRemedyAndLeftAsItWas(t *testing.T) {
	good, err := os.ReadFile(truststore(t, keystore.PKCS12).Path)
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name     string
		data     []byte
		password string
		is       error
		says     string
	}{
		{"missing", nil, password, fs.ErrNotExist, "set CONFIG_DIR"},
		{"empty", []byte{}, password, keystore.ErrTorn, "restore the file"},
		{"truncated", good[:len(good)-100], password, keystore.ErrTorn, "restore the file"},
		{"wrong password", good, "wrong", keystore.ErrPassword, "set TRUSTSTORE_PASS or TRUSTSTORE_PASS_FILE"},
		{"no keystore", []byte("<html>404</html>"), password, keystore.ErrFormat, "keystore"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := place(t, c.data)
			if c.data == nil {
				os.Remove(s.Path)
			}
			s.Password = c.password
			_, _, err := importPeers(t.Context(), s, peerCerts{"wso2is": {certificate(t, "is")}}, "own", []string{"wso2is"}, workDir(s))
			if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), s.Path) {
				t.Errorf("error = %v", err)
			}
			if c.data != nil {
				assertUntouched(t, s, c.data)
			}
		})
	}
}

func TestAStrangersStoreIsRefusedBeforeAnythingIsWritten(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file to another user")
	}
	s := truststore(t, keystore.JKS)
	data, _ := os.ReadFile(s.Path)
	if err := os.Chown(s.Path, 10001, 10001); err != nil {
		t.Fatal(err)
	}
	_, _, err := importPeers(t.Context(), s, peerCerts{"wso2is": {certificate(t, "is")}}, "own", []string{"wso2is"}, workDir(s))
	if !errors.Is(err, file.ErrOwner) || !strings.Contains(err.Error(), `user: "10001:10001"`) {
		t.Errorf("error = %v", err)
	}
	assertUntouched(t, s, data)
	if _, err := os.Stat(workDir(s)); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a backup was written first")
	}
}

func TestOwnLeafIsTheLeafOfTheKey(t *testing.T) {
	for name, want := range map[string]string{
		"is-7.1.0/wso2carbon.p12":   "9B:F7:82:53:A0:CB:31:54:D7:F6:1E:53:A2:62:FA:E1:2C:2D:A7:E0:0C:B2:60:3E:EB:1B:D6:09:3A:F9:81:FE",
		"apim-4.5.0/wso2carbon.jks": "1E:1B:CD:EB:0A:46:47:21:50:C5:55:42:A9:CC:02:F3:94:81:E5:DD:1E:6E:A4:93:C8:2B:02:3C:BE:03:B4:4C",
	} {
		for _, alias := range []string{"", "wso2carbon"} {
			leaf, err := OwnLeaf(t.Context(), []string{"/nonexistent", testenv.Shared(t, "keystores", name)}, password, alias)
			if err != nil || leaf.Fingerprint().String() != want {
				t.Errorf("%s, alias %q: %s, %v", name, alias, leaf.Fingerprint(), err)
			}
		}
	}
	if _, err := OwnLeaf(t.Context(), []string{"/nonexistent/a", "/nonexistent/b"}, password, ""); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "/nonexistent/a or /nonexistent/b") {
		t.Errorf("no keystore anywhere: %v", err)
	}
	if _, err := OwnLeaf(t.Context(), []string{testenv.Shared(t, "keystores/is-7.1.0/wso2carbon.p12")}, password, "nobody"); err == nil || !strings.Contains(err.Error(), "KEYSTORE_ALIAS") {
		t.Errorf("an alias that is not there: %v", err)
	}
}

func TestWhatIsPublishedIsWhatThePeersRead(t *testing.T) {
	dir := t.TempDir()
	is, am := Exchange{Dir: dir, Name: "wso2is"}, Exchange{Dir: dir, Name: "wso2am"}
	if _, err := am.Certificates(t.Context(), "wso2is"); !errors.Is(err, ErrNotPublished) {
		t.Errorf("before: %v", err)
	}
	a, b := certificate(t, "a"), certificate(t, "b")
	if changed, err := is.Publish([]keystore.Certificate{a, b}); !changed || err != nil {
		t.Fatalf("Publish = %v, %v", changed, err)
	}
	if changed, err := is.Publish([]keystore.Certificate{a, b}); changed || err != nil {
		t.Errorf("publishing the same: %v, %v", changed, err)
	}
	got, err := am.Certificates(t.Context(), "wso2is")
	if err != nil || len(got) != 2 || got[0].Fingerprint() != a.Fingerprint() || got[1].Fingerprint() != b.Fingerprint() {
		t.Errorf("Certificates = %v, %v", got, err)
	}
	if _, err := is.Acknowledge(Trusts{Generation: "g", Fingerprints: []string{"F"}}); err != nil {
		t.Fatal(err)
	}
	if tr, err := am.Trusts(t.Context(), "wso2is"); err != nil || tr.Generation != "g" || len(tr.Fingerprints) != 1 {
		t.Errorf("Trusts = %+v, %v", tr, err)
	}
	if tr, err := is.Trusts(t.Context(), "wso2am"); err != nil || tr.Generation != "" {
		t.Errorf("who has not acknowledged: %+v, %v", tr, err)
	}
	if _, err := (Exchange{Dir: filepath.Join(dir, "missing"), Name: "x"}).Publish([]keystore.Certificate{a}); err == nil || !strings.Contains(err.Error(), "EXCHANGE_DIR") {
		t.Errorf("no volume: %v", err)
	}
}

func TestAnythingButPublicCertificatesIsRefused(t *testing.T) {
	c, key := issue(t, "is")
	good := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.DER}))
	der, _ := x509.MarshalPKCS8PrivateKey(key)
	private := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	cases := []struct{ name, content, says string }{
		{"empty", "", "it is empty"},
		{"half-written", good[:len(good)/2], "cut off"},
		{"a second one half-written", good + good[:100], "cut off"},
		{"a private key", private, "private key"},
		{"a private key behind a certificate", good + private, "private key"},
		{"an encrypted private key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n", "private key"},
		{"a public key", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "only certificates"},
		{"rubbish in a certificate's clothes", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "not in DER"},
		{"an HTML page", "<html></html>", "is not PEM"},
		{"a thousand certificates", strings.Repeat(good, 100), "more than 16"},
		{"more than 64 KiB", strings.Repeat(good, 200), "too large"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			os.Mkdir(filepath.Join(dir, "wso2is"), 0o755)
			os.WriteFile(filepath.Join(dir, "wso2is", "certs.pem"), []byte(tc.content), 0o644)
			_, err := Exchange{Dir: dir, Name: "wso2am"}.Certificates(t.Context(), "wso2is")
			if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), tc.says) || !strings.Contains(err.Error(), "wso2is") {
				t.Errorf("error = %v", err)
			}
		})
	}
	for _, name := range []string{"../wso2is", "", ".", "..", "a/b", ".agent"} {
		if _, err := (Exchange{Dir: t.TempDir()}).Certificates(t.Context(), name); !errors.Is(err, ErrRefused) {
			t.Errorf("name %q: %v", name, err)
		}
	}
}

func TestPinsFollowWhatTheServerAtAnAddressPublishes(t *testing.T) {
	dir := t.TempDir()
	c := certificate(t, "is")
	pins := Pins{Exchange: Exchange{Dir: dir, Name: "wso2am"}, Addresses: map[string]string{"localhost:9444": "wso2is"}, Names: []string{"wso2is", "wso2am"}}
	for _, address := range []string{"wso2is:9443", "localhost:9444"} {
		if f, peer, err := pins.Pinned(address); len(f) != 0 || !peer || err != nil {
			t.Errorf("%s before anything is published: %v, %v, %v", address, f, peer, err)
		}
	}
	if _, err := (Exchange{Dir: dir, Name: "wso2is"}).Publish([]keystore.Certificate{c}); err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"wso2is:9443", "localhost:9444"} {
		if f, peer, err := pins.Pinned(address); len(f) != 1 || f[0] != c.Fingerprint() || !peer || err != nil {
			t.Errorf("%s: %v, %v, %v", address, f, peer, err)
		}
	}
	for _, address := range []string{"login.example.com:443", "localhost:9445", "rubbish"} {
		if _, peer, err := pins.Pinned(address); peer || err != nil {
			t.Errorf("%s: peer %v, %v", address, peer, err)
		}
	}
	os.WriteFile(filepath.Join(dir, "wso2is", "certs.pem"), []byte("rubbish"), 0o644)
	if f, peer, err := pins.Pinned("wso2is:9443"); len(f) != 0 || !peer || err == nil {
		t.Errorf("rubbish published: %v, %v, %v", f, peer, err)
	}
}

func assertUntouched(t *testing.T, s Store, data []byte) {
	t.Helper()
	if got, err := os.ReadFile(s.Path); err != nil || string(got) != string(data) {
		t.Errorf("the store was changed: %v", err)
	}
}

func TestALinkOnTheExchangeVolumeLeadsTheAgentNowhere(t *testing.T) {
	c := certificate(t, "is")
	for name, link := range map[string]func(dir, victim string) error{
		"for the file": func(dir, victim string) error {
			return errors.Join(os.Mkdir(filepath.Join(dir, "wso2is"), 0o755), os.Symlink(victim, filepath.Join(dir, "wso2is", "certs.pem")))
		},
		"for the folder": func(dir, victim string) error { return os.Symlink(filepath.Dir(victim), filepath.Join(dir, "wso2is")) },
	} {
		dir, victim := t.TempDir(), filepath.Join(t.TempDir(), "certs.pem")
		if err := os.WriteFile(victim, []byte("precious"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := link(dir, victim); err != nil {
			t.Fatal(err)
		}
		_, err := (Exchange{Dir: dir, Name: "wso2is"}).Publish([]keystore.Certificate{c})
		if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "symbolic link") {
			t.Errorf("%s: %v", name, err)
		}
		if got, _ := os.ReadFile(victim); string(got) != "precious" {
			t.Errorf("%s: the file behind it was overwritten", name)
		}
	}
}
