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

// Reasons why bytes are not the artifact.
var (
	ErrDigest  = errors.New("wrong SHA-256")
	ErrContent = errors.New("not the expected file")
)

// Limits of an artifact in bytes. The agent checks an artifact on disk, with little memory.
const (
	sizeLimit      = 64 << 20
	unpackedLimit  = 1 << 30 // of all entries together, because a small zip file can unpack to any size
	directoryLimit = 2 << 20 // of its list of entries, which is in memory: some 20,000 entries
)

var errDirectory = fmt.Errorf("its list of entries has more than %d MiB", directoryLimit>>20)

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// digestOfFile reads f to its end, or to one byte more than sizeLimit.
func digestOfFile(f *os.File) (string, error) {
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(f, 0, sizeLimit+1)); err != nil {
		return "", fmt.Errorf("read %s: %w", f.Name(), err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// directoryReader reads a zip file. It ends with errDirectory when archive/zip reads more than left bytes for the directory.
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

// checkContent reads all entries of a zip file and compares their checksums. The error wraps ErrContent if an entry cannot
// be read or the required one is missing. So the agent takes neither an error page nor a file that was put together from
// two downloads for a jar, even without a digest.
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
		return fmt.Errorf("%w: it is no zip file, or an incomplete one (%w); it has %d bytes and begins with %q", ErrContent, err, info.Size(), begin[:n])
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
		return fmt.Errorf("%w: it does not contain %s", ErrContent, a.Contains)
	}
	return nil
}

// unpack reads an entry to its end, where archive/zip compares the checksum. It returns the size of the entry in bytes.
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

// holds reports whether an entry of a zip file is the required class or entry.
func holds(entry, what string) bool {
	entry = strings.TrimPrefix(entry, "/")
	return entry == what || entry == strings.ReplaceAll(what, ".", "/")+".class"
}
