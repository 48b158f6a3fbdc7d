package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
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

// TestALockOnARemovedFileIsNone: a process that opened the file before its removal must not count as the holder.
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

func TestASecondHolderOfTheLockWaitsAndReportsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
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
	})
}

// TestLockDoesNotReportAWaitOfAMoment: a pass of another agent takes less than a second.
func TestLockDoesNotReportAWaitOfAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "lock")
		unlock, err := Lock(t.Context(), path, nil)
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(2*time.Second, unlock)
		unlock, err = Lock(t.Context(), path, func() { t.Error("the wait is reported") })
		if err != nil {
			t.Fatal(err)
		}
		unlock()
	})
}

func TestWhatIsNoRegularFileHoldsUpNobodyAtALock(t *testing.T) {
	dir := t.TempDir()
	pipe, link := filepath.Join(dir, "pipe"), filepath.Join(dir, "link")
	if err := errors.Join(syscall.Mkfifo(pipe, 0o600), os.Symlink(filepath.Join(dir, "elsewhere"), link)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{pipe, link} {
		_, locked := Locked(path)
		_, _, tried := TryLock(path)
		if locked == nil || tried == nil {
			t.Errorf("%s: Locked = %v, TryLock = %v; want errors", path, locked, tried)
		}
	}
	if _, err := os.Lstat(filepath.Join(dir, "elsewhere")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a file was made where the link leads")
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

func TestWhatIsNoRegularFileHoldsUpNoWriter(t *testing.T) {
	dir := t.TempDir()
	pipe, sparse := filepath.Join(dir, "pipe"), filepath.Join(dir, "sparse")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Write(pipe, []byte("new"), 0o600, filepath.Join(dir, WorkDir)); err == nil || !strings.Contains(err.Error(), "remove it") {
		t.Errorf("a named pipe: %v", err)
	}
	if err := os.WriteFile(sparse, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(sparse, 1<<40); err != nil { // more than fits into memory
		t.Fatal(err)
	}
	if changed, err := Write(sparse, []byte("new"), 0o600, filepath.Join(dir, WorkDir)); err != nil || !changed {
		t.Errorf("a huge file: %v, %v", changed, err)
	}
	if got, _ := os.ReadFile(sparse); string(got) != "new" {
		t.Errorf("%d bytes", len(got))
	}
}

func TestAFileThatIsChangedAllTheTimeHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "certs.pem")
		n := 0
		began := time.Now()
		if err := os.WriteFile(path, []byte("half"), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := ReadStable(t.Context(), path, 100, func([]byte) error {
			n++
			if n > 1000 {
				t.Fatal("it is read for ever")
			}
			if err := os.WriteFile(path, fmt.Appendf(nil, "half %d", n), 0o644); err != nil {
				t.Fatal(err)
			}
			return errors.New("half-written")
		})
		if err == nil || !strings.Contains(err.Error(), "half-written") || time.Since(began) > 2*time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
}
