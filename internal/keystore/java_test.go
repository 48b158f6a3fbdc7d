package keystore

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// javaViews lists many stores in one run of Java, which also makes every private key sign for its certificate.
func javaViews(t *testing.T, password string, files ...string) map[string]view {
	t.Helper()
	return javaViewsBy(t, "java", password, files...)
}

// javaViewsBy is javaViews with one of several JDKs.
func javaViewsBy(t *testing.T, java, password string, files ...string) map[string]view {
	t.Helper()
	out := run(t, java, append([]string{"testdata/Stores.java", "list", password}, files...)...)
	views := make(map[string]view)
	for line := range strings.Lines(out) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(fields) != 3 {
			t.Fatalf("Java printed %q", line)
		}
		if views[fields[0]] == nil {
			views[fields[0]] = make(view)
		}
		views[fields[0]][fields[1]] = fields[2]
	}
	return views
}

// mixedStore has two keys, one with a chain, and trusted certificates, one under a name beyond ASCII.
func mixedStore(t *testing.T, o Options) *Store {
	t.Helper()
	root := newIdentity(t, "root", nil)
	leaf, other := newIdentity(t, "localhost", &root), newIdentity(t, "other", nil)
	s := mustNew(t, o)
	if err := s.SetKey("server", leaf.key, []Certificate{leaf.certificate(), root.certificate()}, o.Password, testTime()); err != nil {
		t.Fatal(err)
	}
	if err := s.SetKey("other", other.key, []Certificate{other.certificate()}, o.Password, testTime()); err != nil {
		t.Fatal(err)
	}
	mustSet(t, s, "root", root.certificate())
	mustSet(t, s, "größe-日本-𝄞", newIdentity(t, "wide", nil).certificate())
	mustSet(t, s, "doomed", newIdentity(t, "doomed", nil).certificate())
	mustSet(t, s, "stale", newIdentity(t, "stale", nil).certificate())
	return s
}

// TestEveryCombinationThatJavaWritesSurvivesAnEdit has Java write a store in each of its ciphers and MACs, edits it,
// and has Java list the result.
func TestEveryCombinationThatJavaWritesSurvivesAnEdit(t *testing.T) {
	const password = "changeit"
	base := mixedStore(t, Options{Format: PKCS12, Password: password})
	want := viewOf(base.Entries())
	want["secret"] = string(SecretKey)
	dir := t.TempDir()
	run(t, "java", "testdata/Stores.java", "make", write(t, "base", mustEncode(t, base)), dir, password)

	made, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(made) != 14*8 {
		t.Fatalf("Java made %d stores, %v", len(made), err)
	}
	added, replacing := newIdentity(t, "added", nil).certificate(), newIdentity(t, "replacing", nil).certificate()
	for _, file := range made {
		data := readFile(t, file)
		name := filepath.Base(file)
		s, err := Open(data, password)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if d := diff(want, viewOf(s.Entries())); d != "" {
			t.Errorf("%s:\n%s", name, d)
		}
		for _, alias := range []string{"server", "other"} {
			if key, err := s.PrivateKey(alias, password); err != nil || key == nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		mustSet(t, s, "added", added)
		mustSet(t, s, "stale", replacing)
		if err := s.Delete("doomed"); err != nil {
			t.Fatal(err)
		}
		edited := mustEncode(t, s)
		checkUntouched(t, data, edited, password, "added", "stale", "doomed")
		if err := os.WriteFile(file, edited, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want = want.with("added", TrustedCertificate, added).with("stale", TrustedCertificate, replacing).without("doomed")
	views := javaViews(t, password, made...)
	for _, file := range made {
		if d := diff(want, views[file]); d != "" {
			t.Errorf("%s, as Java sees it after the edit:\n%s", filepath.Base(file), d)
		}
	}
}

// newStores are the shapes in which New makes stores, among them those of the two products.
func newStores(password string) map[string]Options {
	return map[string]Options{
		"JKS":          {Format: JKS, Password: password},
		"Java 17":      {Format: PKCS12, Password: password},
		"IS 7.1.0":     {Format: PKCS12, Password: password, MAC: MACSHA1, MACRounds: 100_000, Certificates: RC2With40, CertificateRounds: 50_000},
		"API-M 4.5.0":  {Format: PKCS12, Password: password, MAC: NoMAC, Certificates: Clear},
		"3DES SHA-384": {Format: PKCS12, Password: password, MAC: MACSHA384, Certificates: TripleDES},
		"SHA-512":      {Format: PKCS12, Password: password, MAC: MACSHA512, MACRounds: 1, KeyRounds: 1, CertificateRounds: 1},
	}
}

func TestJavaUsesNewStoresOfEveryShape(t *testing.T) {
	const password = "changeit"
	var files []string
	want := make(map[string]view)
	for name, o := range newStores(password) {
		s := mixedStore(t, o)
		file := write(t, strings.ReplaceAll(name, " ", "_"), mustEncode(t, s))
		files, want[file] = append(files, file), viewOf(s.Entries())
		if d := diff(want[file], viewOf(mustOpen(t, mustEncode(t, s), password).Entries())); d != "" {
			t.Errorf("%s, opened again:\n%s", name, d)
		}
	}
	views := javaViews(t, password, files...)
	for _, file := range files {
		if d := diff(want[file], views[file]); d != "" {
			t.Errorf("%s, as Java sees it:\n%s", filepath.Base(file), d)
		}
	}
	out := run(t, "java", append([]string{"testdata/Stores.java", "handshake", password}, files...)...)
	for _, file := range files {
		if !strings.Contains(out, file+"\t42\n") {
			t.Errorf("no TLS handshake with %s", filepath.Base(file))
		}
	}
}

func TestANewStoreWithoutEntriesIsRead(t *testing.T) {
	var files []string
	for name, o := range newStores("changeit") {
		data := mustEncode(t, mustNew(t, o))
		if s := mustOpen(t, data, "changeit"); len(s.Entries()) != 0 || s.Format() != o.Format {
			t.Errorf("%s: %s with %d entries", name, s.Format(), len(s.Entries()))
		}
		files = append(files, write(t, "store", data))
	}
	if views := javaViews(t, "changeit", files...); len(views) != 0 {
		t.Errorf("Java sees %v", views)
	}
}

func TestDeletingTheLastEntryKeepsTheProtection(t *testing.T) {
	for name, o := range newStores("changeit") {
		s := mustNew(t, o)
		mustSet(t, s, "only", newIdentity(t, "only", nil).certificate())
		s = mustOpen(t, mustEncode(t, s), "changeit")
		if err := s.Delete("only"); err != nil {
			t.Fatal(err)
		}
		s = mustOpen(t, mustEncode(t, s), "changeit")
		mustSet(t, s, "next", newIdentity(t, "next", nil).certificate())
		p, ok := mustOpen(t, mustEncode(t, s), "changeit").codec.(*pkcs12)
		if ok && (len(p.safes) != 1 || (p.safes[0].scheme == nil) != (o.Certificates == Clear)) {
			t.Errorf("%s: %d safes", name, len(p.safes))
		}
	}
}
