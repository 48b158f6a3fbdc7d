package wso2

import (
	"context"
	"errors"
	"math/rand/v2"
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
	lacks bool      // the token lacks a scope: a server that refuses it does so for good
	until time.Time // when to get another token
}

// errReads says that a request was not sent, because it could change something.
var errReads = errors.New("not sent: the client with these credentials only reads")

// Bounds of tokens of a [ReadingClient].
const (
	leastLife  = time.Minute            // of a token whose server does not say how long it is valid (RFC 6749, section 5.1, only recommends expires_in)
	tokenTries = 4                      // of one request, each with another token
	tokenPause = 250 * time.Millisecond // the longest wait before the second further try; each further one may be twice as long
)

// sendReading sends a request with a token of a client. If the server refuses a token that has all scopes, another run with this client has
// got a token since, which ended this one. Then sendReading repeats the request with another token: at once, and later after a random wait,
// because two such runs could end each other's tokens for long. The error of the last try is not permanent.
func (c caller) sendReading(ctx context.Context, r request, cred Credentials) (answer, error) {
	if !r.reads() {
		return answer{}, c.failed(r, &Error{Err: errReads, local: true})
	}
	for try := 1; ; try++ {
		token, err := cred.Reading.bearer(ctx, c.http)
		if err != nil {
			return answer{}, cred.failedToken(err)
		}
		r.anonymous, r.token, r.reading = true, token, cred.Reading
		a, err := c.exchange(ctx, r)
		if !HasStatus(err, http.StatusUnauthorized) || !cred.Reading.drop(token) {
			return a, err
		}
		if try == tokenTries {
			return a, inDoubt(err)
		}
		if try > 1 {
			select {
			case <-ctx.Done():
				return a, err
			case <-time.After(rand.N(tokenPause << (try - 2))):
			}
		}
	}
}

// inDoubt makes the error of a refused request one that another try can solve.
func inDoubt(err error) error {
	var e *Error
	if errors.As(err, &e) {
		e.doubt = "another run with this client may have ended its token"
	}
	return err
}

// drop forgets a token that a server has refused, unless another request has replaced it. It reports whether another token may help.
func (c *ReadingClient) drop(token Secret) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token == token {
		c.token = ""
	}
	return !c.lacks
}

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
	life := token.ExpiresIn * 9 / 10
	if life <= 0 {
		life = leastLife
	}
	c.token, c.until = token.AccessToken, time.Now().Add(life)
	c.lacks = slices.ContainsFunc(c.Scopes, func(scope string) bool { return !slices.Contains(token.Scopes, scope) })
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
