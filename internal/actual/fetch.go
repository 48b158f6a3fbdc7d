package actual

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"wso2agent/internal/wso2"
)

// Bounds of a fetch of a definition.
const (
	fetchTimeout  = 30 * time.Second // from the request to the last byte, with all redirects
	mostRedirects = 3
)

// refusal is a failure of a fetch that only a person can solve.
type refusal struct {
	error
	hint string
}

func (r refusal) Unwrap() error { return r.error }

func refuse(hint, format string, args ...any) error {
	return refusal{fmt.Errorf(format, args...), hint}
}

// newSiteClient makes the client for sites that definitions come from. It verifies TLS by roots (nil: those of the system), and uses the
// proxy of the environment.
func newSiteClient(roots *x509.CertPool) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return &http.Client{
		Timeout: fetchTimeout, Transport: transport,
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > mostRedirects {
				return refuse("name the address to which the redirects lead", "the site redirects more than %d times", mostRedirects)
			}
			return checkAddress(r.URL)
		},
	}
}

// checkAddress refuses an address from which anybody on the way could change a definition.
func checkAddress(u *url.URL) error {
	if ip := net.ParseIP(u.Hostname()); u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()) {
		return nil
	}
	if u.Scheme == "http" {
		return refuse("use https://, or put the definition into a file", "%s://%s is not encrypted", u.Scheme, u.Host)
	}
	return refuse("use https://, or put the definition into a file", "the agent fetches no definition by %s://", u.Scheme)
}

// fetch returns what is at an address, of at most [wso2.MaxUpload] bytes. A [refusal] is an error that only a person can solve. No error
// has the query or the password of the address.
func fetch(ctx context.Context, client *http.Client, address string) ([]byte, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return nil, refuse("correct the address, which is like https://host/openapi.yaml", "it is no address")
	}
	if err := checkAddress(u); err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, refuse("correct the address, which is like https://host/openapi.yaml", "it is no address")
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, withoutAddress(err)
	}
	defer resp.Body.Close()
	if code := resp.StatusCode; code != http.StatusOK {
		if code >= 500 || code == http.StatusRequestTimeout || code == http.StatusTooEarly || code == http.StatusTooManyRequests {
			return nil, fmt.Errorf("the site answers HTTP %s", resp.Status)
		}
		return nil, refuse("correct the address, or let the site give the definition without a login", "the site answers HTTP %s", resp.Status)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, wso2.MaxUpload+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the answer: %w", withoutAddress(err))
	case len(text) > wso2.MaxUpload:
		return nil, refuse("split the API, or leave examples out", "the definition has more than %d MiB", wso2.MaxUpload>>20)
	}
	return text, nil
}

// withoutAddress removes the address from an error of net/http, because its query may have a key.
func withoutAddress(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var bad *tls.CertificateVerificationError
	if errors.As(err, &bad) {
		return refuse("put the CA of the site into TLS_CA_FILE", "verify its certificate: %w", err)
	}
	return err
}
