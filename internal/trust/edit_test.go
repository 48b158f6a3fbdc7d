package trust

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/file"
	"wso2agent/internal/javacert"
	"wso2agent/internal/keystore"
	"wso2agent/internal/testenv"
)

// editorOf is what a person edits a store with, anywhere on the disk.
func editorOf(s Store) Editor { return Editor{Store: s, Waiting: func() {}} }

// onlyFile fails if anything but the store is in its folder.
func onlyFile(t *testing.T, s Store) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(s.Path))
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestAPersonsEditsLeaveNothingButTheStore(t *testing.T) {
	one, two := certificate(t, "one"), certificate(t, "two")
	for name, s := range realStores(t) {
		if strings.HasPrefix(name, "is-") {
			continue // the same format, but every step would derive keys for a while
		}
		original, err := os.ReadFile(s.Path)
		if err != nil {
			t.Fatal(err)
		}
		e := editorOf(s)
		for _, step := range []struct {
			cert    keystore.Certificate
			replace bool
			action  string
			err     error
		}{
			{one, false, "added", nil}, {one, false, "", nil}, {one, true, "", nil},
			{two, false, "", ErrExists}, {two, true, "replaced", nil},
		} {
			before, _ := os.ReadFile(s.Path)
			change, err := e.Set(t.Context(), "Peer", step.cert, step.replace)
			if !errors.Is(err, step.err) || change.Action != step.action {
				t.Errorf("%s: %q, %v; want %q, %v", name, change.Action, err, step.action, step.err)
			}
			after, _ := os.ReadFile(s.Path)
			if (step.action == "") != bytes.Equal(before, after) {
				t.Errorf("%s: %q, but the file changed: %t", name, step.action, !bytes.Equal(before, after))
			}
			onlyFile(t, s)
		}
		if removed, err := e.Delete(t.Context(), "PEER"); err != nil || removed.Fingerprint() != two.Fingerprint() {
			t.Errorf("%s: deleted %s, %v", name, removed.Fingerprint(), err)
		}
		onlyFile(t, s)
		old, err := keystore.Open(original, password)
		if err != nil {
			t.Fatal(err)
		}
		_, entries, err := s.List(t.Context())
		if err != nil || len(entries) != len(old.Entries()) {
			t.Errorf("%s: %d entries are left of %d, %v", name, len(entries), len(old.Entries()), err)
		}
	}
}

func TestRefusedEditsTouchNothing(t *testing.T) {
	store := lintStore(t, keystore.PKCS12)
	key, leaf := keyPair(t, template("server"))
	if err := store.SetKey("server", key, []keystore.Certificate{leaf}, password, lintDay()); err != nil {
		t.Fatal(err)
	}
	s := place(t, encode(t, store))
	e := editorOf(s)
	before, _ := os.ReadFile(s.Path)
	_, setKey := e.Set(t.Context(), "SERVER", certificate(t, "one"), true)
	_, deleteKey := e.Delete(t.Context(), "server")
	_, deleteNone := e.Delete(t.Context(), "nobody")
	_, noCertificate := e.Set(t.Context(), "one", keystore.Certificate{DER: []byte("text")}, true)
	for name, c := range map[string]struct{ got, want error }{
		"set the alias of a key":     {setKey, keystore.ErrAliasTaken},
		"delete a key":               {deleteKey, keystore.ErrAliasTaken},
		"delete what is not there":   {deleteNone, keystore.ErrAliasNotFound},
		"set what is no certificate": {noCertificate, javacert.ErrUnlisted},
		"set in a file that is none": {setError(t, Store{Path: filepath.Join(t.TempDir(), "none"), Named: true}), os.ErrNotExist},
		"set with another password":  {setError(t, Store{Path: torn(t), Password: "x", Setting: "TRUSTSTORE_PASS"}), keystore.ErrTorn},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("%s: %v, want %v", name, c.got, c.want)
		}
	}
	if strings.Contains(setKey.Error(), "PEERS") {
		t.Errorf("advice for an agent is given to a person: %v", setKey)
	}
	if after, _ := os.ReadFile(s.Path); !bytes.Equal(before, after) {
		t.Error("the store was changed")
	}
	onlyFile(t, s)
}

func setError(t *testing.T, s Store) error {
	_, err := editorOf(s).Set(t.Context(), "one", certificate(t, "one"), false)
	return err
}

// torn is a store that ends too early.
func torn(t *testing.T) string {
	data := encode(t, lintStore(t, keystore.PKCS12))
	return place(t, data[:len(data)-1]).Path
}

// TestAPersonWaitsForTheAgent: both take the same lock, and whoever comes second sees what the first has written.
func TestAPersonWaitsForTheAgent(t *testing.T) {
	store := lintStore(t, keystore.JKS)
	s := place(t, encode(t, store))
	work := filepath.Join(t.TempDir(), file.WorkDir)
	unlock, err := file.Lock(t.Context(), filepath.Join(work, "lock"), func() {})
	if err != nil {
		t.Fatal(err)
	}
	waited := false
	e := Editor{Store: s, WorkDir: work, Waiting: func() {
		waited = true
		trustThem(t, store, map[string]keystore.Certificate{"agent": certificate(t, "agent")})
		if _, err := file.Write(s.Path, encode(t, store), 0o600, work); err != nil {
			t.Error(err)
		}
		unlock()
	}}
	if _, err := e.Set(t.Context(), "person", certificate(t, "person"), false); err != nil || !waited {
		t.Fatalf("waited %t, %v", waited, err)
	}
	_, entries, err := s.List(t.Context())
	if err != nil || len(entries) != 2 {
		t.Errorf("%d entries, %v; want the agent's and the person's", len(entries), err)
	}
	if _, err := os.Stat(filepath.Join(work, "lock")); err != nil {
		t.Errorf("the agent's own folder was tidied up: %v", err)
	}
}

func TestPeopleAtTheSameStoreLoseNothing(t *testing.T) {
	s := place(t, encode(t, lintStore(t, keystore.JKS)))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	done := make(chan error)
	const people = 4
	for i := range people {
		c := certificate(t, "one")
		go func() {
			_, err := editorOf(s).Set(ctx, string(rune('a'+i)), c, false)
			done <- err
		}()
	}
	for range people {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	_, entries, err := s.List(ctx)
	if err != nil || len(entries) != people {
		t.Errorf("%d entries of %d, %v", len(entries), people, err)
	}
	onlyFile(t, s)
}

func TestOneCertificateIsReadAndNothingElse(t *testing.T) {
	c := certificate(t, "one")
	block := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.DER}))
	key := string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: []byte("secret")}))
	for name, f := range map[string]struct{ text, want string }{
		"one":                      {block, ""},
		"one with words around it": {"subject=CN=one\n" + block + "\n", ""},
		"two":                      {block + block, "holds 2 certificates"},
		"a key behind it":          {block + key, "holds a private key"},
		"a key":                    {key, "holds a private key"},
		"half of one":              {block[:len(block)/2], "cut off"},
		"DER":                      {string(c.DER), "openssl x509"},
		"nothing":                  {"", "is empty"},
		"a request":                {"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n", `holds a "CERTIFICATE REQUEST"`},
		"too much":                 {strings.Repeat("\n", exchangeLimit+1), "too large"},
	} {
		path := filepath.Join(t.TempDir(), "cert.pem")
		if err := os.WriteFile(path, []byte(f.text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := ReadCertificate(path)
		if f.want == "" && (err != nil || !slices.Equal(got.DER, c.DER)) {
			t.Errorf("%s: %v", name, err)
		}
		if f.want != "" && (err == nil || !strings.Contains(err.Error(), f.want) || !strings.Contains(err.Error(), path)) {
			t.Errorf("%s: %v, want %q", name, err, f.want)
		}
	}
}

// TestAStoreThatSomebodyIsWritingIsLeftAlone: what keytool writes there must not end in a file without a name.
func TestAStoreThatSomebodyIsWritingIsLeftAlone(t *testing.T) {
	testenv.NeedLeases(t)
	s := truststore(t, keystore.JKS)
	before, err := os.ReadFile(s.Path)
	if err != nil {
		t.Fatal(err)
	}
	person, err := os.OpenFile(s.Path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer person.Close()
	peers := peerCerts{"wso2is": {certificate(t, "wso2is")}}
	_, _, err = importPeers(t.Context(), s, peers, "wso2am", []string{"wso2is", "wso2am"}, workDir(s))
	if !errors.Is(err, file.ErrBeingWritten) {
		t.Errorf("an import: %v", err)
	}
	if _, err := editorOf(s).Set(t.Context(), "mine", certificate(t, "mine"), false); !errors.Is(err, file.ErrBeingWritten) {
		t.Errorf("a person's command: %v", err)
	}
	assertUntouched(t, s, before)
	if err := person.Close(); err != nil {
		t.Fatal(err)
	}
	if _, changes, err := importPeers(t.Context(), s, peers, "wso2am", []string{"wso2is", "wso2am"}, workDir(s)); err != nil || len(changes) != 1 {
		t.Errorf("afterwards: %v, %v", changes, err)
	}
}
