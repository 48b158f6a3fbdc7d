package file

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestWriteReplacesAFileWholeAndKeepsItsMode(t *testing.T) {
	dir := t.TempDir()
	path, temps := filepath.Join(dir, "store"), filepath.Join(dir, WorkDir)
	if err := os.WriteFile(path, []byte("old"), 0o640); err != nil {
		t.Fatal(err)
	}
	before := inode(t, path)
	changed, err := Write(path, []byte("new"), 0o600, temps)
	if err != nil || !changed {
		t.Fatalf("Write = %v, %v; want a change", changed, err)
	}
	if got, _ := os.ReadFile(path); string(got) != "new" {
		t.Errorf("content = %q", got)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o640 {
		t.Errorf("mode = %v, want the old file's 0640", info.Mode().Perm())
	}
	if inode(t, path) == before {
		t.Error("the file was written in place: a reader could see half of it")
	}
	assertNoTemps(t, temps)
}

func TestWriteOfTheSameBytesTouchesNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "store")
	if err := os.WriteFile(path, []byte("same"), 0o400); err != nil {
		t.Fatal(err)
	}
	before := inode(t, path)
	changed, err := Write(path, []byte("same"), 0o600, filepath.Join(dir, WorkDir))
	if err != nil || changed || inode(t, path) != before {
		t.Errorf("Write = %v, %v, inode changed: %v; want nothing done", changed, err, inode(t, path) != before)
	}
	if _, err := os.Stat(filepath.Join(dir, WorkDir)); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a folder for temporary files was made for no write")
	}
}

func TestWriteGoesThroughASymbolicLink(t *testing.T) {
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real"), filepath.Join(dir, "link")
	if err := os.WriteFile(real, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", link); err != nil {
		t.Fatal(err)
	}
	if _, err := Write(link, []byte("new"), 0o600, filepath.Join(dir, WorkDir)); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(real); string(got) != "new" {
		t.Errorf("the file behind the link = %q", got)
	}
	if to, _ := os.Readlink(link); to != "real" {
		t.Errorf("the link leads to %q now", to)
	}
}

func TestAFailedWriteLeavesTheOldFileAndNoTemporaryOne(t *testing.T) {
	dir := t.TempDir()
	path, temps := filepath.Join(dir, "folder", "store"), filepath.Join(dir, WorkDir)
	if _, err := Write(path, []byte("new"), 0o600, temps); err == nil {
		t.Fatal("a write into a folder that is not there succeeded")
	}
	assertNoTemps(t, temps)
}

func TestAStrangersFileIsRefusedByNameBeforeAnythingIsWritten(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file to another user")
	}
	dir := t.TempDir()
	path, temps := filepath.Join(dir, "store"), filepath.Join(dir, WorkDir)
	if err := os.WriteFile(path, []byte("old"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, 802, 802); err != nil {
		t.Fatal(err)
	}
	_, err := Write(path, []byte("new"), 0o600, temps)
	if !errors.Is(err, ErrOwner) || !strings.Contains(err.Error(), `user: "802:802"`) {
		t.Errorf("error = %v; want ErrOwner that names the user to set", err)
	}
	if got, _ := os.ReadFile(path); string(got) != "old" {
		t.Errorf("content = %q, want it left alone", got)
	}
	if _, err := os.Stat(temps); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the folder for temporary files was made before the refusal")
	}
}

func TestAWriteRemovesWhatAKilledWriterOfTheSameFileLeft(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"store.123.tmp", "store.original", "store.original.456.tmp", "other.789.tmp", "lock"} {
		write(t, filepath.Join(dir, name), "x")
	}
	if _, err := Write(filepath.Join(dir, "store"), []byte("new"), 0o600, dir); err != nil {
		t.Fatal(err)
	}
	left, _ := filepath.Glob(filepath.Join(dir, "*"))
	if len(left) != 5 || slices.Contains(left, filepath.Join(dir, "store.123.tmp")) {
		t.Errorf("left = %v, want everything but store.123.tmp, and the store", left)
	}
}

func TestAFileKeepsItsGroup(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file any group")
	}
	path := filepath.Join(t.TempDir(), "store")
	write(t, path, "old")
	if err := os.Chown(path, -1, 10001); err != nil {
		t.Fatal(err)
	}
	if _, err := Write(path, []byte("new"), 0o600, filepath.Join(filepath.Dir(path), WorkDir)); err != nil {
		t.Fatal(err)
	}
	info, _ := os.Stat(path)
	if gid := info.Sys().(*syscall.Stat_t).Gid; gid != 10001 {
		t.Errorf("group = %d", gid)
	}
}

func TestAFolderInWhichNothingCanBeMadeIsKnownBefore(t *testing.T) {
	dir := t.TempDir()
	if err := Writable(filepath.Join(dir, "new")); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(filepath.Join(dir, "new")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	write(t, filepath.Join(dir, "file"), "x")
	if err := Writable(filepath.Join(dir, "file", "new")); err == nil {
		t.Error("a folder below a file is writable")
	}
}

func TestANamedPipeIsRefusedAndDoesNotHoldAnybodyUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "certs.pem")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path, 10); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("error = %v", err)
	}
}

func TestReadRefusesWhatIsTooLargeOrNoFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "big")
	if err := os.WriteFile(path, make([]byte, 11), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path, 10); !errors.Is(err, ErrTooLarge) {
		t.Errorf("11 bytes of 10 allowed: %v", err)
	}
	if data, err := Read(path, 11); err != nil || len(data) != 11 {
		t.Errorf("11 bytes of 11 allowed: %d bytes, %v", len(data), err)
	}
	if _, err := Read(dir, 10); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a folder: %v", err)
	}
}

func TestATornFileIsReadAgainBeforeItIsCalledBroken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	torn := errors.New("torn")
	reads := 0
	data, err := ReadStable(t.Context(), path, 100, func(b []byte) error {
		reads++
		if string(b) == "whole" {
			return nil
		}
		if reads == 1 { // the writer finishes while the reader waits
			if err := os.WriteFile(path, []byte("whole"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return torn
	})
	if err != nil || string(data) != "whole" || reads != 2 {
		t.Errorf("ReadStable = %q, %v after %d reads", data, err, reads)
	}
}

func TestTwoEqualBadReadsAreAnErrorThatNamesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	torn := errors.New("torn")
	_, err := ReadStable(t.Context(), path, 100, func([]byte) error { return torn })
	if !errors.Is(err, torn) || !strings.Contains(err.Error(), path) {
		t.Errorf("error = %v", err)
	}
}

// TestALockOnARemovedFileIsNone: whoever opened the file before it was removed must not believe to hold the lock.
func TestALockOnARemovedFileIsNone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if !isAt(path, f) {
		t.Error("the file is not at its path")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if isAt(path, f) {
		t.Error("a removed file is still there")
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if isAt(path, f) {
		t.Error("another file at the path is taken for the removed one")
	}
}

func TestASecondHolderOfTheLockWaitsAndSaysSo(t *testing.T) {
	path := filepath.Join(t.TempDir(), WorkDir, "lock")
	unlock, err := Lock(t.Context(), path, func() { t.Error("the first holder waited") })
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := Lock(ctx, path, cancel); !errors.Is(err, context.Canceled) {
		t.Errorf("a taken lock: %v", err)
	}
	got := make(chan error, 1)
	go func() {
		_, err := Lock(t.Context(), path, unlock) // waiting gives the first one back
		got <- err
	}()
	if err := <-got; err != nil {
		t.Errorf("a lock given back: %v", err)
	}
}

func TestWatchTellsEveryWayInWhichAFileCanChange(t *testing.T) {
	cases := []struct {
		name   string
		change func(t *testing.T, dir string)
	}{
		{"written in place", func(t *testing.T, dir string) { write(t, filepath.Join(dir, "wso2is", "certs.pem"), "new") }},
		{"renamed over", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "temp"), "next")
			rename(t, filepath.Join(dir, "temp"), filepath.Join(dir, "wso2is", "certs.pem"))
		}},
		{"a new folder with a file", func(t *testing.T, dir string) {
			mkdir(t, filepath.Join(dir, "other"))
			write(t, filepath.Join(dir, "other", "certs.pem"), "x")
		}},
		{"removed", func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, "wso2is", "certs.pem")); err != nil {
				t.Fatal(err)
			}
		}},
		{"a symlink swap as in a Kubernetes volume", func(t *testing.T, dir string) {
			mkdir(t, filepath.Join(dir, "..2"))
			write(t, filepath.Join(dir, "..2", "file"), "v2")
			if err := os.Symlink("..2", filepath.Join(dir, "..tmp")); err != nil {
				t.Fatal(err)
			}
			rename(t, filepath.Join(dir, "..tmp"), filepath.Join(dir, "..data"))
		}},
	}
	for _, c := range cases {
		for mode, poll := range map[string]time.Duration{"events": time.Hour, "polling": 20 * time.Millisecond} {
			t.Run(c.name+" by "+mode, func(t *testing.T) {
				dir := t.TempDir()
				mkdir(t, filepath.Join(dir, "wso2is"))
				write(t, filepath.Join(dir, "wso2is", "certs.pem"), "old")
				mkdir(t, filepath.Join(dir, "..1"))
				write(t, filepath.Join(dir, "..1", "file"), "v1")
				for link, to := range map[string]string{"..data": "..1", "file": "..data/file"} {
					if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
						t.Fatal(err)
					}
				}
				w := Watch{Folders: []string{dir}, Poll: poll, Quiet: 20 * time.Millisecond, Log: slog.New(slog.DiscardHandler)}
				changes := w.Changes(t.Context())
				c.change(t, dir)
				select {
				case <-changes:
				case <-time.After(10 * time.Second):
					t.Fatal("not noticed")
				}
			})
		}
	}
}

func TestWatchFollowsAFolderThatComesLateAndOneThatIsMadeAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "late")
	w := Watch{Folders: []string{dir}, Poll: time.Hour, Quiet: 20 * time.Millisecond, Log: slog.New(slog.DiscardHandler)}
	changes := w.Changes(t.Context())
	expect := func(what string) {
		t.Helper()
		select {
		case <-changes:
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: not noticed", what)
		}
	}
	mkdir(t, dir)
	write(t, filepath.Join(dir, "a"), "1")
	expect("the folder has come")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	expect("the folder has gone")
	mkdir(t, dir)
	write(t, filepath.Join(dir, "a"), "2")
	expect("the folder was made again")
	write(t, filepath.Join(dir, "b"), "3")
	expect("a file in it")
}

func TestWatchIgnoresTheAgentsOwnWorkingFolder(t *testing.T) {
	dir := t.TempDir()
	mkdir(t, filepath.Join(dir, WorkDir))
	w := Watch{Folders: []string{dir}, Poll: 5 * time.Millisecond, Quiet: time.Millisecond, Log: slog.New(slog.DiscardHandler)}
	changes := w.Changes(t.Context())
	write(t, filepath.Join(dir, WorkDir, "store.1.tmp"), "x")
	select {
	case <-changes:
		t.Error("a temporary file of the agent's own was told as a change")
	case <-time.After(100 * time.Millisecond):
	}
}

func TestManyChangesInARowAreToldOnce(t *testing.T) {
	dir := t.TempDir()
	w := Watch{Folders: []string{dir}, Poll: 5 * time.Millisecond, Quiet: 200 * time.Millisecond, Log: slog.New(slog.DiscardHandler)}
	changes := w.Changes(t.Context())
	for _, content := range []string{"1", "22", "333"} {
		write(t, filepath.Join(dir, "store"), content)
	}
	<-changes
	select {
	case <-changes:
		t.Error("told twice")
	case <-time.After(400 * time.Millisecond):
	}
}

func inode(t *testing.T, path string) uint64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Ino
}

func assertNoTemps(t *testing.T, dir string) {
	t.Helper()
	if left, _ := filepath.Glob(filepath.Join(dir, "*"+tempSuffix)); len(left) > 0 {
		t.Errorf("temporary files left: %v", left)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func mkdir(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(path, 0o700); err != nil {
		t.Fatal(err)
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}
