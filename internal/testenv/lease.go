package testenv

import (
	"os"
	"syscall"
	"testing"
)

// NeedLeases skips a test where the file system of temporary folders has no leases (fcntl(2), F_SETLEASE): nothing tells
// there who has a file open for writing.
func NeedLeases(t *testing.T) {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if f, err = os.Open(f.Name()); err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, _, errno := syscall.Syscall(syscall.SYS_FCNTL, f.Fd(), syscall.F_SETLEASE, syscall.F_RDLCK); errno != 0 {
		t.Skipf("the file system has no leases: %v", errno)
	}
}
