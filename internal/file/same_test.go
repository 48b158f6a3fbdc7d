package file

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestSameSeesEachWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	look := func() fs.FileInfo {
		info, err := os.Stat(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		return info
	}
	at := time.Now().Add(-time.Hour)
	replace := func(text string) error { // with the time of the file before
		_, err := Write(path, []byte(text), 0o600, dir)
		return errors.Join(err, os.Chtimes(path, at, at))
	}
	for _, c := range []struct {
		name   string
		change func() error
		same   bool
	}{
		{"none there", func() error { return nil }, true},
		{"a new one", func() error { return replace("a") }, false},
		{"nothing", func() error { return nil }, true},
		{"replaced, with the same size and time", func() error { return replace("b") }, false},
		{"longer", func() error { return errors.Join(os.WriteFile(path, []byte("bb"), 0o600), os.Chtimes(path, at, at)) }, false},
		{"touched", func() error { return os.Chtimes(path, at, at.Add(time.Millisecond)) }, false},
		{"removed", func() error { return os.Remove(path) }, false},
	} {
		before := look()
		if err := c.change(); err != nil {
			t.Fatal(err)
		}
		if Same(before, look()) != c.same {
			t.Errorf("%s: the same is %v", c.name, !c.same)
		}
	}
}

// TestVersionsOfTheSameSizeHaveTimesThatEveryFileSystemTellsApart: the version after the next may have the same inode number.
func TestVersionsOfTheSameSizeHaveTimesThatEveryFileSystemTellsApart(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	written := func(text string, in *os.Root) time.Time {
		t.Helper()
		write := func() (bool, error) { return Write(path, []byte(text), 0o600, dir) }
		if in != nil {
			write = func() (bool, error) { return WriteIn(in, "f", []byte(text), 0o600, ".") }
		}
		if changed, err := write(); err != nil || !changed {
			t.Fatal(changed, err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.ModTime()
	}
	before := written("a", nil)
	for i, text := range []string{"b", "c", "d", "e"} {
		in := root
		if i%2 == 0 {
			in = nil
		}
		now := written(text, in)
		if now.Unix() == before.Unix() {
			t.Errorf("%q has the time %s, and the one before has %s", text, now, before)
		}
		before = now
	}
	if other := written("longer", nil); other.After(time.Now()) {
		t.Errorf("a file of another size has the time %s", other)
	}
	future := time.Now().Add(time.Hour) // by a clock that was wrong
	if err := os.Chtimes(path, future, future); err != nil {
		t.Fatal(err)
	}
	if now := written("LONGER", nil); now.After(time.Now()) {
		t.Errorf("after a time in the future it has the time %s", now)
	}
}
