package artifact

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/cenkalti/backoff/v4"

	"wso2agent/internal/file"
)

// Bounds of a download. A slow one may take its time, and continues where a try has ended.
const (
	downloadTimeout = 5 * time.Minute // for all tries of one artifact together
	defaultTries    = 4
)

// errChanged says that two parts of a download belong to different versions.
var errChanged = errors.New("the file has changed between two parts of it")

// download fetches one artifact into a file. Later tries, and later runs of the agent, append to that file.
type download struct {
	client *http.Client
	a      Artifact
	part   string // the file with the bytes so far
	note   string // the file with the validator of these bytes
	work   string // folder for temporary files
	tries  int
	wait   time.Duration
	log    *slog.Logger
}

func newDownload(client *http.Client, a Artifact, work string, tries int, wait time.Duration, log *slog.Logger) download {
	if wait == 0 {
		wait = time.Second
	}
	if tries == 0 {
		tries = defaultTries
	}
	// The digest of the destination tells two artifacts with the same file name apart.
	name := filepath.Join(work, filepath.Base(a.Destination)+"-"+digestOf([]byte(a.Destination))[:8])
	return download{client: client, a: a, part: name + ".part", note: name + ".json", work: work, tries: tries, wait: wait, log: log}
}

// run downloads the file, in several tries if necessary, and leaves it at d.part if check accepts it. It removes what check
// refuses. If check refuses a file that came in parts, run downloads it once more as a whole.
func (d download) run(ctx context.Context, check func(*os.File) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, downloadTimeout, fmt.Errorf("it took longer than %s", downloadTimeout))
	defer cancel()
	for again := false; ; again = true {
		inParts, err := d.transfer(ctx)
		if err != nil {
			return err
		}
		bad := d.checked(check)
		if bad == nil || !inParts || again {
			return bad
		}
		d.log.Warn("the parts of an artifact do not belong together, downloading it as a whole", "artifact", d.a.source(), "error", bad)
	}
}

// copy copies the file at path to d.part, and leaves the copy there if check accepts it.
func (d download) copy(path string, check func(*os.File) error) error {
	from, err := file.Open(path, sizeLimit)
	if err != nil {
		return err
	}
	defer from.Close()
	part, err := d.create()
	if err != nil {
		return err
	}
	n, err := io.Copy(part, io.LimitReader(from, sizeLimit+1))
	if err := errors.Join(err, part.Close()); err != nil {
		return err
	}
	if n > sizeLimit {
		return d.tooLarge()
	}
	return d.checked(check)
}

// checked removes the part if check refuses it, and returns the reason.
func (d download) checked(check func(*os.File) error) error {
	part, err := file.Open(d.part, sizeLimit)
	if err != nil {
		return err
	}
	defer part.Close()
	if bad := check(part); bad != nil {
		return errors.Join(bad, d.discard())
	}
	return nil
}

// create makes an empty part and replaces what is there.
func (d download) create() (*os.File, error) {
	if err := d.discard(); err != nil {
		return nil, err
	}
	return os.OpenFile(d.part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}

// transfer tries until the whole file is there. inParts reports whether it came in more than one part.
func (d download) transfer(ctx context.Context) (inParts bool, err error) {
	waits := backoff.NewExponentialBackOff(backoff.WithInitialInterval(d.wait), backoff.WithMultiplier(2), backoff.WithMaxElapsedTime(0))
	var last error
	err = backoff.RetryNotify(func() error {
		resumed, err := d.try(ctx)
		inParts = resumed
		if ctx.Err() == nil || last == nil {
			last = err // the failure before the context ended says more than the interruption
		}
		return err
	}, backoff.WithContext(backoff.WithMaxRetries(waits, uint64(d.tries-1)), ctx), func(err error, wait time.Duration) {
		d.log.Warn("could not fetch an artifact yet, trying again", "artifact", d.a.source(), "wait", wait.Round(time.Millisecond), "error", err)
	})
	switch {
	case err == nil:
		return inParts, nil
	case ctx.Err() != nil:
		return false, fmt.Errorf("%w; the last failure: %w", context.Cause(ctx), last)
	}
	return false, last
}

// try makes one request, if possible for the missing rest. resumed reports whether it appended to an earlier part.
func (d download) try(ctx context.Context) (resumed bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	have, known := d.left()
	resp, err := d.request(ctx, have, known)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusPartialContent && have > 0:
		if !continues(resp, have, known) {
			return false, errors.Join(errChanged, d.discard())
		}
	case resp.StatusCode == http.StatusRequestedRangeNotSatisfiable && have > 0:
		return false, errors.Join(errChanged, d.discard())
	case resp.StatusCode == http.StatusOK:
		// The server does not support ranges, or has another version: it sends the file from the start (RFC 9110, section
		// 13.1.5).
		have = 0
		if err := d.begin(resp); err != nil {
			return false, backoff.Permanent(err)
		}
	default:
		return false, statusError(resp)
	}
	return have > 0, d.append(ctx, cancel, resp, have)
}

// request asks for the file from byte have on.
func (d download) request(ctx context.Context, have int64, known validator) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.a.URL, nil)
	if err != nil || req.URL.Scheme != "https" {
		return nil, permanentf("its address must begin with https://")
	}
	req.Header.Set("Accept-Encoding", "identity")
	if have > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
		req.Header.Set("If-Range", known.ifRange())
	}
	resp, err := d.client.Do(req)
	if err != nil {
		return nil, requestError(err)
	}
	return resp, nil
}

// left is what an earlier try has left: the number of bytes, and their version. Bytes without a validator do not count,
// because nothing can be appended to them.
func (d download) left() (int64, validator) {
	known, _, err := file.LoadJSON[validator](d.note, 64<<10)
	if err != nil || known.ifRange() == "" || known.URL != d.a.source() {
		return 0, validator{}
	}
	info, err := os.Lstat(d.part)
	if err != nil || !info.Mode().IsRegular() || info.Size() > sizeLimit {
		return 0, validator{}
	}
	return info.Size(), known
}

// begin first empties the part, and then notes its new version. So a kill in between leaves no bytes of one version with
// the note of another.
func (d download) begin(resp *http.Response) error {
	part, err := d.create()
	if err == nil {
		err = part.Close()
	}
	if err != nil {
		return err
	}
	_, err = file.SaveJSON(d.note, validatorOf(d.a.source(), resp.Header), 0o600, d.work)
	return err
}

// append appends the body of the answer to the part. It cancels the request if no byte comes for answerTimeout.
func (d download) append(ctx context.Context, cancel context.CancelCauseFunc, resp *http.Response, have int64) error {
	if encoding := resp.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return permanentf("the server sends it as %q, which the agent did not ask for", encoding)
	}
	if have+resp.ContentLength > sizeLimit {
		return backoff.Permanent(d.tooLarge())
	}
	part, err := os.OpenFile(d.part, os.O_WRONLY|os.O_APPEND|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return backoff.Permanent(err)
	}
	defer part.Close()
	silence := time.AfterFunc(answerTimeout, func() { cancel(fmt.Errorf("no byte came for %s", answerTimeout)) })
	defer silence.Stop()
	n, err := io.Copy(part, io.LimitReader(watchedReader{resp.Body, silence}, sizeLimit-have+1))
	switch {
	case have+n > sizeLimit:
		return backoff.Permanent(d.tooLarge())
	case ctx.Err() != nil: // also if err is nil: net/http may return an empty answer for a request that was cancelled
		return context.Cause(ctx)
	case err != nil:
		return fmt.Errorf("after %d bytes: %w", have+n, err)
	}
	return nil
}

func (d download) tooLarge() error {
	return errors.Join(fmt.Errorf("%w: more than %d MiB", file.ErrTooLarge, sizeLimit>>20), d.discard())
}

// discard removes the part and its note.
func (d download) discard() error {
	for _, path := range []string{d.note, d.part} {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}
