package artifact

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"wso2agent/internal/file"
	"wso2agent/internal/remedy"
)

// wantedDigest is the digest that an artifact must have.
type wantedDigest struct {
	digest string // empty: any
	pinned bool   // it comes from an earlier fetch, and not from the list
}

// wanted is the digest in the list or, without one, that of the first fetch. For a file on this machine it is the digest
// that the file has now, because its owner may change it.
func (f Fetcher) wanted(a Artifact, was record) (wantedDigest, error) {
	switch {
	case a.SHA256 != "":
		return wantedDigest{digest: a.SHA256}, nil
	case a.File != "":
		f, err := file.Open(a.File, sizeLimit)
		if err != nil {
			return wantedDigest{}, fmt.Errorf("read the artifact for %s: %w", a.Destination, err)
		}
		defer f.Close()
		digest, err := digestOfFile(f)
		return wantedDigest{digest: digest}, err
	case was.Source == a.source():
		return wantedDigest{digest: was.SHA256, pinned: true}, nil
	}
	return wantedDigest{}, nil
}

// inHome looks for the artifact in the server's home, because a user's own image may have it there.
func (f Fetcher) inHome(a Artifact) (at, digest string, ok bool) {
	if f.Home == "" {
		return "", "", false
	}
	at = filepath.Join(f.Home, filepath.FromSlash(a.Destination))
	there, err := file.Open(at, sizeLimit)
	if err != nil {
		return "", "", false
	}
	defer there.Close()
	digest, err = digestOfFile(there)
	return at, digest, err == nil && a.checkContent(there) == nil
}

// obtain copies or downloads the artifact to d.part and checks it. It returns the digest and the source.
func (f Fetcher) obtain(ctx context.Context, d download, wanted wantedDigest) (digest, from string, err error) {
	check := func(part *os.File) (err error) {
		digest, err = f.check(d.a, wanted, part)
		return err
	}
	local := d.a.File
	if local == "" && f.SourceDir != "" {
		local = filepath.Join(f.SourceDir, d.a.base())
		if _, err := os.Stat(local); errors.Is(err, fs.ErrNotExist) {
			local = ""
		}
	}
	if local != "" {
		if err := d.copy(local, check); err != nil {
			return "", "", fmt.Errorf("use %s for %s: %w", local, d.a.Destination, err)
		}
		return digest, local, nil
	}
	if err := d.run(ctx, check); err != nil {
		return "", "", remedy.Add(fmt.Errorf("fetch %s: %w", d.a.source(), err),
			"put it on the artifact volume by hand as %s, or into a folder named by ARTIFACT_SOURCE_DIR, or let the agent reach its address (HTTPS_PROXY)", d.a.Destination)
	}
	return digest, d.a.source(), nil
}

// check returns the digest of a file, or the reason why it is not the artifact. It checks the content first: "a web page"
// says more than a wrong digest.
func (f Fetcher) check(a Artifact, wanted wantedDigest, part *os.File) (digest string, err error) {
	if err := a.checkContent(part); err != nil {
		return "", err
	}
	found, err := digestOfFile(part)
	switch {
	case err != nil:
		return "", err
	case wanted.digest == "" || found == wanted.digest:
		return found, nil
	case wanted.pinned:
		return "", remedy.Add(fmt.Errorf("%w: it is %s, and was %s at the first fetch", ErrDigest, found, wanted.digest),
			"ask the maker of the file why; if the new one is right, give it as sha256 in ARTIFACTS_FILE, or remove the entry %s from %s", a.Destination, filepath.Join(f.work(), "artifacts.json"))
	}
	return "", remedy.Add(fmt.Errorf("%w: it is %s, and should be %s", ErrDigest, found, wanted.digest),
		"if the list is wrong, correct its sha256; otherwise do not use this file")
}

// putInPlace moves the checked part to the destination in one step. Everybody may read the file, because the product's
// entrypoint stops the container at a file that it cannot read.
func (f Fetcher) putInPlace(known records, d download, now record) error {
	err := known.put(d.a.Destination, now)
	if err == nil {
		if err = file.Move(d.part, f.place(d.a), 0o644); err != nil {
			err = fmt.Errorf("put the artifact in place: %w", err)
		}
	}
	return errors.Join(err, d.discard())
}

// otherVersions are the files next to place that differ from it only in their version.
func otherVersions(place string) (names []string) {
	entries, _ := os.ReadDir(filepath.Dir(place))
	for _, e := range entries {
		if own := filepath.Base(place); e.Name() != own && sameButVersion(path.Base(own), e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names
}
