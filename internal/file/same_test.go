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
