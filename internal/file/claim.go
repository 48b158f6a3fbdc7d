package file

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"syscall"
)

// ErrBeingWritten means that another process is writing a file.
var ErrBeingWritten = errors.New("somebody is writing it")

// claim checks that the file at path has the bytes before and that no process has it open for writing. Until the caller calls
// release, new writers wait in open(2). For both, claim takes a lease (fcntl(2), F_SETLEASE). The kernel grants no lease while
// a file is open for writing. On file systems without leases, such as network file systems, claim only compares the bytes.
// other is a file on the same file system that nobody writes.
func claim(path string, before []byte, other string) (release func(), err error) {
	f, err := Open(path, int64(len(before)))
	if errors.Is(err, ErrTooLarge) {
		return nil, errChanged
	}
	if err != nil {
		return nil, err
	}
	leased, err := lease(f)
	if errors.Is(err, syscall.EAGAIN) && leasable(other) {
		f.Close()
		return nil, fmt.Errorf("%w: it is open for writing", ErrBeingWritten)
	}
	now, err := read(anywhere{}, path, int64(len(before)))
	if err == nil && (!bytes.Equal(now, before) || !isAt(path, f) || leased && wanted(f)) {
		err = errChanged
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}

var errChanged = fmt.Errorf("%w: it has changed since it was read", ErrBeingWritten)

// lease takes a lease on f, which ends when f is closed. The error is EAGAIN while a process has the file open for writing.
func lease(f *os.File) (ok bool, err error) {
	_, _, errno := syscall.Syscall(syscall.SYS_FCNTL, f.Fd(), syscall.F_SETLEASE, syscall.F_RDLCK)
	if errno != 0 {
		return false, errno
	}
	return true, nil
}

// wanted reports whether a process waits to open f for writing. This process has a lease on f.
func wanted(f *os.File) bool {
	kind, _, errno := syscall.Syscall(syscall.SYS_FCNTL, f.Fd(), syscall.F_GETLEASE, 0)
	return errno == 0 && kind != syscall.F_RDLCK
}

// leasable reports whether the file system of the file at path grants leases. Some refuse every lease with EAGAIN.
func leasable(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	ok, _ := lease(f)
	return ok
}
