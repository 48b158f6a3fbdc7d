package server

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Reasons for which bytes are not the artifact.
var (
	ErrArtifactDigest  = errors.New("wrong SHA-256")
	ErrArtifactContent = errors.New("not the file that it should be")
)

// artifactLimit is the most that an artifact may hold, in bytes.
const artifactLimit = 64 << 20

// unpackedLimit is the most that the entries of an artifact may hold together, in bytes: a small zip can unpack to
// anything.
const unpackedLimit = 1 << 30

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// checkContent returns an error that wraps ErrArtifactContent unless data is what the artifact's name promises: a zip
// file of which every entry can be read and has the checksum it should have, and which holds what it must. So neither
// the page of an error nor a file put together from two is taken for a jar, even without a digest.
func (a Artifact) checkContent(data []byte) error {
	if !a.isArchive() {
		return nil
	}
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return fmt.Errorf("%w: it is no zip file, or not all of one (%w); it has %d bytes and begins with %q", ErrArtifactContent, err, len(data), data[:min(len(data), 40)])
	}
	left, found := int64(unpackedLimit), a.Contains == ""
	for _, entry := range z.File {
		n, err := unpack(entry, left)
		if err != nil {
			return fmt.Errorf("%w: its entry %q cannot be read: %w", ErrArtifactContent, entry.Name, err)
		}
		left -= n
		found = found || holds(entry.Name, a.Contains)
	}
	if !found {
		return fmt.Errorf("%w: %s is not in it", ErrArtifactContent, a.Contains)
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
