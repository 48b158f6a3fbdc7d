package artifact

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/cenkalti/backoff/v4"

	"wso2agent/internal/file"
)

// Bounds of a download. A server's first start waits for it, so that what does not answer is given up soon; what comes
// slowly may take its time, and goes on where it ended.
const (
	connectTimeout  = 10 * time.Second
	answerTimeout   = 30 * time.Second // until the answer's head, and between two reads of its body
	downloadTimeout = 5 * time.Minute  // for all tries of one artifact together
	defaultTries    = 4
)

// errChanged says that what was fetched in two parts does not belong together.
var errChanged = errors.New("the file has changed between two parts of it")

// newClient makes the client for all artifacts: TLS alone, verified, by the proxy of the environment.
func newClient(roots *x509.CertPool, proxy func(*http.Request) (*url.URL, error)) *http.Client {
	if proxy == nil {
		proxy = http.ProxyFromEnvironment
	}
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                 proxy,
			DialContext:           (&net.Dialer{Timeout: connectTimeout}).DialContext,
			TLSClientConfig:       &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:   connectTimeout,
			ResponseHeaderTimeout: answerTimeout,
			DisableCompression:    true, // the digest is of the file, and so are the bounds of its parts
		},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			switch {
			case r.URL.Scheme != "https":
				return permanentf("it redirects to %s://%s, where nothing is encrypted: only https is followed", r.URL.Scheme, r.URL.Host)
			case len(via) > 5:
				return permanentf("it redirects more than 5 times")
			}
			return nil
		},
	}
}

// permanentf is an error that another try cannot mend.
func permanentf(format string, args ...any) error {
	return backoff.Permanent(fmt.Errorf(format, args...))
}

// download fetches one artifact, through a file to which later tries, and later runs of the agent, add.
type download struct {
	client *http.Client
	a      Artifact
	part   string // what has come so far
	note   string // what it is a part of
	work   string // folder for temporary files
	tries  int
	wait   time.Duration
	log    *slog.Logger
}

// validator tells one version of a file from another, by what its server says of it (RFC 9110, section 8.8).
type validator struct {
	URL          string `json:"url"` // without a query
	ETag         string `json:"etag,omitempty"`
	LastModified string `json:"lastModified,omitempty"`
}

func newDownload(client *http.Client, a Artifact, work string, tries int, wait time.Duration, log *slog.Logger) download {
	if wait == 0 {
		wait = time.Second
	}
	if tries == 0 {
		tries = defaultTries
	}
	// Two artifacts may have the same file name.
	name := filepath.Join(work, filepath.Base(a.Destination)+"-"+digestOf([]byte(a.Destination))[:8])
	return download{client: client, a: a, part: name + ".part", note: name + ".json", work: work, tries: tries, wait: wait, log: log}
}

// run downloads the file, in several tries if need be, and leaves it at d.part when check has accepted it. What check
// refuses is removed; if it came in parts it is fetched whole once before that is believed.
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
		d.log.Warn("the parts of an artifact do not belong together, fetching it whole", "artifact", d.a.source(), "error", bad)
	}
}

// copy leaves a copy of the file at path at d.part when check has accepted that.
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

// checked has check look at the part, and removes it if it is refused.
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

// create makes an empty part, in place of whatever is there.
func (d download) create() (*os.File, error) {
	if err := d.discard(); err != nil {
		return nil, err
	}
	return os.OpenFile(d.part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}

// transfer tries until the whole file is there. inParts tells whether it came in more than one.
func (d download) transfer(ctx context.Context) (inParts bool, err error) {
	waits := backoff.NewExponentialBackOff(backoff.WithInitialInterval(d.wait), backoff.WithMultiplier(2), backoff.WithMaxElapsedTime(0))
	var last error
	err = backoff.RetryNotify(func() error {
		resumed, err := d.try(ctx)
		inParts = resumed
		if ctx.Err() == nil || last == nil {
			last = err // what the end of the context cut short tells less than the failure before it
		}
		return err
	}, backoff.WithContext(backoff.WithMaxRetries(waits, uint64(d.tries-1)), ctx), func(err error, wait time.Duration) {
		d.log.Warn("an artifact could not be fetched yet, trying again", "artifact", d.a.source(), "wait", wait.Round(time.Millisecond), "error", err)
	})
	switch {
	case err == nil:
		return inParts, nil
	case ctx.Err() != nil:
		return false, fmt.Errorf("%w; the last failure: %w", context.Cause(ctx), last)
	}
	return false, last
}

// try makes one request, for what is still missing where that is possible.
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
		// Not a word about ranges, or another version: from the beginning, as RFC 9110, section 13.1.5, has it.
		have = 0
		if err := d.begin(resp); err != nil {
			return false, backoff.Permanent(err)
		}
	default:
		return false, statusError(resp)
	}
	return have > 0, d.append(ctx, cancel, resp, have)
}

// request asks for the file from the byte have on.
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

// left is what an earlier try has left: how many bytes, and of which version. Without a validator nothing can be added
// to it, so that it counts as none.
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

// begin empties the part and notes which version it is going to be of: in this order, so that a kill in between leaves
// no bytes of one version under the name of another.
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

// append adds the answer's body to the part. It ends when nothing comes any more.
func (d download) append(ctx context.Context, cancel context.CancelCauseFunc, resp *http.Response, have int64) error {
	if encoding := resp.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return permanentf("it is sent as %q, which was not asked for", encoding)
	}
	if have+resp.ContentLength > sizeLimit {
		return backoff.Permanent(d.tooLarge())
	}
	part, err := os.OpenFile(d.part, os.O_WRONLY|os.O_APPEND|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return backoff.Permanent(err)
	}
	defer part.Close()
	silence := time.AfterFunc(answerTimeout, func() { cancel(fmt.Errorf("nothing came for %s", answerTimeout)) })
	defer silence.Stop()
	n, err := io.Copy(part, io.LimitReader(watchedReader{resp.Body, silence}, sizeLimit-have+1))
	switch {
	case have+n > sizeLimit:
		return backoff.Permanent(d.tooLarge())
	case ctx.Err() != nil: // also without an error: net/http may still hand out an answer, empty, of a request that was ended
		return context.Cause(ctx)
	case err != nil:
		return fmt.Errorf("after %d bytes: %w", have+n, err)
	}
	return nil
}

func (d download) tooLarge() error {
	return errors.Join(fmt.Errorf("%w: more than %d MiB", file.ErrTooLarge, sizeLimit>>20), d.discard())
}

// discard removes what has come so far.
func (d download) discard() error {
	for _, path := range []string{d.note, d.part} {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// watchedReader puts off a timer with everything that it reads.
type watchedReader struct {
	io.Reader
	timer *time.Timer
}

func (r watchedReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.timer.Reset(answerTimeout)
	return n, err
}

// validatorOf are the strong validators of an answer: a weak one does not promise equal bytes. A date is strong when
// the answer is at least a second younger (RFC 9110, section 8.8.2.2).
func validatorOf(source string, h http.Header) validator {
	v := validator{URL: source}
	if etag := h.Get("ETag"); strings.HasPrefix(etag, `"`) {
		v.ETag = etag
	}
	modified, err := http.ParseTime(h.Get("Last-Modified"))
	date, errDate := http.ParseTime(h.Get("Date"))
	if err == nil && errDate == nil && date.Sub(modified) >= time.Second {
		v.LastModified = h.Get("Last-Modified")
	}
	return v
}

func (v validator) ifRange() string {
	if v.ETag != "" {
		return v.ETag
	}
	return v.LastModified
}

// continues tells whether a partial answer goes on where the part ends, in the same version. If-Range asks for that
// already, and not every server and cache heeds it.
func continues(resp *http.Response, have int64, known validator) bool {
	if !strings.HasPrefix(resp.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", have)) {
		return false
	}
	if etag := resp.Header.Get("ETag"); etag != "" && known.ETag != "" && etag != known.ETag {
		return false
	}
	modified := resp.Header.Get("Last-Modified")
	return modified == "" || known.LastModified == "" || modified == known.LastModified
}

// statusError tells of an answer without the file. Another try may help where the server says that it is not itself.
func statusError(resp *http.Response) error {
	err := fmt.Errorf("HTTP %s", resp.Status)
	switch code := resp.StatusCode; {
	case code >= 500, code == http.StatusRequestTimeout, code == http.StatusTooEarly, code == http.StatusTooManyRequests:
		return err
	}
	return backoff.Permanent(err)
}

// requestError takes the address off an error of net/http, since its query may hold a key, and says what to do where a
// certificate is refused.
func requestError(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var bad *tls.CertificateVerificationError
	var permanent *backoff.PermanentError
	switch {
	case errors.As(err, &bad):
		return permanentf("verify the server's certificate: %w; if it, or a proxy in between, has a CA of your own, put that into TLS_CA_FILE", err)
	case errors.As(err, &permanent):
		return permanent
	}
	return err
}
