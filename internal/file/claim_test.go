package file

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/testenv"
)

func TestAFileThatSomebodyHasOpenForWritingIsNotReplaced(t *testing.T) {
	path, temps := filepath.Join(t.TempDir(), "deployment.toml"), t.TempDir()
	write(t, path, "old")
	testenv.NeedLeases(t)
	person, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	before := inode(t, path)
	if changed, err := Replace(path, []byte("old"), []byte("new"), 0o600, temps); changed || !errors.Is(err, ErrBeingWritten) || !strings.Contains(err.Error(), path) {
		t.Errorf("while it is open: %v, %v", changed, err)
	}
	if inode(t, path) != before {
		t.Error("what the person writes goes into a file without a name")
	}
	assertNoTemps(t, temps)
	if err := person.Close(); err != nil {
		t.Fatal(err)
	}
	if changed, err := Replace(path, []byte("old"), []byte("new"), 0o600, temps); !changed || err != nil {
		t.Errorf("afterwards: %v, %v", changed, err)
	}
}

func TestAFileThatHasChangedSinceItWasReadIsNotReplaced(t *testing.T) {
	for name, now := range map[string]string{"other bytes": "oLd", "more": "older", "less": "", "a writer that has not finished": "ol"} {
		path, temps := filepath.Join(t.TempDir(), "deployment.toml"), t.TempDir()
		write(t, path, now)
		changed, err := Replace(path, []byte("old"), []byte("new"), 0o600, temps)
		if changed || !errors.Is(err, ErrBeingWritten) || !strings.Contains(err.Error(), "it has changed") {
			t.Errorf("%s: %v, %v", name, changed, err)
		}
		if got, _ := os.ReadFile(path); string(got) != now {
			t.Errorf("%s: it has %q now", name, got)
		}
		assertNoTemps(t, temps)
	}
}

func TestAWriterThatComesLateFindsTheFileItself(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deployment.toml")
	write(t, path, "old")
	testenv.NeedLeases(t)
	f, err := Open(path, 100)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if ok, err := lease(f); !ok || wanted(f) {
		t.Fatal(ok, err)
	}
	opened := make(chan error, 1)
	go func() {
		person, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err == nil {
			err = person.Close()
		}
		opened <- err
	}()
	for deadline := time.Now().Add(20 * time.Second); !wanted(f); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nobody notices the writer")
		}
	}
	f.Close()
	if err := <-opened; err != nil {
		t.Error(err)
	}
}
