package identity

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"wso2agent/internal/keystore"
)

// newFiles are the places of an identity on an empty volume.
func newFiles(t *testing.T) Files {
	t.Helper()
	dir := t.TempDir()
	return Files{Keystore: filepath.Join(dir, "repository", "tls.p12"), WorkDir: filepath.Join(dir, ".agent"), Password: password}
}

func mustRead(t *testing.T, f Files) Held {
	t.Helper()
	h, err := f.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func content(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestAnIdentityIsStagedAndInstalledOnceHoweverOftenItIsAskedFor(t *testing.T) {
	f := newFiles(t)
	first, second := mustIssue(t, Spec{}, "wso2am"), mustIssue(t, Spec{}, "wso2am")
	if h := mustRead(t, f); !reflect.DeepEqual(h, Held{}) {
		t.Errorf("an empty volume holds %+v", h)
	}
	twice := func(what string, do func() error, path string) {
		t.Helper()
		if err := do(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		before, _ := os.ReadFile(path)
		if err := do(); err != nil {
			t.Fatalf("%s again: %v", what, err)
		}
		if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
			t.Errorf("%s again: the file has changed", what)
		}
	}
	twice("stage", func() error { return f.Stage(first) }, f.staged())
	if h := mustRead(t, f); !Same(h.Staged, &first) || h.Installed != nil {
		t.Errorf("after staging: %+v", h)
	}
	twice("install", func() error { return f.Install(first) }, f.Keystore)
	if h := mustRead(t, f); !Same(h.Staged, &first) || !Same(h.Installed, &first) {
		t.Errorf("after installing: %+v", h)
	}
	twice("unstage", f.Unstage, f.staged())
	if h := mustRead(t, f); h.Staged != nil || !Same(h.Installed, &first) || h.Requested {
		t.Errorf("after unstaging: %+v", h)
	}
	for range 2 {
		if err := f.Request(day(), false); err != nil {
			t.Fatal(err)
		}
	}
	if h := mustRead(t, f); !h.Requested {
		t.Error("the request is not there")
	}
	if err := f.Stage(second); err != nil {
		t.Fatal(err)
	}
	if h := mustRead(t, f); h.Requested || !Same(h.Staged, &second) || !Same(h.Installed, &first) {
		t.Errorf("after a request was answered: %+v", h)
	}
	if info, err := os.Stat(f.Keystore); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the keystore: %v, %v", info, err)
	}
}

func TestAnotherChainOfTheSameCertificateIsWritten(t *testing.T) {
	f := newFiles(t)
	root := newCA(t, "root", nil, nil)
	whole := mustIssue(t, root.spec(t), "wso2am")
	alone := whole
	alone.Chain = whole.Chain[:1]
	for _, id := range []Identity{alone, whole} {
		if err := f.Install(id); err != nil {
			t.Fatal(err)
		}
		if h := mustRead(t, f); !h.Installed.SameChain(id) {
			t.Errorf("a chain of %d, want %d", len(h.Installed.Chain), len(id.Chain))
		}
	}
}

func TestAKeystoreThatCannotBeReadIsReportedAndPutAside(t *testing.T) {
	f := newFiles(t)
	if copied, err := f.PutAside(); copied != "" || err != nil {
		t.Errorf("nothing is put aside in %q, %v", copied, err)
	}
	theirs := f
	theirs.Password = "another"
	if err := errors.Join(theirs.Install(mustIssue(t, Spec{}, "wso2am")), os.MkdirAll(filepath.Dir(f.staged()), 0o700), os.WriteFile(f.staged(), []byte("rubbish"), 0o600)); err != nil {
		t.Fatal(err)
	}
	h := mustRead(t, f)
	if h.Installed != nil || !errors.Is(h.InstalledErr, keystore.ErrPassword) || h.Staged != nil || !errors.Is(h.StagedErr, keystore.ErrFormat) {
		t.Errorf("read %+v", h)
	}
	before := content(t, f.Keystore)
	copied, err := f.PutAside()
	if err != nil || !bytes.Equal(content(t, copied), before) {
		t.Errorf("put aside in %q, %v", copied, err)
	}
	if err := f.Install(mustIssue(t, Spec{}, "wso2am")); err != nil {
		t.Fatal(err)
	}
	if h := mustRead(t, f); h.Installed == nil || h.InstalledErr != nil || !bytes.Equal(content(t, copied), before) {
		t.Errorf("afterwards: %+v", h)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := theirs.Read(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped while a keystore cannot be read: %v", err)
	}
}

// writePEM writes the files of an identity, without those that are nil.
func writePEM(t *testing.T, dir string, files ...[]byte) {
	t.Helper()
	for i, path := range PEMFiles(dir) {
		if i < len(files) && files[i] != nil {
			if err := os.WriteFile(path, files[i], 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestFilesThatDoNotFitTogetherAreReadAgain(t *testing.T) {
	root := newCA(t, "root", nil, nil)
	first, next := mustIssue(t, root.spec(t), "wso2am"), mustIssue(t, root.spec(t), "wso2am")
	cert, key, nextKey := certPEM(first.Leaf().DER), keyPEM(t, "PRIVATE KEY", first.key), keyPEM(t, "PRIVATE KEY", next.key)
	for name, c := range map[string]struct {
		cert, key []byte
		fixed     time.Duration // after which the key is right; never if zero
		want      string        // part of the error
		took      time.Duration
	}{
		"a pair":                     {cert, key, 0, "", 0},
		"a key that comes late":      {cert, nextKey, 90 * time.Minute, "", 2 * time.Hour},
		"half a key that is written": {cert, key[:50], 10 * time.Minute, "", time.Hour},
		"a key that never comes":     {cert, nextKey, 0, "tls.key is not the key of tls.crt", 5 * time.Hour},
		"no key":                     {cert, nil, 0, "no such file", 0},
		"rubbish":                    {[]byte("rubbish"), key, 0, "tls.crt is not PEM", 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := t.TempDir()
				writePEM(t, dir, c.cert, c.key, root.certPEM)
				if c.fixed > 0 {
					time.AfterFunc(c.fixed, func() { writePEM(t, dir, nil, key) })
				}
				begin := time.Now()
				id, err := ReadPEM(t.Context(), dir, time.Hour)
				if took := time.Since(begin); took != c.took {
					t.Errorf("it took %s, want %s", took, c.took)
				}
				switch {
				case c.want == "" && (err != nil || len(id.Chain) != 2 || !Same(&id, &first)):
					t.Errorf("a chain of %d, %v", len(id.Chain), err)
				case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "TLS_FILES_DIR ("+dir+")")):
					t.Errorf("error = %v, want %q and the folder", err, c.want)
				}
			})
		})
	}
}

func TestReadingFilesStopsWithTheAgent(t *testing.T) {
	dir := t.TempDir()
	a, b := mustIssue(t, Spec{}, "wso2am"), mustIssue(t, Spec{}, "wso2am")
	writePEM(t, dir, certPEM(a.Leaf().DER), keyPEM(t, "PRIVATE KEY", b.key))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ReadPEM(ctx, dir, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
}

func TestAKeystoreIsDecodedOnceForTheSameBytesAndPassword(t *testing.T) {
	f := newFiles(t)
	f.Decoded = &Decoded{}
	first, second := ahead(t, Spec{}, 1), ahead(t, Spec{}, 2)
	for _, err := range []error{f.AddSuccessor(first), f.Install(second)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if h := mustRead(t, f); !Same(h.Installed, &second) || !Same(h.Successors[0], &first) || len(f.Decoded.now) != 2 {
		t.Fatalf("read %+v", h)
	}
	remembered := func() (n int) { // marks all that is remembered, and counts what is marked
		h := mustRead(t, f)
		for _, i := range append(h.Successors, h.Installed) {
			if i != nil && len(i.Chain) == 2 {
				n++
			}
		}
		for key, id := range f.Decoded.now {
			id.Chain = append(slices.Clone(id.Chain[:1]), id.Chain[0])
			f.Decoded.now[key] = id
		}
		return n
	}
	if remembered(); remembered() != 2 {
		t.Error("the same bytes are decoded again")
	}
	if err := f.Install(first); err != nil {
		t.Fatal(err)
	}
	if h := mustRead(t, f); !Same(h.Installed, &first) {
		t.Error("what was installed is not read")
	}
	if err := f.DropSuccessor(first); err != nil {
		t.Fatal(err)
	}
	if mustRead(t, f); len(f.Decoded.now) != 1 {
		t.Errorf("%d identities are remembered, and there is one", len(f.Decoded.now))
	}
	f.Password = "another"
	if h := mustRead(t, f); h.Installed != nil || h.InstalledErr == nil || len(f.Decoded.now) != 0 {
		t.Errorf("with another password: %+v", h)
	}
}
