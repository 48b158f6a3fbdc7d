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

// ErrTooLarge says that a file is larger than its reader allows.
var ErrTooLarge = errors.New("file is too large")

// rereadAfter is how long a writer gets to finish a file that was read half-written, and maxReads how often it is read at
// most: who changes a file all the time must not hold up its reader.
const (
	rereadAfter = 200 * time.Millisecond
	maxReads    = 6
)

// folder is what this package needs of a folder: *os.Root keeps to what is below it, anywhere goes wherever a path leads.
type folder interface {
	Lstat(name string) (fs.FileInfo, error)
	OpenFile(name string, flag int, mode fs.FileMode) (*os.File, error)
	MkdirAll(name string, mode fs.FileMode) error
	Rename(from, to string) error
	Remove(name string) error
}

type anywhere struct{}

func (anywhere) Lstat(name string) (fs.FileInfo, error)       { return os.Lstat(name) }
func (anywhere) MkdirAll(name string, mode fs.FileMode) error { return os.MkdirAll(name, mode) }
func (anywhere) Rename(from, to string) error                 { return os.Rename(from, to) }
func (anywhere) Remove(name string) error                     { return os.Remove(name) }
func (anywhere) OpenFile(name string, flag int, mode fs.FileMode) (*os.File, error) {
	return os.OpenFile(name, flag, mode)
}

// Open opens a regular file of at most limit bytes for reading. Anything longer is ErrTooLarge, anything that is no
// regular file an error, before a byte of it is read.
func Open(path string, limit int64) (*os.File, error) { return open(anywhere{}, path, limit) }

func open(in folder, name string, limit int64) (*os.File, error) {
	// Without O_NONBLOCK a named pipe, which anybody can make on a shared volume, would hold up the opening for ever.
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

// Read returns the bytes of a file that Open accepts.
func Read(path string, limit int64) ([]byte, error) { return read(anywhere{}, path, limit) }

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
	if int64(len(data)) > limit { // it has grown, or is one of the kernel's, whose size is not known
		return nil, tooLarge(f, limit)
	}
	return data, nil
}

// ReadStable reads a file that others may be rewriting in place, until whole accepts the bytes. Bytes that whole
// refuses are read again a moment later; its error is believed when two reads in a row are equal, and after six reads, a
// second later.
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
