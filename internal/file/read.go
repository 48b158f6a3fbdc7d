package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
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

// Read returns the bytes of a regular file of at most limit bytes. Anything longer is ErrTooLarge, anything that is no
// regular file an error, before a byte of it is read.
func Read(path string, limit int64) ([]byte, error) {
	// Without O_NONBLOCK a named pipe, which anybody can make on a shared volume, would hold up the opening for ever.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("read %s: not a regular file but %s", path, info.Mode().Type())
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("read %s: %w: more than %d bytes", path, ErrTooLarge, limit)
	}
	return data, nil
}

// ReadStable reads a file that others may be rewriting in place, until whole accepts the bytes. Bytes that whole
// refuses are read again a moment later; its error is believed when two reads in a row are equal, and after six reads, a
// second later.
func ReadStable(ctx context.Context, path string, limit int64, whole func([]byte) error) ([]byte, error) {
	var previous []byte
	for read := 1; ; read++ {
		data, err := Read(path, limit)
		if err != nil {
			return nil, err
		}
		bad := whole(data)
		if bad == nil {
			return data, nil
		}
		if previous != nil && bytes.Equal(previous, data) || read == maxReads {
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
