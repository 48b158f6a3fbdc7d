package identity

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"wso2agent/internal/keystore"
	"wso2agent/internal/remedy"
)

// ahead issues the identity for a turn.
func ahead(t testing.TB, s Spec, turn int) Identity {
	t.Helper()
	s.Names = []string{"wso2am"}
	id, err := Issue(s, day(), turn)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// fingerprints are those of the successors, in their order.
func fingerprints(ids []*Identity) (all []string) {
	for _, i := range ids {
		all = append(all, i.Leaf().Fingerprint().String())
	}
	return all
}

func TestASuccessorIsValidAtOnceAndForItsTurn(t *testing.T) {
	year := 365 * 24 * time.Hour
	dying := newCA(t, "dying", nil, func(c *x509.Certificate) { c.NotAfter = day().AddDate(2, 0, 0) })
	for name, c := range map[string]struct {
		spec Spec
		turn int
		end  time.Time
	}{
		"the certificate in use":        {Spec{}, 0, day().Add(year)},
		"the next one":                  {Spec{}, 1, day().Add(2 * year)},
		"the one after it":              {Spec{}, 2, day().Add(3 * year)},
		"a short life":                  {Spec{Validity: time.Hour}, 3, day().Add(4 * time.Hour)},
		"longer than a Duration":        {Spec{Validity: 100 * year}, 3, day().Add(100 * year).Add(100 * year).Add(100 * year).Add(100 * year)},
		"no longer than its CA":         {dying.spec(t), 3, day().AddDate(2, 0, 0)},
		"within the life of its own CA": {Spec{CA: dying.spec(t).CA, Validity: time.Hour}, 1, day().Add(2 * time.Hour)},
	} {
		c.spec.RenewBefore = 30 * 24 * time.Hour
		id := ahead(t, c.spec, c.turn)
		got := id.Certificate()
		if !got.NotAfter.Equal(c.end) || !got.NotBefore.Equal(day().Add(-skew)) {
			t.Errorf("%s: from %s to %s, want %s", name, got.NotBefore, got.NotAfter, c.end)
		}
		if want := got.NotAfter.Add(-c.spec.RenewBefore); c.end.Sub(day()) >= year && !id.RenewAt(c.spec.RenewBefore).Equal(want) {
			t.Errorf("%s: renewed at %s, want %s", name, id.RenewAt(c.spec.RenewBefore), want)
		}
	}
	if _, err := Issue(Spec{}, day(), 1); err == nil || !strings.HasPrefix(err.Error(), "issue a TLS certificate: it has no name") {
		t.Errorf("without a name: %v", err)
	}
}

func TestThePoolHoldsSuccessorsUntilTheyAreStagedOrDropped(t *testing.T) {
	f := newFiles(t)
	first, second, third := ahead(t, Spec{}, 1), ahead(t, Spec{}, 2), ahead(t, Spec{}, 3)
	for range 2 {
		for _, i := range []Identity{third, first, second} {
			if err := f.AddSuccessor(i); err != nil {
				t.Fatal(err)
			}
		}
	}
	h := mustRead(t, f)
	if want := fingerprints([]*Identity{&first, &second, &third}); !slices.Equal(fingerprints(h.Successors), want) || h.SuccessorsErr != nil {
		t.Errorf("the pool has %v, %v; want %v", fingerprints(h.Successors), h.SuccessorsErr, want)
	}
	if h.Staged != nil || h.Installed != nil {
		t.Errorf("a successor is in use: %+v", h)
	}
	path := filepath.Join(f.WorkDir, "identity", "successors", first.Leaf().Fingerprint().Short()+".p12")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the keystore: %v, %v", info, err)
	}
	if info, err := os.Stat(filepath.Dir(path)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder: %v, %v", info, err)
	}
	before := content(t, path)
	if err := f.AddSuccessor(first); err != nil || !bytes.Equal(content(t, path), before) {
		t.Errorf("added again: %v, or written anew", err)
	}
	if err := f.Request(day(), false); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := f.StageSuccessor(first); err != nil {
			t.Fatal(err)
		}
	}
	h = mustRead(t, f)
	if !Same(h.Staged, &first) || len(h.Successors) != 2 || h.Requested {
		t.Errorf("after it was staged: %+v", h)
	}
	for range 2 {
		if err := f.DropSuccessor(second); err != nil {
			t.Fatal(err)
		}
	}
	if h = mustRead(t, f); !slices.Equal(fingerprints(h.Successors), fingerprints([]*Identity{&third})) {
		t.Errorf("after one was dropped: %v", fingerprints(h.Successors))
	}
}

func TestASuccessorThatIsStagedAndInThePoolIsRemovedFromThePool(t *testing.T) {
	f := newFiles(t)
	i := ahead(t, Spec{}, 1)
	if err := errors.Join(f.AddSuccessor(i), f.Stage(i)); err != nil { // as after a kill in StageSuccessor
		t.Fatal(err)
	}
	h := mustRead(t, f)
	if !Same(h.Staged, &i) || len(h.Successors) != 1 || !Same(h.Successors[0], &i) {
		t.Errorf("in both places: %+v", h)
	}
	staged := content(t, f.staged())
	if err := f.StageSuccessor(i); err != nil {
		t.Fatal(err)
	}
	if h = mustRead(t, f); !Same(h.Staged, &i) || len(h.Successors) != 0 || !bytes.Equal(content(t, f.staged()), staged) {
		t.Errorf("staged again: %+v", h)
	}
}

func TestWhatCannotBeReadOfThePoolIsNamedAndPutAside(t *testing.T) {
	f := newFiles(t)
	good, misplaced := ahead(t, Spec{}, 1), ahead(t, Spec{}, 1)
	theirs := f
	theirs.Password = "another"
	foreign := ahead(t, Spec{}, 1)
	at := func(name string) string { return filepath.Join(f.pool(), name) }
	if err := errors.Join(f.AddSuccessor(good), theirs.AddSuccessor(foreign), f.AddSuccessor(misplaced), os.Rename(f.successor(misplaced), at("other.p12")),
		os.WriteFile(at("damaged.p12"), []byte("rubbish"), 0o600), os.Symlink("damaged.p12", at("link.p12")), os.Mkdir(at("folder.p12"), 0o700), os.WriteFile(at("notes.txt"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	bad := []string{f.successor(foreign), at("damaged.p12"), at("link.p12"), at("other.p12")}
	for round := range 2 {
		h := mustRead(t, f)
		if len(h.Successors) != 1 || !Same(h.Successors[0], &good) {
			t.Errorf("the pool has %v", fingerprints(h.Successors))
		}
		if !errors.Is(h.SuccessorsErr, keystore.ErrPassword) || !errors.Is(h.SuccessorsErr, keystore.ErrFormat) {
			t.Errorf("the errors: %v", h.SuccessorsErr)
		}
		for _, path := range bad {
			if !strings.Contains(h.SuccessorsErr.Error(), path) {
				t.Errorf("%v does not name %s", h.SuccessorsErr, path)
			}
		}
		damaged := content(t, at("damaged.p12"))
		moved, err := f.PutAsideSuccessors(t.Context())
		if err != nil || len(moved) != len(bad) {
			t.Fatalf("put aside: %v, %v", moved, err)
		}
		if to := moved[slices.IndexFunc(moved, func(m string) bool { return strings.Contains(m, "damaged") })]; !bytes.Equal(content(t, to), damaged) {
			t.Errorf("%s has other bytes", to)
		}
		if h = mustRead(t, f); len(h.Successors) != 1 || h.SuccessorsErr != nil {
			t.Errorf("afterwards: %v, %v", fingerprints(h.Successors), h.SuccessorsErr)
		}
		if again, err := f.PutAsideSuccessors(t.Context()); len(again) > 0 || err != nil {
			t.Errorf("put aside again: %v, %v", again, err)
		}
		left, err := os.ReadDir(filepath.Join(f.WorkDir, "identity", "unreadable"))
		if err != nil || len(left) != len(bad)*(round+1) {
			t.Errorf("round %d: %d files are kept, %v; want %d", round, len(left), err, len(bad)*(round+1))
		}
		// A second file of the same name must not replace the first one.
		for _, path := range bad {
			if err := os.WriteFile(path, []byte("rubbish, once more"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		foreignAgain := theirs
		if err := foreignAgain.AddSuccessor(foreign); err != nil {
			t.Fatal(err)
		}
	}
}

// The folder may hold all successors, though the agent cannot list them at this moment, and a folder in it is somebody else's.
func TestOnlyFilesOfThePoolArePutAside(t *testing.T) {
	f := newFiles(t)
	good := ahead(t, Spec{}, 1)
	if err := errors.Join(f.AddSuccessor(good), os.Mkdir(filepath.Join(f.pool(), "folder.p12"), 0o700)); err != nil {
		t.Fatal(err)
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	none := limit
	none.Cur = 0
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	moved, err := f.PutAsideSuccessors(t.Context())
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if len(moved) > 0 || !errors.Is(err, syscall.EMFILE) {
		t.Fatalf("a folder that cannot be read: put aside %v, %v", moved, err)
	}
	if text, remedies := remedy.Split(err); !strings.Contains(text, f.pool()) || len(remedies) == 0 {
		t.Errorf("the error: %s, remedies %q", text, remedies)
	}
	if moved, err := f.PutAsideSuccessors(t.Context()); len(moved) > 0 || err != nil {
		t.Errorf("afterwards: put aside %v, %v", moved, err)
	}
	if h := mustRead(t, f); len(h.Successors) != 1 || !Same(h.Successors[0], &good) || h.SuccessorsErr != nil {
		t.Errorf("afterwards: %v, %v", fingerprints(h.Successors), h.SuccessorsErr)
	}
}

func TestAPoolThatIsNoFolderStopsNothing(t *testing.T) {
	f := newFiles(t)
	if err := errors.Join(os.MkdirAll(filepath.Dir(f.pool()), 0o700), os.WriteFile(f.pool(), []byte("x"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if h := mustRead(t, f); h.SuccessorsErr == nil || len(h.Successors) != 0 {
		t.Errorf("read %+v", h)
	}
	if moved, err := f.PutAsideSuccessors(t.Context()); err != nil || len(moved) != 1 {
		t.Errorf("put aside: %v, %v", moved, err)
	}
	if err := f.AddSuccessor(ahead(t, Spec{}, 1)); err != nil || len(mustRead(t, f).Successors) != 1 {
		t.Errorf("a new pool: %v", err)
	}
}

func TestReadingThePoolStopsWithTheAgent(t *testing.T) {
	f := newFiles(t)
	if err := errors.Join(os.MkdirAll(f.pool(), 0o700), os.WriteFile(filepath.Join(f.pool(), "a.p12"), []byte("x"), 0o600)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Read(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
	if _, err := f.PutAsideSuccessors(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
}

func TestARequestAfterATheftStaysOneUntilItIsAnswered(t *testing.T) {
	f := newFiles(t)
	ask := func(compromised bool) {
		t.Helper()
		if err := f.Request(day(), compromised); err != nil {
			t.Fatal(err)
		}
	}
	ask(false)
	if h := mustRead(t, f); !h.Requested || h.Compromised {
		t.Errorf("a usual request: %+v", h)
	}
	ask(true)
	ask(false) // the person who asks now may not know of the theft
	if h := mustRead(t, f); !h.Requested || !h.Compromised {
		t.Errorf("a request after a theft: %+v", h)
	}
	if err := f.Stage(mustIssue(t, Spec{}, "wso2am")); err != nil {
		t.Fatal(err)
	}
	if h := mustRead(t, f); h.Requested || h.Compromised {
		t.Errorf("after the answer: %+v", h)
	}
	ask(false)
	if h := mustRead(t, f); !h.Requested || h.Compromised {
		t.Errorf("the next request: %+v", h)
	}
	if err := os.WriteFile(f.requested(), nil, 0o600); err != nil { // as older versions and people write it
		t.Fatal(err)
	}
	if h := mustRead(t, f); !h.Requested || h.Compromised {
		t.Errorf("an empty request: %+v", h)
	}
	if _, err := os.Stat(f.pool()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a request touches the pool: %v", err)
	}
}

func TestASuccessorIsStaleForAReasonAndOnlyAtItsEnd(t *testing.T) {
	root := newCA(t, "root", nil, nil)
	days := func(n int) time.Time { return day().AddDate(0, 0, n) }
	names := []string{"wso2am"}
	const month = 30 * 24 * time.Hour
	for name, c := range map[string]struct {
		was   Spec
		turn  int
		is    Spec
		names []string
		now   time.Time
		want  string
	}{
		"just issued":                    {Spec{}, 1, Spec{}, names, days(0), ""},
		"in the year of its predecessor": {Spec{}, 1, Spec{}, names, days(400), ""},
		"a moment before it is time":     {Spec{}, 1, Spec{}, names, days(700).Add(-time.Second), ""},
		"it would be renewed at once":    {Spec{}, 1, Spec{}, names, days(700), "expires on 2029-01-14"},
		"a new name":                     {Spec{}, 1, Spec{}, append(names, "b"), days(0), "lacks b"},
		"another kind of key":            {Spec{}, 1, Spec{Key: RSA2048}, names, days(0), "has a key of another kind"},
		"a CA from now on":               {Spec{}, 1, root.spec(t), names, days(0), "does not come from the CA"},
		"no CA any more":                 {root.spec(t), 1, Spec{}, names, days(0), "was signed by a CA"},
		"a life shorter than TLS_RENEW_BEFORE, before its half": {Spec{Validity: 24 * time.Hour}, 1, Spec{}, names, days(0).Add(23 * time.Hour), ""},
	} {
		c.is.Names, c.is.RenewBefore = c.names, month
		id := ahead(t, c.was, c.turn)
		if got := id.StaleSuccessor(c.is, c.now); !strings.HasPrefix(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// A kill may come while a successor is written. Nobody ever writes that one again, and its key must not stay.
func TestTheNextSuccessorRemovesWhatAKilledWriteHasLeft(t *testing.T) {
	f := newFiles(t)
	left := filepath.Join(f.WorkDir, filepath.Base(f.added())+".AAAA.tmp")
	if err := errors.Join(os.MkdirAll(filepath.Dir(f.added()), 0o700), os.WriteFile(left, []byte("half"), 0o600), os.WriteFile(f.added(), []byte("not moved"), 0o600)); err != nil {
		t.Fatal(err)
	}
	next := ahead(t, Spec{}, 1)
	if err := f.AddSuccessor(next); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{left, f.added()} {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if h := mustRead(t, f); !slices.Equal(fingerprints(h.Successors), fingerprints([]*Identity{&next})) || h.SuccessorsErr != nil {
		t.Errorf("the pool has %v, %v", fingerprints(h.Successors), h.SuccessorsErr)
	}
}

func TestTroubleWithThePoolNamesARemedy(t *testing.T) {
	f := newFiles(t)
	i := ahead(t, Spec{}, 1)
	if err := errors.Join(os.MkdirAll(filepath.Dir(f.pool()), 0o700), os.WriteFile(f.pool(), []byte("in the way"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for name, do := range map[string]func(Identity) error{"add": f.AddSuccessor, "drop": f.DropSuccessor} {
		text, remedies := remedy.Split(do(i))
		if !strings.HasPrefix(text, name+" a successor: ") || !strings.Contains(text, f.pool()) || len(remedies) != 1 || !strings.Contains(remedies[0], filepath.Dir(f.pool())) {
			t.Errorf("%s: %s, remedies %q", name, text, remedies)
		}
	}
}

// A person may request a rotation after a theft while the agent answers an earlier request.
func TestARequestAfterATheftStaysUntilTheSuccessorsAreGone(t *testing.T) {
	f := Files{Keystore: filepath.Join(t.TempDir(), "tls.p12"), WorkDir: t.TempDir(), Password: "changeit"}
	var all []Identity
	for range 2 {
		i, err := Issue(Spec{Names: []string{"wso2is"}}, time.Now(), 0)
		if err := errors.Join(err, f.AddSuccessor(i)); err != nil {
			t.Fatal(err)
		}
		all = append(all, i)
	}
	requested := func() bool {
		t.Helper()
		held, err := f.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return held.Requested && held.Compromised
	}
	if err := errors.Join(f.Request(time.Now(), true), f.StageSuccessor(all[0])); err != nil {
		t.Fatal(err)
	}
	if !requested() {
		t.Error("the request is gone, and a successor is left")
	}
	if err := errors.Join(f.DropSuccessor(all[1]), f.Stage(all[0])); err != nil {
		t.Fatal(err)
	}
	if requested() {
		t.Error("the request stays, and no successor is left")
	}
}
