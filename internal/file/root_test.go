package file

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func openRoot(t *testing.T, dir string) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

func TestAWriteInAFolderDoesNotLeaveIt(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	victim := filepath.Join(outside, "store")
	write(t, victim, "old")
	if err := errors.Join(os.Symlink(victim, filepath.Join(dir, "certs.pem")), os.Symlink(outside, filepath.Join(dir, "temps"))); err != nil {
		t.Fatal(err)
	}
	root := openRoot(t, dir)
	if _, err := WriteIn(root, "certs.pem", []byte("new"), 0o644, "temps"); err == nil {
		t.Error("temporary files are made outside")
	}
	if _, err := WriteIn(root, "certs.pem", []byte("new"), 0o644, WorkDir); err != nil {
		t.Error(err)
	}
	if info, err := os.Lstat(filepath.Join(dir, "certs.pem")); err != nil || info.Mode() != 0o644 {
		t.Errorf("the link is %v, %v", info, err)
	}
	if got, _ := os.ReadFile(victim); string(got) != "old" {
		t.Errorf("the file outside has %q", got)
	}
	if left, _ := os.ReadDir(outside); len(left) != 1 {
		t.Errorf("made outside: %v", left)
	}
}

// TestAFolderIsReadThroughItsOwnLinksAlone: Kubernetes shows the files of Secrets and ConfigMaps behind two links.
func TestAFolderIsReadThroughItsOwnLinksAlone(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	write(t, filepath.Join(outside, "key"), "secret")
	mkdir(t, filepath.Join(dir, "..2026_11_27"))
	write(t, filepath.Join(dir, "..2026_11_27", "certs.pem"), "certificate")
	for link, to := range map[string]string{"..data": "..2026_11_27", "certs.pem": "..data/certs.pem", "up": "../" + filepath.Base(outside) + "/key", "absolute": filepath.Join(outside, "key")} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	whole := func([]byte) error { return nil }
	if data, err := ReadStableIn(t.Context(), openRoot(t, dir), "certs.pem", 100, whole); err != nil || string(data) != "certificate" {
		t.Errorf("the file of a ConfigMap: %q, %v", data, err)
	}
	for _, name := range []string{"up", "absolute", "pipe"} {
		if data, err := ReadStableIn(t.Context(), openRoot(t, dir), name, 100, whole); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
}

func TestAMoveReplacesAFileAndNothingElse(t *testing.T) {
	dir := t.TempDir()
	from, to, pipe := filepath.Join(dir, "from"), filepath.Join(dir, "to"), filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	write(t, to, "old")
	for _, c := range []struct {
		to string
		ok bool
	}{{pipe, false}, {to, true}} {
		write(t, from, "new")
		if err := Move(from, c.to, 0o644); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.to, err)
		}
	}
	if info, err := os.Stat(to); err != nil || info.Mode() != 0o644 || info.Size() != 3 {
		t.Errorf("%v, %v", info, err)
	}
	if _, err := os.Stat(from); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is there twice: %v", err)
	}
}
