package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// lockRetry is how often a taken lock is tried again: flock has no way to wait that a context could end. lockPatience is
// how long it may be taken before anybody is told: a pass of another agent takes less.
const (
	lockRetry    = 250 * time.Millisecond
	lockPatience = 3 * time.Second
)

// LockPath returns the path of the lock that an agent holds while it changes the files of the server whose working folder
// is workDir.
func LockPath(workDir string) string { return filepath.Join(workDir, "lock") }

// Lock takes the lock at path, a file that is made if need be, and returns the function that gives it back. While
// another process holds it, Lock waits until ctx ends; after some seconds it calls waiting, once. The lock ends with the
// process that holds it, however that ends.
//
// Who holds the lock may remove its file: whoever waited for it then takes the lock at a file of its own making.
func Lock(ctx context.Context, path string, waiting func()) (unlock func(), err error) {
	since := time.Now()
	for told := false; ; {
		f, err := tryLock(path)
		if err != nil {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		if f != nil {
			return func() { f.Close() }, nil
		}
		if !told && time.Since(since) >= lockPatience {
			told = true
			waiting()
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("lock %s: another agent holds it: %w", path, context.Cause(ctx))
		case <-time.After(lockRetry):
		}
	}
}

// TryLock takes the lock at path as Lock does, and does not wait; ok is false while another process holds it.
func TryLock(path string) (unlock func(), ok bool, err error) {
	f, err := tryLock(path)
	if err != nil {
		return nil, false, fmt.Errorf("lock %s: %w", path, err)
	}
	if f == nil {
		return nil, false, nil
	}
	return func() { f.Close() }, true, nil
}

// Locked tells whether a process holds the lock at path. It makes no file.
func Locked(path string) (bool, error) {
	f, err := openLock(path, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look at the lock %s as user %d: %w; run as its owner", path, os.Getuid(), err)
	}
	defer f.Close()
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
		switch {
		case err == nil:
			return false, nil
		case errors.Is(err, syscall.EWOULDBLOCK):
			return true, nil
		case !errors.Is(err, syscall.EINTR):
			return false, fmt.Errorf("look at the lock %s: %w", path, err)
		}
	}
}

// tryLock returns the locked file, or nothing if another process holds the lock or has just removed its file.
func tryLock(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	f, err := openLock(path, os.O_CREATE|os.O_RDWR)
	if errors.Is(err, fs.ErrNotExist) { // its folder was removed a moment ago
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil && isAt(path, f) {
		return f, nil
	}
	f.Close()
	if err == nil || errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, syscall.EINTR) {
		return nil, nil
	}
	return nil, err
}

// openLock opens the file at path, and nothing else that may be in its place: a named pipe would hold up the opening.
func openLock(path string, flag int) (*os.File, error) {
	f, err := os.OpenFile(path, flag|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		return nil, errors.Join(err, fmt.Errorf("%s: %w; remove it", path, errNotRegular))
	}
	return f, nil
}

// isAt tells whether f is still the file at path: a lock on a removed file keeps nobody out.
func isAt(path string, f *os.File) bool {
	own, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(own, there)
}
