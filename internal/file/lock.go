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

	"wso2agent/internal/remedy"
)

// lockRetry is the interval at which Lock tries a taken lock again, because no context can end a wait of flock. lockPatience
// is the time after which Lock calls waiting. A pass of another agent takes less.
const (
	lockRetry    = 250 * time.Millisecond
	lockPatience = 3 * time.Second
)

// LockPath returns the path of the lock that an agent holds while it changes the files of the server whose working folder
// is workDir.
func LockPath(workDir string) string { return filepath.Join(workDir, "lock") }

// Lock takes the lock at path and returns the function that releases it. Lock creates the file if it is missing. While
// another process holds the lock, Lock waits until ctx ends; after three seconds it calls waiting, once. The kernel releases
// the lock when the process that holds it ends.
//
// The holder may remove the file. A process that waits then creates the file again and takes that lock.
func Lock(ctx context.Context, path string, waiting func()) (unlock func(), err error) {
	since := time.Now()
	for reported := false; ; {
		f, err := tryLock(path)
		if err != nil {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		if f != nil {
			return func() { f.Close() }, nil
		}
		if !reported && time.Since(since) >= lockPatience {
			reported = true
			waiting()
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("lock %s: another agent holds it: %w", path, context.Cause(ctx))
		case <-time.After(lockRetry):
		}
	}
}

// TryLock is Lock without the wait: ok is false while another process holds the lock.
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

// Locked reports whether a process holds the lock at path. It creates no file.
func Locked(path string) (bool, error) {
	f, err := openLock(path, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, remedy.Add(fmt.Errorf("read the lock %s as user %d: %w", path, os.Getuid(), err), "run as its owner")
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
			return false, fmt.Errorf("read the lock %s: %w", path, err)
		}
	}
}

// tryLock returns the locked file, or nil if another process holds the lock or has just removed its file.
func tryLock(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	f, err := openLock(path, os.O_CREATE|os.O_RDWR)
	if errors.Is(err, fs.ErrNotExist) { // a process has just removed the folder
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

// openLock opens the regular file at path and refuses anything else. An open of a named pipe could block.
func openLock(path string, flag int) (*os.File, error) {
	f, err := os.OpenFile(path, flag|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		return nil, errors.Join(err, remedy.Add(fmt.Errorf("%s: %w", path, errNotRegular), "remove it"))
	}
	return f, nil
}

// isAt reports whether f is still the file at path. A lock on a removed file keeps nobody out.
func isAt(path string, f *os.File) bool {
	own, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(own, there)
}
