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

	mu      sync.Mutex // guards what follows
	token   Secret
	lacks   bool      // the token lacks a scope: a server that refuses it does so for good
	until   time.Time // when to get another token
	taken   bool      // the server has accepted the token once
	refused int       // tokens in a row that the server has refused at once
	refusal *Error    // of the last of them
	since   time.Time // when that was
}

// errReads says that a request was not sent, because it could change something.
var errReads = errors.New("not sent: the client with these credentials only reads")

// Bounds of tokens of a [ReadingClient].
const (
	leastLife   = time.Minute            // of a token whose server does not say how long it is valid (RFC 6749, section 5.1, only recommends expires_in)
	tokenTries  = 4                      // of one request, each with another token
	tokenPause  = 250 * time.Millisecond // the longest wait before the second further try; each further one may be twice as long
	mostRefused = 2                      // tokens in a row that a server refuses at once, until no request gets another one
	refusalLife = time.Minute            // how long that refusal counts; it may end when a person gives the client its rights
)

// sendReading sends a request with a token of a client. If the server refuses a token that has all scopes, another run with this client has
// got a token since, which ended this one. Then sendReading repeats the request with another token: at once, and later after a random wait,
// because two such runs could end each other's tokens for long. The error of the last try is not permanent. A server that refuses a new
// token, and then another one, refuses each: further requests fail with its error, and get no token.
func (c caller) sendReading(ctx context.Context, r request, cred Credentials) (answer, error) {
	if !r.reads() {
		return answer{}, c.failed(r, &Error{Err: errReads, local: true})
	}
	for try := 1; ; try++ {
		if e := cred.Reading.refuses(); e != nil {
			return answer{}, e
		}
		token, err := cred.Reading.bearer(ctx, c.http)
		if err != nil {
			return answer{}, cred.failedToken(err)
		}
		r.anonymous, r.token, r.reading = true, token, cred.Reading
		a, err := c.exchange(ctx, r)
		var e *Error
		if !errors.As(err, &e) || e.Status != http.StatusUnauthorized || e.empty { // empty: IS has no such client, see isAbsent
			cred.Reading.use(token, err)
			return a, err
		}
		if !cred.Reading.drop(token, e) || try == tokenTries {
			return a, err
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

// use notes that the server has accepted a token.
func (c *ReadingClient) use(token Secret, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil && c.token == token {
		c.taken, c.refused, c.refusal = true, 0, nil
	}
}

// drop forgets a token that a server has refused, unless another request has replaced it. It reports whether another token may help. If so,
// the error is one that another try can solve.
func (c *ReadingClient) drop(token Secret, err *Error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.lacks {
		err.doubt = "another run with this client may have ended its token"
	}
	if c.token != token {
		return !c.lacks
	}
	c.token = ""
	if !c.taken {
		c.refused, c.refusal, c.since = c.refused+1, err, time.Now()
	}
	return !c.lacks && c.refused < mostRefused
}

// refuses returns the error of a server that refuses all tokens; nil if it may accept one.
func (c *ReadingClient) refuses() *Error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refusal == nil || !c.lacks && c.refused < mostRefused || time.Since(c.since) >= refusalLife {
		return nil
	}
	e := *c.refusal
	return &e
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
	c.token, c.until, c.taken = token.AccessToken, time.Now().Add(life), false
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
