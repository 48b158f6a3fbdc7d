package wso2

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// ReadingClient is an OAuth client whose token stands for a user and a password in requests that read (RFC 6749, section 4.4). It is safe
// for concurrent use, and gets one token at a time: both servers revoke the token that the same client got before.
type ReadingClient struct {
	TokenEndpoint string
	ID            string
	Secret        Secret
	Scopes        []string // asked for; the token has no more, even if the client may do more

	mu    sync.Mutex // guards what follows
	token Secret
	until time.Time // when to get another token
}

// errReads says that a request was not sent, because it could change something.
var errReads = errors.New("not sent: the client with these credentials only reads")

// bearer returns a token that is still valid.
func (c *ReadingClient) bearer(ctx context.Context, hc *http.Client) (Secret, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token != "" && time.Now().Before(c.until) {
		return c.token, nil
	}
	token, err := FetchToken(ctx, hc, c.TokenEndpoint, c.ID, c.Secret, c.Scopes...)
	if err != nil {
		return "", err
	}
	c.token, c.until = token.AccessToken, time.Now().Add(token.ExpiresIn*9/10)
	return c.token, nil
}

// reads reports whether a request changes nothing.
func (r request) reads() bool {
	return slices.Contains([]string{http.MethodGet, http.MethodHead}, r.method)
}

// rights returns the scopes for the remedy of a refused request.
func (c *ReadingClient) rights() string { return strings.Join(c.Scopes, " ") }

// failedToken names the settings in an error of a token endpoint.
func (cred *Credentials) failedToken(err error) error {
	var e *Error
	if errors.As(err, &e) {
		e.credentials, e.reading = cred.Source, cred.Reading
	}
	return err
}
