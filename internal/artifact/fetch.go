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
	"path/filepath"
	"time"

	"wso2agent/internal/file"
	"wso2agent/internal/remedy"
)

// ErrNoVolume says that the folder of the artifact volume does not exist. The agent does not make it, because a folder in
// the agent's own container does not reach the server.
var ErrNoVolume = errors.New("there is no artifact volume")

// State is what became of an artifact.
type State string

// States of an artifact.
const (
	Fetched State = "fetched" // the agent put it in place
	Present State = "present" // it was in place, and the agent sent no request
	Kept    State = "kept"    // a file from somebody else is in its place and has the required content
	Failed  State = "failed"  // the agent could not get it; the file in its place, if any, is unchanged
)

// Outcome says what became of one artifact.
type Outcome struct {
	Artifact
	State  State
	At     string   // path of the file in place
	From   string   // where the agent fetched it from
	Found  string   // SHA-256 of the file in place; empty for none
	Pinned bool     // Found was unknown before; every later fetch from the same address must have it
	Others []string // other versions in the same folder, which the server loads too
	Err    error    // why it failed, and what to do
}

// Fetcher puts artifacts on the artifact volume. At every moment, also after a kill, the destination of an artifact has a
// complete and checked file, or what was there before.
type Fetcher struct {
	Volume     string                                // the artifact volume
	Home       string                                // the server's home; the agent does not fetch a file that it has; empty: not visible
	SourceDir  string                                // a folder with files to use instead of the network, named by the last part of the URL; empty: none
	Roots      *x509.CertPool                        // CAs of the download sites; nil: those of the system
	Proxy      func(*http.Request) (*url.URL, error) // nil: HTTPS_PROXY and NO_PROXY of the environment
	Tries      int                                   // for each download; 0 means 4
	RetryFirst time.Duration                         // wait before the second try, doubled for each further one; 0 means 1 s
	Log        *slog.Logger
}

// Fetch puts each artifact of the list in its place, unless it is there already. It returns one outcome for each, in the
// order of the list. A failed artifact does not stop the others.
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

// Has reports whether a file is in the artifact's place on the volume. It does not check the content.
func (f Fetcher) Has(a Artifact) bool {
	_, err := os.Stat(f.place(a))
	return err == nil
}

func (f Fetcher) work() string { return filepath.Join(f.Volume, file.WorkDir) }

// open makes the volume ready, takes its lock and reads the records. It makes the folders of the destinations first: the
// entrypoint of the product copies <volume>/* and stops the container if the volume has only the agent's dot folder.
func (f Fetcher) open(ctx context.Context, list []Artifact) (records, func(), error) {
	if _, err := os.Stat(f.Volume); errors.Is(err, fs.ErrNotExist) {
		return records{}, nil, remedy.Add(fmt.Errorf("%w at %s", ErrNoVolume, f.Volume), "mount one there, or set ARTIFACT_DIR")
	}
	for _, a := range list {
		if err := os.MkdirAll(filepath.Dir(f.place(a)), 0o755); err != nil {
			return records{}, nil, remedy.Add(fmt.Errorf("make a folder on the artifact volume: %w", err),
				"make it belong to the user that the server and its agent run as, here %d:%d", os.Geteuid(), os.Getegid())
		}
	}
	unlock, err := file.Lock(ctx, filepath.Join(f.work(), "artifacts.lock"), func() {
		f.Log.Warn("another agent fetches artifacts, waiting for it", "volume", f.Volume)
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

// withoutVolume decides on an artifact if the agent cannot use the volume. The image of the server may have the artifact
// anyway.
func (f Fetcher) withoutVolume(o *Outcome, err error) {
	o.State, o.Err = Failed, err
	if at, digest, ok := f.inHome(o.Artifact); ok {
		o.State, o.At, o.Found, o.Err = Kept, at, digest, nil
	}
}

// fetch puts one artifact in its place, unless it is there already.
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
		o.Err = remedy.Add(fmt.Errorf("read the file in the artifact's place: %w", err), "make it readable for the server, or remove it")
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
		o.Err = fmt.Errorf("%w; the file in its place is not usable either: %w", err, bad)
		return
	case err != nil:
		o.Err = err
		return
	}
	o.State, o.Found, o.From, o.Pinned = Fetched, digest, from, wanted.digest == ""
}

// look checks the file in the artifact's place, and sets the state if the file is usable. bad is the reason why it is not.
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
