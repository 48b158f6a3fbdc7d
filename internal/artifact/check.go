package artifact

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
)

// Reasons for which bytes are not the artifact.
var (
	ErrDigest  = errors.New("wrong SHA-256")
	ErrContent = errors.New("not the file that it should be")
)

// Limits of an artifact. The agent looks into it with no more memory than a small part of it takes.
const (
	sizeLimit      = 64 << 20 // bytes
	unpackedLimit  = 1 << 30  // bytes of its entries together: a small zip can unpack to anything
	directoryLimit = 2 << 20  // bytes of its directory, which is kept in memory: some 20,000 entries
)

var errDirectory = fmt.Errorf("its list of entries has more than %d MiB", directoryLimit>>20)

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// digestOfFile reads f to its end.
func digestOfFile(f *os.File) (string, error) {
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(f, 0, sizeLimit+1)); err != nil {
		return "", fmt.Errorf("read %s: %w", f.Name(), err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// directoryReader reads a zip file, and not much of it while its directory is read.
type directoryReader struct {
	io.ReaderAt
	left int64
}

func (r *directoryReader) ReadAt(p []byte, at int64) (int, error) {
	if r.left -= int64(len(p)); r.left < 0 {
		return 0, errDirectory
	}
	return r.ReaderAt.ReadAt(p, at)
}

// checkContent returns an error that wraps ErrContent unless f is what the artifact's name promises: a zip file of
// which every entry can be read and has the checksum it should have, and which holds what it must. So neither the page
// of an error nor a file put together from two is taken for a jar, even without a digest.
func (a Artifact) checkContent(f *os.File) error {
	if !a.isArchive() {
		return nil
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	r := &directoryReader{f, directoryLimit}
	z, err := zip.NewReader(r, info.Size())
	if errors.Is(err, errDirectory) {
		return fmt.Errorf("%w: %w", ErrContent, err)
	}
	if err != nil {
		begin := make([]byte, 40)
		n, _ := f.ReadAt(begin, 0)
		return fmt.Errorf("%w: it is no zip file, or not all of one (%w); it has %d bytes and begins with %q", ErrContent, err, info.Size(), begin[:n])
	}
	r.left = math.MaxInt64
	left, found := int64(unpackedLimit), a.Contains == ""
	for _, entry := range z.File {
		n, err := unpack(entry, left)
		if err != nil {
			return fmt.Errorf("%w: its entry %q cannot be read: %w", ErrContent, entry.Name, err)
		}
		left -= n
		found = found || holds(entry.Name, a.Contains)
	}
	if !found {
		return fmt.Errorf("%w: %s is not in it", ErrContent, a.Contains)
	}
	return nil
}

// unpack reads an entry to its end, where its checksum is compared, and returns its size.
func unpack(entry *zip.File, limit int64) (int64, error) {
	r, err := entry.Open()
	if err != nil {
		return 0, err
	}
	defer r.Close()
	n, err := io.Copy(io.Discard, io.LimitReader(r, limit+1))
	if err == nil && n > limit {
		err = fmt.Errorf("it unpacks to more than %d MiB", unpackedLimit>>20)
	}
	return n, err
}

// holds tells whether an entry is the class or the entry that is looked for.
func holds(entry, what string) bool {
	entry = strings.TrimPrefix(entry, "/")
	return entry == what || entry == strings.ReplaceAll(what, ".", "/")+".class"
}
