package trust

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"wso2agent/internal/file"
	"wso2agent/internal/keystore"
	"wso2agent/internal/testenv"
)

func TestWhatFollowsFromAStartThatFailed(t *testing.T) {
	of := func(fingerprints ...string) map[string][]string { return map[string][]string{"wso2is": fingerprints} }
	c := chain{{Digest: "found"}, {Digest: "first", Added: of("a")}, {Digest: "second", Added: of("b")}, {Digest: "third", Added: map[string][]string{"wso2is": {"c"}, "other": {"o"}}}}
	both := map[string][]string{"wso2is": {"c", "b"}, "other": {"o"}}
	for name, test := range map[string]struct {
		started, onDisk, former string
		before, after           Refusals
		want                    Verdict
	}{
		"what was imported since it last served is suspected": {"third", "third", "second", Refusals{}, Refusals{Suspected: map[string][]string{"wso2is": {"c"}, "other": {"o"}}}, Restored},
		"of several imports all":                              {"third", "third", "first", Refusals{}, Refusals{Suspected: both}, Restored},
		"what was refused before stays refused":               {"third", "third", "second", Refusals{Refused: of("x")}, Refusals{Suspected: map[string][]string{"wso2is": {"c"}, "other": {"o"}}, Refused: of("x")}, Restored},
		"a server that has served with it fails for another":  {"third", "third", "third", Refusals{}, Refusals{}, Unrelated},
		"nothing is put back for what is on disk no longer":   {"third", "other", "second", Refusals{}, Refusals{}, Unrelated},
		"a start whose truststore could not be read":          {"", "", "second", Refusals{}, Refusals{}, Unrelated},
		"somebody else's change since it last served":         {"third", "third", "unknown", Refusals{}, Refusals{}, Foreign},
		"somebody else's change since the last import":        {"edited", "edited", "second", Refusals{}, Refusals{}, Foreign},
		"the former one fails, too":                           {"second", "second", "second", Refusals{Suspected: of("c"), Refused: of("x")}, Refusals{Acquitted: of("c"), Refused: of("x")}, Acquitted},
		"the former one fails after it has served":            {"second", "second", "second", Refusals{Refused: of("c")}, Refusals{Refused: of("c")}, Unrelated},
		"what is acquitted is not suspected again":            {"second", "second", "first", Refusals{Acquitted: of("b")}, Refusals{Acquitted: of("b")}, Unrelated},
		"what is new is suspected next to what is acquitted":  {"third", "third", "first", Refusals{Acquitted: of("b")}, Refusals{Suspected: map[string][]string{"wso2is": {"c"}, "other": {"o"}}, Acquitted: of("b")}, Restored},
		"a write that added nothing":                          {"first", "first", "found", Refusals{Acquitted: of("a")}, Refusals{Acquitted: of("a")}, Unrelated},
	} {
		t.Run(name, func(t *testing.T) {
			c := c
			for len(c) > 0 && test.started != c[len(c)-1].Digest && test.want != Foreign {
				c = c[:len(c)-1]
			}
			got, after := judgeStart(test.started, test.onDisk, test.former, c, test.before)
			if got != test.want || !reflect.DeepEqual(after, test.after) {
				t.Errorf("%s, %+v; want %s, %+v", got, after, test.want, test.after)
			}
		})
	}
}

func TestTheChainEndsWhereSomebodyElseWrote(t *testing.T) {
	of := func(f string) content { return content{Digest: f, Added: map[string][]string{"p": {"added by " + f}}} }
	c := chain{}.extended("found", of("1")).extended("1", of("2"))
	if added, ok := c.since("found"); !ok || len(added["p"]) != 2 {
		t.Errorf("since the beginning: %v, %v", added, ok)
	}
	again := c.extended("1", of("3")) // the one before was restored
	if added, ok := again.since("found"); !ok || !reflect.DeepEqual(added, map[string][]string{"p": {"added by 3", "added by 1"}}) {
		t.Errorf("after one was restored: %v, %v", added, ok)
	}
	other := c.extended("edited", of("3"))
	if _, ok := other.since("2"); ok || len(other) != 2 {
		t.Errorf("what somebody else wrote could be undone: %v", other)
	}
	for range 3 * chainLength {
		c = c.extended(c[len(c)-1].Digest, of("x"+c[len(c)-1].Digest))
	}
	if len(c) != chainLength {
		t.Errorf("%d contents are remembered", len(c))
	}
}

// started is a truststore with which a server has served, and its way back.
func started(t *testing.T) (s Store, w WayBack) {
	t.Helper()
	store, err := keystore.New(keystore.Options{Format: keystore.PKCS12, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.SetTrusted("ca", certificate(t, "somebody's"), time.Now()); err != nil {
		t.Fatal(err)
	}
	data, err := store.Encode()
	if err != nil {
		t.Fatal(err)
	}
	s = place(t, data)
	w = WayBack{Path: s.Path, WorkDir: filepath.Join(filepath.Dir(s.Path), file.WorkDir)}
	w.imports(t, s, peerCerts{"wso2is": {certificate(t, "wso2is")}})
	if err := w.Served(w.Starting()); err != nil {
		t.Fatal(err)
	}
	return s, w
}

func (w WayBack) imports(t *testing.T, s Store, peers peerCerts) {
	t.Helper()
	if _, _, err := importPeers(t.Context(), s, peers, "wso2am", []string{"wso2is", "wso2am"}, w.WorkDir); err != nil {
		t.Fatal(err)
	}
}

func (w WayBack) fails(t *testing.T, want Verdict) map[string][]string {
	t.Helper()
	got, certificates, err := w.Failed(t.Context(), w.Starting())
	if got != want || err != nil {
		t.Fatalf("verdict %s, %v, want %s", got, err, want)
	}
	return certificates
}

func bytesOf(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestAFailedStartGetsTheTruststoreOfTheLastGoodOne(t *testing.T) {
	s, w := started(t)
	good := bytesOf(t, s.Path)
	if info, err := os.Stat(w.Kept()); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the copy: %v, %v", info, err)
	}
	bad := certificate(t, "bad")
	w.imports(t, s, peerCerts{"wso2is": {bad}})
	if refused := w.fails(t, Restored); !slices.Contains(refused["wso2is"], bad.Fingerprint().String()) || len(refused) != 1 || len(refused["wso2is"]) != 1 {
		t.Errorf("refused %v", refused)
	}
	if !bytes.Equal(bytesOf(t, s.Path), good) {
		t.Fatal("the truststore is not the one of the last good start, byte for byte")
	}
	r, err := LoadRefusals(w.WorkDir)
	if err != nil || !r.refuses("wso2is", bad) || r.refuses("wso2am", bad) {
		t.Errorf("%+v, %v", r, err)
	}
	// It serves with the former one: what was suspected is the reason, and a crash later changes nothing about that.
	if err := w.Served(w.Starting()); err != nil {
		t.Fatal(err)
	}
	w.fails(t, Unrelated)
	if r, _ := LoadRefusals(w.WorkDir); !r.refuses("wso2is", bad) || len(r.Suspected) != 0 {
		t.Errorf("after it has served: %+v", r)
	}
	// Until the peer publishes another one: rotation forgets the refusal.
	if err := (Refusals{}).Save(w.WorkDir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(RefusalsPath(w.WorkDir)); err == nil {
		t.Error("no refusal leaves a file")
	}
}

func TestWhatWasNotTheReasonIsImportedAgain(t *testing.T) {
	s, w := started(t)
	next := certificate(t, "next")
	w.imports(t, s, peerCerts{"wso2is": {next}})
	w.fails(t, Restored)
	if acquitted := w.fails(t, Acquitted); !slices.Contains(acquitted["wso2is"], next.Fingerprint().String()) {
		t.Errorf("acquitted %v", acquitted)
	}
	if r, err := LoadRefusals(w.WorkDir); err != nil || r.refuses("wso2is", next) {
		t.Errorf("%+v, %v", r, err)
	}
	w.imports(t, s, peerCerts{"wso2is": {next}})
	w.fails(t, Unrelated) // and is not put back in turns
	if err := w.Served(w.Starting()); err != nil {
		t.Fatal(err)
	}
	if r, err := LoadRefusals(w.WorkDir); err != nil || len(r.Acquitted) != 0 {
		t.Errorf("after it has served: %+v, %v", r, err)
	}
}

func TestAnotherPersonsChangeIsNeverTakenBack(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, s Store, w WayBack){
		"before the import": func(t *testing.T, s Store, w WayBack) {
			edits(t, s, w)
			w.imports(t, s, peerCerts{"wso2is": {certificate(t, "bad")}})
		},
		"after it": func(t *testing.T, s Store, w WayBack) {
			w.imports(t, s, peerCerts{"wso2is": {certificate(t, "bad")}})
			edits(t, s, w)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, w := started(t)
			change(t, s, w)
			before := bytesOf(t, s.Path)
			w.fails(t, Foreign)
			if !bytes.Equal(bytesOf(t, s.Path), before) {
				t.Error("the truststore was changed")
			}
			if r, err := LoadRefusals(w.WorkDir); err != nil || len(r.Suspected) != 0 {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
}

func TestATruststoreThatSomebodyIsWritingIsNotTakenBack(t *testing.T) {
	testenv.NeedLeases(t)
	s, w := started(t)
	w.imports(t, s, peerCerts{"wso2is": {certificate(t, "bad")}})
	before := bytesOf(t, s.Path)
	f, err := os.OpenFile(s.Path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, _, err := w.Failed(t.Context(), w.Starting()); !errors.Is(err, file.ErrBeingWritten) {
		t.Errorf("error = %v", err)
	}
	if !bytes.Equal(bytesOf(t, s.Path), before) {
		t.Error("the truststore was changed")
	}
	if r, err := LoadRefusals(w.WorkDir); err != nil || len(r.Suspected) != 0 {
		t.Errorf("what is still trusted is suspected: %+v, %v", r, err)
	}
}

// A kill comes after the certificate is suspected, and before the former truststore is back. The next start succeeds with it.
func TestWhatTheServerServesWithIsNotRefused(t *testing.T) {
	s, w := started(t)
	suspected, gone := certificate(t, "suspected"), certificate(t, "gone")
	w.imports(t, s, peerCerts{"wso2is": {suspected}})
	of := func(c keystore.Certificate) string { return c.Fingerprint().String() }
	if err := (Refusals{Suspected: map[string][]string{"wso2is": {of(suspected), of(gone)}}}).Save(w.WorkDir); err != nil {
		t.Fatal(err)
	}
	if err := w.Served(w.Starting()); err != nil {
		t.Fatal(err)
	}
	if r, err := LoadRefusals(w.WorkDir); err != nil || r.refuses("wso2is", suspected) || !r.refuses("wso2is", gone) || r.open() {
		t.Errorf("%+v, %v", r, err)
	}
	if !bytes.Equal(bytesOf(t, w.Kept()), bytesOf(t, s.Path)) {
		t.Error("the truststore is not kept")
	}
}

// refuses reports whether a certificate of the named peer is not to be imported.
func (r Refusals) refuses(name string, c keystore.Certificate) bool {
	f := c.Fingerprint().String()
	return slices.Contains(r.Suspected[name], f) || slices.Contains(r.Refused[name], f)
}

// edits is what a person does with agent certs import.
func edits(t *testing.T, s Store, w WayBack) {
	t.Helper()
	if _, err := (Editor{Store: s, WorkDir: w.WorkDir, Waiting: func() {}}).Set(t.Context(), "by-hand", certificate(t, "by hand"), false); err != nil {
		t.Fatal(err)
	}
}

func TestThereIsNoWayBackBeforeAGoodStart(t *testing.T) {
	s := place(t, bytesOf(t, func() string { s, _ := started(t); return s.Path }()))
	w := WayBack{Path: s.Path, WorkDir: filepath.Join(filepath.Dir(s.Path), file.WorkDir)}
	w.imports(t, s, peerCerts{"wso2is": {certificate(t, "first")}})
	before := bytesOf(t, s.Path)
	w.fails(t, Unrelated)
	if !bytes.Equal(bytesOf(t, s.Path), before) {
		t.Error("the truststore was changed")
	}
}

func TestATruststoreThatChangedDuringTheStartIsNotKept(t *testing.T) {
	s, w := started(t)
	kept := bytesOf(t, w.Kept())
	start := w.Starting()
	w.imports(t, s, peerCerts{"wso2is": {certificate(t, "next")}})
	if err := w.Served(start); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(bytesOf(t, w.Kept()), kept) {
		t.Error("a truststore that no server has served with is kept as a good one")
	}
}

func TestNoAgentWaitsForAnOrdinaryStart(t *testing.T) {
	_, w := started(t)
	unlock, ok, err := file.TryLock(w.lock())
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	defer unlock()
	if err := w.Served(w.Starting()); err != nil {
		t.Errorf("an ordinary start while an agent holds the lock: %v", err)
	}
	if err := (Refusals{Suspected: map[string][]string{"wso2is": {"x"}}}).Save(w.WorkDir); err != nil {
		t.Fatal(err)
	}
	if err := w.Served(w.Starting()); !errors.Is(err, ErrBusy) {
		t.Errorf("with something to decide: %v", err)
	}
}
