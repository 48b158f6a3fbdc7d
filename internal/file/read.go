package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// ErrTooLarge means that a file is larger than its reader allows.
var ErrTooLarge = errors.New("file is too large")

// rereadAfter is the time that a writer gets to finish a file that the reader found half-written. maxReads limits the reads,
// so that a process that changes a file all the time does not block its reader.
const (
	rereadAfter = 200 * time.Millisecond
	maxReads    = 6
)

// folder is what this package needs of a folder. *os.Root stays below its folder; anywhere follows every path.
type folder interface {
	Lstat(name string) (fs.FileInfo, error)
	OpenFile(name string, flag int, mode fs.FileMode) (*os.File, error)
	MkdirAll(name string, mode fs.FileMode) error
	Rename(from, to string) error
	Remove(name string) error
	Chtimes(name string, access, modification time.Time) error
}

type anywhere struct{}

func (anywhere) Lstat(name string) (fs.FileInfo, error)       { return os.Lstat(name) }
func (anywhere) MkdirAll(name string, mode fs.FileMode) error { return os.MkdirAll(name, mode) }
func (anywhere) Rename(from, to string) error                 { return os.Rename(from, to) }
func (anywhere) Remove(name string) error                     { return os.Remove(name) }
func (anywhere) Chtimes(name string, a, m time.Time) error    { return os.Chtimes(name, a, m) }
func (anywhere) OpenFile(name string, flag int, mode fs.FileMode) (*os.File, error) {
	return os.OpenFile(name, flag, mode)
}

// Open opens a regular file of at most limit bytes for reading. The error for a larger file wraps ErrTooLarge. Open reads no
// byte of a file that it refuses.
func Open(path string, limit int64) (*os.File, error) { return open(anywhere{}, path, limit) }

func open(in folder, name string, limit int64) (*os.File, error) {
	// Without O_NONBLOCK an open of a named pipe could block for ever. Anybody can make one on a shared volume.
	f, err := in.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = fmt.Errorf("read %s: not a regular file but %s", f.Name(), info.Mode().Type())
	case info.Size() > limit:
		err = tooLarge(f, limit)
	default:
		return f, nil
	}
	f.Close()
	return nil, err
}

func tooLarge(f *os.File, limit int64) error {
	return fmt.Errorf("read %s: %w: more than %d bytes", f.Name(), ErrTooLarge, limit)
}

// Read returns the bytes of a file. It refuses the files that Open refuses.
func Read(path string, limit int64) ([]byte, error) { return read(anywhere{}, path, limit) }

// ReadIn is Read of a name below root. It follows no link out of root.
func ReadIn(root *os.Root, name string, limit int64) ([]byte, error) { return read(root, name, limit) }

func read(in folder, name string, limit int64) ([]byte, error) {
	f, err := open(in, name, limit)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Name(), err)
	}
	if int64(len(data)) > limit { // it has grown, or it is a file of the kernel, whose size Stat does not know
		return nil, tooLarge(f, limit)
	}
	return data, nil
}

// ReadStable reads a file that another process may rewrite in place, until whole accepts the bytes. If whole returns an error,
// ReadStable reads the file again after 200 ms. It returns that error when two reads in a row are equal, and after six reads.
func ReadStable(ctx context.Context, path string, limit int64, whole func([]byte) error) ([]byte, error) {
	return readStable(ctx, path, func() ([]byte, error) { return Read(path, limit) }, whole)
}

// ReadStableIn is ReadStable for a file below root. A symbolic link that leads out of root is an error.
func ReadStableIn(ctx context.Context, root *os.Root, name string, limit int64, whole func([]byte) error) ([]byte, error) {
	return readStable(ctx, filepath.Join(root.Name(), name), func() ([]byte, error) { return read(root, name, limit) }, whole)
}

func readStable(ctx context.Context, path string, read func() ([]byte, error), whole func([]byte) error) ([]byte, error) {
	var previous []byte
	for n := 1; ; n++ {
		data, err := read()
		if err != nil {
			return nil, err
		}
		bad := whole(data)
		if bad == nil {
			return data, nil
		}
		if previous != nil && bytes.Equal(previous, data) || n == maxReads {
			return nil, fmt.Errorf("%s: %w", path, bad)
		}
		previous = append([]byte{}, data...)
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%s: %w", path, errors.Join(bad, context.Cause(ctx)))
		case <-time.After(rereadAfter):
		}
	}
}
