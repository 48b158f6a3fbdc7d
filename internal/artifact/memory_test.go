package artifact

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"wso2agent/internal/file"
	"wso2agent/internal/testenv"
)

// jarOf makes a zip file of entries without content, and one of size random bytes.
func jarOf(t *testing.T, entries, size int) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := range entries {
		if _, err := z.CreateHeader(&zip.FileHeader{Name: fmt.Sprint(i), Method: zip.Store}); err != nil {
			t.Fatal(err)
		}
	}
	padding := make([]byte, size)
	random := rand.NewChaCha8([32]byte{})
	random.Read(padding)
	w, err := z.CreateHeader(&zip.FileHeader{Name: strings.ReplaceAll(testClass, ".", "/") + ".class", Method: zip.Store})
	if err == nil {
		_, err = w.Write(padding)
	}
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// allocated are the bytes that do takes from the heap, freed or not.
func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestALargeArtifactTakesLittleMemory: the agent has 64 MiB for everything.
func TestALargeArtifactTakesLittleMemory(t *testing.T) {
	testenv.WithoutRace(t)
	const size, most = 60 << 20, 12 << 20
	o, source := newOrigin(t, jarOf(t, 10_000, size)), t.TempDir()
	placeFile(t, filepath.Join(source, "listener-1.0.jar"), o.content)
	volume := t.TempDir()
	for _, c := range []struct {
		name string
		f    func(f *Fetcher, a *Artifact)
		want State
	}{
		{"downloaded", func(*Fetcher, *Artifact) {}, Fetched},
		{"in its place", func(*Fetcher, *Artifact) {}, Present},
		{"from a folder", func(f *Fetcher, _ *Artifact) { f.Volume, f.SourceDir = t.TempDir(), source }, Fetched},
		{"a file by name", func(f *Fetcher, a *Artifact) {
			f.Volume, a.URL, a.SHA256, a.File = t.TempDir(), "", "", filepath.Join(source, "listener-1.0.jar")
		}, Fetched},
		{"put there by hand", func(f *Fetcher, a *Artifact) {
			f.Volume, a.SHA256 = t.TempDir(), strings.Repeat("0", 64)
			placeFile(t, filepath.Join(f.Volume, testDestination), o.content)
		}, Kept},
		{"in the home", func(f *Fetcher, _ *Artifact) {
			f.Volume, f.Home = t.TempDir(), t.TempDir()
			placeFile(t, filepath.Join(f.Home, testDestination), o.content)
		}, Kept},
	} {
		f, a := o.fetcher(volume), o.artifact()
		c.f(&f, &a)
		var outcome Outcome
		n := allocated(func() { outcome = fetchOne(t, f, a) })
		assertState(t, outcome, c.want)
		if n > most {
			t.Errorf("%s: %d MiB for a file of %d MiB", c.name, n>>20, size>>20)
		}
	}
	assertPlaced(t, volume, o.content)
}

// TestAnArtifactOfCountlessEntriesIsRefusedWithLittleMemory: the list of entries is all of a zip file that has to be in memory.
func TestAnArtifactOfCountlessEntriesIsRefusedWithLittleMemory(t *testing.T) {
	testenv.WithoutRace(t)
	o, volume := newOrigin(t, jarOf(t, 300_000, 0)), t.TempDir()
	const most = 24 << 20
	var outcome Outcome
	n := allocated(func() { outcome = fetchOne(t, o.fetcher(volume), o.artifact()) })
	assertFailed(t, outcome, "its list of entries has more than 2 MiB")
	if n > most {
		t.Errorf("%d MiB for a file of %d MiB", n>>20, len(o.content)>>20)
	}
}

// TestWhatIsNoRegularFileHoldsUpNoDownload: a named pipe, or a link that leads elsewhere, in the place of the part.
func TestWhatIsNoRegularFileHoldsUpNoDownload(t *testing.T) {
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	for name, put := range map[string]func(path string) error{
		"a named pipe": func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"a link":       func(path string) error { return os.Symlink(elsewhere, path) },
	} {
		o, volume := newOrigin(t, testJar(t, testClass, 1)), t.TempDir()
		d := newDownload(nil, o.artifact(), filepath.Join(volume, file.WorkDir), 0, 0, nil)
		if err := errors.Join(os.Mkdir(filepath.Dir(d.part), 0o700), put(d.part)); err != nil {
			t.Fatal(err)
		}
		outcome := fetchOne(t, o.fetcher(volume), o.artifact())
		if outcome.State != Fetched {
			t.Errorf("%s: %v", name, outcome.Err)
			continue
		}
		assertPlaced(t, volume, o.content)
	}
	if _, err := os.Lstat(elsewhere); err == nil {
		t.Error("the download went where the link leads")
	}
}
