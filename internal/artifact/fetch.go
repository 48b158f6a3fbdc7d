package artifact

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"time"

	"wso2agent/internal/file"
)

// ErrNoVolume says that the folder of the artifact volume is not there. It is not made: a folder in the agent's
// own container would help nobody.
var ErrNoVolume = errors.New("there is no artifact volume")

// State is what became of an artifact.
type State string

// States of an artifact.
const (
	Fetched State = "fetched" // it was put in place
	Present State = "present" // it was in place; nothing was asked of anybody
	Kept    State = "kept"    // another file is in its place, which somebody else put there and which will do
	Failed  State = "failed"  // it could not be had; what was in its place is still there
)

// Outcome tells what became of one artifact.
type Outcome struct {
	Artifact
	State  State
	At     string   // path of the file that is meant
	From   string   // where it was fetched from
	Found  string   // SHA-256 of the file in place, where one is
	Pinned bool     // Found was not known before, and is demanded of every later fetch from the same address
	Others []string // other versions in the same folder, which the server would load as well
	Err    error    // why it failed, and what to do
}

// Fetcher puts artifacts on the artifact volume. While it works, and whenever it is killed, there is at an artifact's
// destination a whole and checked file, or what was there before.
type Fetcher struct {
	Volume     string                                // the artifact volume
	Home       string                                // the server's home, if it can be seen: a file that is there need not be fetched; else empty
	SourceDir  string                                // a folder with files to use in place of the network, by the last part of the URL; else empty
	Roots      *x509.CertPool                        // who may sign the servers' certificates; nil: the system's
	Proxy      func(*http.Request) (*url.URL, error) // nil: HTTPS_PROXY and NO_PROXY of the environment
	Tries      int                                   // how often each download is tried; 0 is 4
	RetryFirst time.Duration                         // wait before the second try, doubled each time; 0 is 1 s
	Log        *slog.Logger
}

// Fetch puts each artifact of the list in its place, unless it is there, and tells what became of each, in their order.
// None of them stops another.
func (f Fetcher) Fetch(ctx context.Context, list []Artifact) []Outcome {
	if len(list) == 0 {
		return nil
	}
	known, unlock, err := f.open(ctx, list)
	if err == nil {
		defer unlock()
	}
	client := newClient(f.Roots, f.Proxy)
	defer client.CloseIdleConnections()
	outcomes := make([]Outcome, len(list))
	for i, a := range list {
		outcomes[i] = Outcome{Artifact: a, At: f.place(a)}
		if err != nil {
			f.withoutVolume(&outcomes[i], err)
			continue
		}
		f.fetch(ctx, client, known, &outcomes[i])
		outcomes[i].Others = otherVersions(f.place(a))
	}
	return outcomes
}

func (f Fetcher) place(a Artifact) string {
	return filepath.Join(f.Volume, filepath.FromSlash(a.Destination))
}

// Has reports whether there is a file in the artifact's place on the volume, whatever is in it.
func (f Fetcher) Has(a Artifact) bool {
	_, err := os.Stat(f.place(a))
	return err == nil
}

func (f Fetcher) work() string { return filepath.Join(f.Volume, file.WorkDir) }

// open makes the volume ready and takes its lock. The folders of the destinations come first of all: a volume with
// nothing but the agent's dot folder would end the product's container, whose entrypoint copies <volume>/*.
func (f Fetcher) open(ctx context.Context, list []Artifact) (records, func(), error) {
	if _, err := os.Stat(f.Volume); errors.Is(err, fs.ErrNotExist) {
		return records{}, nil, fmt.Errorf("%w at %s: mount one there, or set ARTIFACT_DIR", ErrNoVolume, f.Volume)
	}
	for _, a := range list {
		if err := os.MkdirAll(filepath.Dir(f.place(a)), 0o755); err != nil {
			return records{}, nil, fmt.Errorf("make a folder on the artifact volume: %w; it must belong to the user that the server and its agent run as, here %d:%d",
				err, os.Geteuid(), os.Getegid())
		}
	}
	unlock, err := file.Lock(ctx, filepath.Join(f.work(), "artifacts.lock"), func() {
		f.Log.Warn("another agent is fetching artifacts, waiting for it", "volume", f.Volume)
	})
	if err != nil {
		return records{}, nil, err
	}
	known, err := readRecords(filepath.Join(f.work(), "artifacts.json"))
	if err != nil {
		unlock()
		return records{}, nil, err
	}
	return known, unlock, nil
}

// withoutVolume ends an artifact for which there is nowhere to go; the server's image may have it all the same.
func (f Fetcher) withoutVolume(o *Outcome, err error) {
	o.State, o.Err = Failed, err
	if at, digest, ok := f.inHome(o.Artifact); ok {
		o.State, o.At, o.Found, o.Err = Kept, at, digest, nil
	}
}

// fetch puts one artifact in its place, unless it is there.
func (f Fetcher) fetch(ctx context.Context, client *http.Client, known records, o *Outcome) {
	o.State = Failed
	was := known.by[o.Destination]
	wanted, err := f.wanted(o.Artifact, was)
	if err != nil {
		o.Err = err
		return
	}
	bad, err := o.look(was, wanted)
	switch {
	case o.State != Failed:
		return
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		o.Err = fmt.Errorf("read what is in the artifact's place: %w; the server must be able to read it, so make it readable or remove it", err)
		return
	case err != nil:
		if at, digest, ok := f.inHome(o.Artifact); ok {
			o.State, o.At, o.Found = Kept, at, digest
			return
		}
	}
	d := newDownload(client, o.Artifact, f.work(), f.Tries, f.RetryFirst, f.Log)
	digest, from, err := f.obtain(ctx, d, wanted)
	if err == nil {
		next := record{Source: o.source(), SHA256: digest}
		if was.ours(o.Found) {
			next.Was = o.Found
		}
		err = f.putInPlace(known, d, next)
	}
	switch {
	case err != nil && bad != nil:
		o.Err = fmt.Errorf("%w; what is in its place will not do either: %w", err, bad)
		return
	case err != nil:
		o.Err = err
		return
	}
	o.State, o.Found, o.From, o.Pinned = Fetched, digest, from, wanted.digest == ""
}

// look says of what is in the artifact's place whether it is the right one, or will do. bad is why it will not.
func (o *Outcome) look(was record, wanted wantedDigest) (bad, err error) {
	there, err := file.Open(o.At, sizeLimit)
	if err != nil {
		return nil, err
	}
	defer there.Close()
	if o.Found, err = digestOfFile(there); err != nil {
		return nil, err
	}
	if o.Found == wanted.digest {
		o.State = Present
		return nil, nil
	}
	if bad = o.checkContent(there); bad == nil && !was.ours(o.Found) {
		o.State = Kept
	}
	return bad, nil
}

// wantedDigest is the digest that an artifact must have, and who says so.
type wantedDigest struct {
	digest string // empty: any
	pinned bool   // it is that of an earlier fetch
}

// wanted is the digest that the list gives or, without one, that of the first fetch. A file of this machine needs no
// pin: it is what its owner wants now.
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

// inHome looks for the artifact in the server's own home, where a user's own image may have it.
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

// obtain brings the artifact to the place of d's part, checked, and returns its digest and where it is from.
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
			return "", "", fmt.Errorf("take %s for %s: %w", local, d.a.Destination, err)
		}
		return digest, local, nil
	}
	if err := d.run(ctx, check); err != nil {
		return "", "", fmt.Errorf("fetch %s: %w; put it on the artifact volume by hand as %s, or into a folder named by ARTIFACT_SOURCE_DIR, or let the agent reach its address (HTTPS_PROXY)",
			d.a.source(), err, d.a.Destination)
	}
	return digest, d.a.source(), nil
}

// check returns the digest of a file, or why it is not the artifact. The content comes first: that it is a web page tells
// more than its digest.
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
		return "", fmt.Errorf("%w: it is %s, and was %s when it was first fetched: ask its maker why; if the new one is right, give it as sha256 in ARTIFACTS_FILE, or take the entry %s out of %s",
			ErrDigest, found, wanted.digest, a.Destination, filepath.Join(f.work(), "artifacts.json"))
	}
	return "", fmt.Errorf("%w: it is %s, and should be %s: if the list is wrong, correct its sha256; if not, do not use this file", ErrDigest, found, wanted.digest)
}

// putInPlace moves what has been checked to the destination, whole or not at all. Everybody may read it: the product's
// entrypoint ends its container over one file that it cannot read.
func (f Fetcher) putInPlace(known records, d download, now record) error {
	err := known.put(d.a.Destination, now)
	if err == nil {
		if err = file.Move(d.part, f.place(d.a), 0o644); err != nil {
			err = fmt.Errorf("put the artifact in place: %w", err)
		}
	}
	return errors.Join(err, d.discard())
}

// otherVersions are the files beside place that differ from it in their version alone.
func otherVersions(place string) (names []string) {
	entries, _ := os.ReadDir(filepath.Dir(place))
	for _, e := range entries {
		if own := filepath.Base(place); e.Name() != own && sameButVersion(path.Base(own), e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names
}
