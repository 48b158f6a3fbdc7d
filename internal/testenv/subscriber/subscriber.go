// Package subscriber is an API subscriber's client, as tests have one beside servers that are upgraded: it fetches a new
// token from IS for every try, calls operations that need scopes with it, and counts refusals.
package subscriber

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// pause is the wait between two tries.
const pause = 50 * time.Millisecond

// Outcome is what came of a try.
type Outcome string

// What can come of one.
const (
	Good    Outcome = "good"
	Down    Outcome = "down"    // a server was not there, or not yet complete
	Refused Outcome = "refused" // a server that works has refused the client, or granted it less than it asked for
)

// Client is a client of IS that calls an API.
type Client struct {
	IS, Gateway   *http.Client // each trusts its server
	TokenEndpoint string
	ID, Secret    string
	Scopes        []string // asked for; a try needs all of them
	Calls         []string // addresses behind the gateway, each of which needs a scope
}

// Try fetches a new token and makes every call with it. why is for all that is not good.
func (c Client) Try(ctx context.Context) (o Outcome, why string) {
	token, granted, o, why := c.Token(ctx, c.Scopes...)
	if o != Good {
		return o, why
	}
	for _, scope := range c.Scopes {
		if !slices.Contains(granted, scope) {
			return Refused, fmt.Sprintf("the token lacks the scope %s: it has %q", scope, granted)
		}
	}
	for _, address := range c.Calls {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return Refused, err.Error()
		}
		req.Header.Set("Authorization", "Bearer "+token)
		if _, o, why = send(c.Gateway, req); o != Good {
			return o, why
		}
	}
	return Good, ""
}

// Token fetches a new token. granted are the scopes that it has.
func (c Client) Token(ctx context.Context, scopes ...string) (token string, granted []string, o Outcome, why string) {
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {strings.Join(scopes, " ")}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.TokenEndpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return "", nil, Refused, err.Error()
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(c.ID, c.Secret)
	body, o, why := send(c.IS, req)
	if o != Good {
		return "", nil, o, why
	}
	var answer struct {
		Token string `json:"access_token"`
		Scope string `json:"scope"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.Token == "" {
		return "", nil, Refused, fmt.Sprintf("the token endpoint answers without a token: %s", body)
	}
	return answer.Token, strings.Fields(answer.Scope), Good, ""
}

// send makes a request. A certificate that is not trusted is a refusal: a server that restarts keeps its own.
func send(client *http.Client, req *http.Request) (body []byte, o Outcome, why string) {
	what := req.Method + " " + req.URL.Path
	resp, err := client.Do(req)
	var untrusted *tls.CertificateVerificationError
	switch {
	case errors.As(err, &untrusted):
		return nil, Refused, what + ": " + err.Error()
	case err != nil:
		return nil, Down, what + ": " + err.Error()
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, Down, what + ": " + err.Error()
	}
	switch {
	case resp.StatusCode == http.StatusOK:
		return body, Good, ""
	case resp.StatusCode >= 500 || resp.StatusCode == http.StatusNotFound:
		return body, Down, fmt.Sprintf("%s: HTTP %d", what, resp.StatusCode)
	}
	return body, Refused, fmt.Sprintf("%s: HTTP %d: %s", what, resp.StatusCode, body)
}

// Record is what came of all tries so far. The zero value is ready to use.
type Record struct {
	mu       sync.Mutex
	good     []time.Time // when each good try began
	down     int
	refusals []string
}

// Refusals returns every refusal.
func (r *Record) Refusals() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.refusals)
}

// Counts are the numbers of all outcomes.
func (r *Record) Counts() (good, down, refused int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.good), r.down, len(r.refusals)
}

// Between counts the good tries that began after one time and before another.
func (r *Record) Between(after, before time.Time) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, at := range r.good {
		if at.After(after) && at.Before(before) {
			n++
		}
	}
	return n
}

// Run tries again and again until ctx ends.
func (r *Record) Run(ctx context.Context, c Client) {
	for ctx.Err() == nil {
		began := time.Now()
		o, why := c.Try(ctx)
		if ctx.Err() != nil {
			return
		}
		r.add(began, o, why)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

func (r *Record) add(began time.Time, o Outcome, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch o {
	case Good:
		r.good = append(r.good, began)
	case Down:
		r.down++
	case Refused:
		r.refusals = append(r.refusals, began.UTC().Format(time.RFC3339Nano)+" "+why)
	}
}

// adminScope is a scope of IS's own administration.
const adminScope = "internal_user_mgt_list"

// Administers finds out what the client can do to the IS at base: whether it gets a scope of IS's administration, and what
// SCIM 1.1 answers when asked for all users with a token of the client's.
func (c Client) Administers(ctx context.Context, base string) (scope bool, scim11 int, err error) {
	token, granted, o, why := c.Token(ctx, adminScope)
	if o != Good {
		return false, 0, errors.New(why)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/wso2/scim/Users", nil)
	if err != nil {
		return false, 0, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := c.IS.Do(req)
	if err != nil {
		return false, 0, err
	}
	resp.Body.Close()
	return slices.Contains(granted, adminScope), resp.StatusCode, nil
}
