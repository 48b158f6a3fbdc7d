package trust

import (
	"bytes"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"wso2agent/internal/javacert"
	"wso2agent/internal/keystore"
)

func prints(certs []keystore.Certificate) (all []string) {
	for _, c := range certs {
		all = append(all, c.Fingerprint().String())
	}
	return all
}

// inUse publishes one certificate for wso2is, as its agent does.
func inUse(t *testing.T) (e Exchange, leaf keystore.Certificate) {
	t.Helper()
	e, leaf = Exchange{Dir: t.TempDir(), Name: "wso2is"}, certificate(t, "wso2is")
	if _, err := e.Publish([]keystore.Certificate{leaf}); err != nil {
		t.Fatal(err)
	}
	return e, leaf
}

func TestSuccessorsArePublishedApartFromTheCertificates(t *testing.T) {
	is, leaf := inUse(t)
	am := Exchange{Dir: is.Dir, Name: "wso2am"}
	path := filepath.Join(is.Dir, "wso2is", "successors.pem")
	next := []keystore.Certificate{certificate(t, "wso2is"), certificate(t, "wso2is")}
	for n, c := range []struct {
		certs   []keystore.Certificate
		changed bool
	}{{nil, false}, {next, true}, {next, false}, {next[1:], true}, {nil, true}, {nil, false}} {
		if changed, err := is.PublishSuccessors(c.certs); changed != c.changed || err != nil {
			t.Errorf("step %d: changed %v, %v", n, changed, err)
		}
		s := am.Statement(t.Context(), "wso2is")
		if !slices.Equal(prints(s.Successors), prints(c.certs)) || s.SuccessorsErr != nil {
			t.Errorf("step %d: a peer reads %v, %v", n, prints(s.Successors), s.SuccessorsErr)
		}
		if !slices.Equal(prints(s.Certificates), prints([]keystore.Certificate{leaf})) || s.Err != nil {
			t.Errorf("step %d: the certificates are %v, %v", n, prints(s.Certificates), s.Err)
		}
		if _, err := os.Stat(path); (err == nil) != (len(c.certs) > 0) {
			t.Errorf("step %d: the file: %v", n, err)
		}
	}
	if !slices.Contains(am.Files("wso2is"), path) {
		t.Errorf("%s is not watched: %v", path, am.Files("wso2is"))
	}
}

func TestALookKeepsTheSuccessorsThatItHasSeen(t *testing.T) {
	is, _ := inUse(t)
	am := Exchange{Dir: is.Dir, Name: "wso2am"}
	next := []keystore.Certificate{certificate(t, "wso2is")}
	if _, err := is.PublishSuccessors(next); err != nil {
		t.Fatal(err)
	}
	seen := am.Look(t.Context(), "wso2is")
	if _, err := is.PublishSuccessors(nil); err != nil {
		t.Fatal(err)
	}
	if got, err := seen.Successors(t.Context(), "wso2is"); !slices.Equal(prints(got), prints(next)) || err != nil {
		t.Errorf("the look has %v, %v", prints(got), err)
	}
	if got, err := am.Successors(t.Context(), "wso2is"); len(got) != 0 || err != nil {
		t.Errorf("the volume has %v, %v", prints(got), err)
	}
}

func TestALookIsCurrentUntilAFileIsAnother(t *testing.T) {
	is, _ := inUse(t)
	am := Exchange{Dir: is.Dir, Name: "wso2am"}
	first, second := []keystore.Certificate{certificate(t, "wso2is")}, []keystore.Certificate{certificate(t, "wso2is")}
	for _, c := range []struct {
		name    string
		change  func() error
		current bool
	}{
		{"nothing", func() error { return nil }, true},
		{"a file more", func() error { _, err := is.PublishSuccessors(first); return err }, false},
		{"the same again", func() error { _, err := is.PublishSuccessors(first); return err }, true},
		{"something else", func() error { _, err := is.PublishSuccessors(second); return err }, false},
		{"a file less", func() error { _, err := is.PublishSuccessors(nil); return err }, false},
		{"an unknown file", func() error { return os.WriteFile(filepath.Join(is.Dir, "wso2is", "note"), nil, 0o644) }, true},
		{"no folder", func() error { return os.RemoveAll(filepath.Join(is.Dir, "wso2is")) }, false},
	} {
		look := am.Look(t.Context(), "wso2is")
		if err := c.change(); err != nil {
			t.Fatal(err)
		}
		if look.Current() != c.current {
			t.Errorf("after %s: current is %v", c.name, !c.current)
		}
	}
}

func TestSuccessorsThatPeersWouldRefuseAreNotPublished(t *testing.T) {
	is, _ := inUse(t)
	many := slices.Repeat([]keystore.Certificate{certificate(t, "wso2is")}, MaxCertificates+1)
	long := template("wso2is")
	for range 100 {
		long.DNSNames = append(long.DNSNames, strings.Repeat("a", 60)+"."+strings.Repeat("b", 60)+"."+strings.Repeat("c", 60)+"."+strings.Repeat("d", 60))
	}
	for name, c := range map[string]struct {
		certs []keystore.Certificate
		want  string
	}{
		"too many":              {many, "lower TLS_SUCCESSORS"},
		"too long":              {slices.Repeat([]keystore.Certificate{self(t, long)}, 3), "lower TLS_SUCCESSORS"},
		"one that Java refuses": {[]keystore.Certificate{nameless(t)}, "its issuer has no name"},
	} {
		if changed, err := is.PublishSuccessors(c.certs); changed || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: changed %v, %v", name, changed, err)
		}
	}
	if _, err := os.Stat(filepath.Join(is.Dir, "wso2is", successorsFile)); err == nil {
		t.Error("published anyway")
	}
}

func TestWhatIsWrongWithSuccessorsDoesNotTouchTheCertificates(t *testing.T) {
	good := certificate(t, "wso2is")
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("secret")})
	many := bytes.Repeat(certPEM(good.DER), MaxCertificates+1)
	outside := filepath.Join(t.TempDir(), "outside.pem")
	if err := os.WriteFile(outside, certPEM(good.DER), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		make func(path string) error
		is   error // that the error wraps, if there is one to name
		want string
	}{
		"a private key":            {fileOf(append(certPEM(good.DER), key...)), ErrRefused, "remove the file and replace that key"},
		"too many certificates":    {fileOf(many), ErrRefused, "16"},
		"over 64 KiB":              {fileOf(bytes.Repeat([]byte("\n"), exchangeLimit+1)), ErrRefused, "65536"},
		"refused by Java":          {fileOf(certPEM(good.DER), certPEM(nameless(t).DER)), javacert.ErrRefused, "its issuer has no name"},
		"rubbish":                  {fileOf([]byte("rubbish")), ErrRefused, "not PEM"},
		"half a file":              {fileOf(certPEM(good.DER)[:200]), ErrRefused, ""},
		"nothing":                  {fileOf(nil), ErrRefused, ""},
		"a long label":             {fileOf(pem.EncodeToMemory(&pem.Block{Type: strings.Repeat("A", 30_000), Bytes: []byte("x")})), ErrRefused, ""},
		"a link out of the folder": {func(path string) error { return os.Symlink(outside, path) }, nil, "escapes"},
		"a folder":                 {func(path string) error { return os.Mkdir(path, 0o755) }, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			is, leaf := inUse(t)
			am := Exchange{Dir: is.Dir, Name: "wso2am"}
			if err := c.make(filepath.Join(is.Dir, "wso2is", successorsFile)); err != nil {
				t.Fatal(err)
			}
			for how, e := range map[string]Exchange{"read": am, "looked at": am.Look(t.Context(), "wso2is")} {
				s := e.Statement(t.Context(), "wso2is")
				if s.SuccessorsErr == nil || s.Successors != nil || c.is != nil && !errors.Is(s.SuccessorsErr, c.is) || !strings.Contains(s.SuccessorsErr.Error(), c.want) {
					t.Errorf("%s: %v, %v; want %q", how, s.Successors, s.SuccessorsErr, c.want)
				}
				if s.SuccessorsErr != nil && len(s.SuccessorsErr.Error()) > 1000 {
					t.Errorf("%s: an error of %d bytes", how, len(s.SuccessorsErr.Error()))
				}
				believed, _, err := s.Believed(nil, false)
				if !slices.Equal(prints(believed), prints([]keystore.Certificate{leaf})) || err != nil {
					t.Errorf("%s: believed are %v, %v", how, prints(believed), err)
				}
			}
			pins := Pins{Exchange: am, Names: []string{"wso2is"}}
			if got, peer, err := pins.Pinned("wso2is:9443"); !slices.Equal(got, []keystore.Fingerprint{leaf.Fingerprint()}) || !peer || err != nil {
				t.Errorf("the agent's own connections accept %v, %v", got, err)
			}
		})
	}
}

// fileOf writes the contents one after the other.
func fileOf(contents ...[]byte) func(path string) error {
	return func(path string) error { return os.WriteFile(path, slices.Concat(contents...), 0o644) }
}

func TestSuccessorsAreBelievedAsFarAsPinsAllow(t *testing.T) {
	root := newCA(t, "root")
	a, b := certificate(t, "wso2is"), certificate(t, "wso2is")
	list := func(certs ...keystore.Certificate) []keystore.Certificate { return certs }
	pin := func(c keystore.Certificate) PeerPins { return PeerPins{"wso2is": {c.Fingerprint()}} }
	for name, c := range map[string]struct {
		s    Statement
		pins PeerPins
		asCA bool
		want []keystore.Certificate
	}{
		"none":                           {Statement{}, nil, false, nil},
		"two":                            {Statement{Successors: list(a, b)}, nil, false, list(a, b)},
		"of a peer without certificates": {Statement{Err: ErrNotPublished, Successors: list(a)}, nil, false, list(a)},
		"a CA among them":                {Statement{Successors: list(root.own, a)}, nil, false, list(a)},
		"a pinned CA among them":         {Statement{Successors: list(root.own, a)}, pin(root.own), false, list(root.own)},
		"one is pinned":                  {Statement{Successors: list(a, b)}, pin(b), false, list(b)},
		"none is pinned":                 {Statement{Successors: list(a, b)}, pin(root.own), false, nil},
		"pins of another peer":           {Statement{Successors: list(a)}, PeerPins{"other": {b.Fingerprint()}}, false, list(a)},
		"TRUST=leaf and a CA":            {Statement{Successors: list(a), CA: &root.own}, nil, false, list(a)},
		"TRUST=ca and a CA":              {Statement{Successors: list(a), CA: &root.own}, nil, true, nil},
		"TRUST=ca and a pinned CA":       {Statement{Successors: list(a), CA: &root.own}, pin(root.own), true, nil},
		"TRUST=ca and a CA that is not one of the pins": {Statement{Successors: list(a, b), CA: &root.own}, pin(a), true, list(a)},
		"TRUST=ca and no CA":                            {Statement{Successors: list(a)}, nil, true, list(a)},
		"TRUST=ca and a CA as a successor":              {Statement{Successors: list(root.own)}, nil, true, nil},
	} {
		c.s.Name = "wso2is"
		if got := c.s.BelievedSuccessors(c.pins, c.asCA); !slices.Equal(prints(got), prints(c.want)) {
			t.Errorf("%s: %v, want %v", name, prints(got), prints(c.want))
		}
	}
}

func TestTheAgentsOwnConnectionsAcceptWhatAPeerMaySwitchTo(t *testing.T) {
	is, leaf := inUse(t)
	next, later := certificate(t, "wso2is"), certificate(t, "wso2is")
	root := newCA(t, "root")
	if _, err := is.PublishSuccessors([]keystore.Certificate{next, later, root.own}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		pins PeerPins
		want []keystore.Certificate
	}{
		"without pins":                          {nil, []keystore.Certificate{leaf, next, later}},
		"one successor is pinned too":           {PeerPins{"wso2is": {leaf.Fingerprint(), later.Fingerprint()}}, []keystore.Certificate{leaf, later}},
		"only the certificate in use is pinned": {PeerPins{"wso2is": {leaf.Fingerprint()}}, []keystore.Certificate{leaf}},
	} {
		pins := Pins{Exchange: Exchange{Dir: is.Dir, Name: "wso2am"}, Names: []string{"wso2is"}, Peers: c.pins}
		got, peer, err := pins.Pinned("wso2is:9443")
		var want []keystore.Fingerprint
		for _, cert := range c.want {
			want = append(want, cert.Fingerprint())
		}
		if !slices.Equal(got, want) || !peer || err != nil {
			t.Errorf("%s: %v, %v; want %v", name, got, err, want)
		}
	}
}

// TestNoReaderMissesTheCertificateThatIsAboutToBeUsed: its owner publishes it among the certificates, and then removes it from the
// successors. The reader has to wait for a successors.pem that is not complete, so it reads the files before and after that.
func TestNoReaderMissesTheCertificateThatIsAboutToBeUsed(t *testing.T) {
	all := func(s Statement) []string { return append(prints(s.Certificates), prints(s.Successors)...) }
	for name, read := range map[string]func(*testing.T, Exchange) []string{
		"a statement": func(t *testing.T, e Exchange) []string { return all(e.Statement(t.Context(), "wso2is")) },
		"a look": func(t *testing.T, e Exchange) []string {
			return all(e.Look(t.Context(), "wso2is").Statement(t.Context(), "wso2is"))
		},
		"a connection": func(t *testing.T, e Exchange) (found []string) {
			pinned, _, _ := Pins{Exchange: e, Names: []string{"wso2is"}}.Pinned("wso2is:9443")
			for _, f := range pinned {
				found = append(found, f.String())
			}
			return found
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				is, leaf := inUse(t)
				next := certificate(t, "wso2is")
				if err := os.WriteFile(filepath.Join(is.Dir, "wso2is", successorsFile), certPEM(next.DER)[:200], 0o644); err != nil {
					t.Fatal(err)
				}
				time.AfterFunc(100*time.Millisecond, func() {
					_, ahead := is.PublishSuccessors([]keystore.Certificate{leaf, next})
					_, published := is.Publish([]keystore.Certificate{leaf, next})
					if err := errors.Join(ahead, published); err != nil {
						t.Error(err)
					}
				})
				if found := read(t, Exchange{Dir: is.Dir, Name: "wso2am"}); !slices.Contains(found, next.Fingerprint().String()) {
					t.Errorf("it finds %v, and not %s", found, next.Fingerprint())
				}
			})
		})
	}
}
