package artifact

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Bounds of a request. The first start of a server waits for its downloads, so the agent soon gives up a site that does not
// answer.
const (
	connectTimeout = 10 * time.Second
	answerTimeout  = 30 * time.Second // until the header of the answer, and between two reads of its body
)

// newClient makes the client for all artifacts. It speaks only verified TLS and uses the proxy of the environment if proxy
// is nil.
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
			DisableCompression:    true, // the digest and the bounds of the parts count from the file itself
		},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			switch {
			case r.URL.Scheme != "https":
				return permanentf("it redirects to %s://%s, which is not encrypted: the agent follows only https", r.URL.Scheme, r.URL.Host)
			case len(via) > 5:
				return permanentf("it redirects more than 5 times")
			}
			return nil
		},
	}
}

// permanentf makes an error that another try cannot fix.
func permanentf(format string, args ...any) error {
	return backoff.Permanent(fmt.Errorf(format, args...))
}

// statusError describes an answer without the file. Another try may help if the status means trouble of the server itself.
func statusError(resp *http.Response) error {
	err := fmt.Errorf("HTTP %s", resp.Status)
	switch code := resp.StatusCode; {
	case code >= 500, code == http.StatusRequestTimeout, code == http.StatusTooEarly, code == http.StatusTooManyRequests:
		return err
	}
	return backoff.Permanent(err)
}

// requestError removes the address from an error of net/http, because its query may hold a key. For a refused certificate
// it adds what to do.
func requestError(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var bad *tls.CertificateVerificationError
	var permanent *backoff.PermanentError
	switch {
	case errors.As(err, &bad):
		return permanentf("verify the server's certificate: %w; if the server, or a proxy before it, has a CA of your own, put that CA into TLS_CA_FILE", err)
	case errors.As(err, &permanent):
		return permanent
	}
	return err
}

// watchedReader restarts a timer at every read.
type watchedReader struct {
	io.Reader
	timer *time.Timer
}

func (r watchedReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.timer.Reset(answerTimeout)
	return n, err
}

// validator identifies one version of a file by what its server says about it (RFC 9110, section 8.8).
type validator struct {
	URL          string `json:"url"` // without a query
	ETag         string `json:"etag,omitempty"`
	LastModified string `json:"lastModified,omitempty"`
}

// validatorOf returns the strong validators of an answer: a weak one does not promise equal bytes. A date is strong if the
// answer is at least one second younger (RFC 9110, section 8.8.2.2).
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

// ifRange is the value of the header If-Range, empty without a strong validator.
func (v validator) ifRange() string {
	if v.ETag != "" {
		return v.ETag
	}
	return v.LastModified
}

// continues reports whether a partial answer starts where the part ends, in the same version. If-Range demands the same,
// but not every server and cache respects it.
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
