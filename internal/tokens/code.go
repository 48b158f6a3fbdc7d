package tokens

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"wso2agent/internal/remedy"
	"wso2agent/internal/wso2"
)

// callbackPath is where the browser comes back to.
const callbackPath = "/callback"

// back is what the browser brings back.
type back struct {
	code string
	err  error
}

// Code gets a token for a person who logs in with a browser, by an authorization code with PKCE (RFC 7636, S256). show tells the person
// which address to open. The browser comes back to l, which listens on a loopback address (RFC 8252, section 7.3). Code closes l, and gives the
// person time as long as wait.
func (c Client) Code(ctx context.Context, l net.Listener, scopes []string, wait time.Duration, show func(address string)) (wso2.Token, error) {
	defer l.Close()
	callback := "http://" + l.Addr().String() + callbackPath
	verifier, state := rand.Text()+rand.Text(), rand.Text() // 43 letters or more: RFC 7636, section 4.1
	challenge := sha256.Sum256([]byte(verifier))
	query := url.Values{
		"response_type": {"code"}, "client_id": {c.ID}, "redirect_uri": {callback}, "state": {state},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}
	if len(scopes) > 0 {
		query.Set("scope", strings.Join(scopes, " "))
	}
	endpoint := c.Endpoint("authorize")
	to, err := wso2.AuthorizeTarget(ctx, c.HTTP, endpoint, query)
	if err == nil {
		err = c.refusal(to, callback)
	}
	if err != nil {
		return wso2.Token{}, err
	}
	backs := make(chan back, 1)
	server := &http.Server{Handler: callbackHandler(state, backs), ReadHeaderTimeout: 10 * time.Second}
	go server.Serve(l) // always http.ErrServerClosed, after Shutdown
	defer func() {     // the browser gets its answer first
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		server.Shutdown(closing)
	}()
	show(endpoint + "?" + query.Encode())
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	select {
	case <-waiting.Done():
		return wso2.Token{}, fmt.Errorf("wait until a person has logged in with a browser: %w", waiting.Err())
	case b := <-backs:
		if b.err != nil {
			return wso2.Token{}, b.err
		}
		return c.Token(ctx, "authorization_code", nil, url.Values{"code": {b.code}, "redirect_uri": {callback}, "code_verifier": {verifier}})
	}
}

// refusal is why the key manager would not let anybody log in, by where it redirects a browser to. IS 7.1 redirects to a page of its own
// if the client or the callback is wrong, and to the callback for other mistakes, as recorded.
func (c Client) refusal(to *url.URL, callback string) error {
	if to == nil {
		return nil
	}
	q := to.Query()
	switch code := q.Get("oauthErrorCode"); {
	case code == "unauthorized_client":
		return remedy.Add(fmt.Errorf("log in with a browser: client %s may not use authorization_code: %s", c.ID, plain(q.Get("oauthErrorMsg"))),
			"add authorization_code to grant_types of the application's key in the API configuration, and run agent apply")
	case code == "invalid_callback":
		return remedy.Add(fmt.Errorf("log in with a browser: client %s may not redirect to %s: %s", c.ID, callback, plain(q.Get("oauthErrorMsg"))),
			"add %s to callbacks of the application's key in the API configuration, and run agent apply; for a loopback address IS compares no port",
			withoutPort(callback))
	case code != "":
		return fmt.Errorf("log in with a browser: the key manager answers %s: %s", plain(code), plain(q.Get("oauthErrorMsg")))
	}
	return answeredError(q)
}

// withoutPort takes the port, which differs from login to login, out of a callback.
func withoutPort(callback string) string {
	u, err := url.Parse(callback)
	if err != nil {
		return callback
	}
	u.Host = strings.TrimSuffix(u.Host, ":"+u.Port())
	return u.String()
}

// answeredError is the error that an authorization endpoint sends to the callback (RFC 6749, section 4.1.2.1).
func answeredError(q url.Values) error {
	if code := q.Get("error"); code != "" {
		return fmt.Errorf("log in with a browser: the key manager answers %s: %s", plain(code), plain(q.Get("error_description")))
	}
	return nil
}

// plain takes what would steer a terminal out of a text that came over the network, and bounds it.
func plain(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f {
			return ' '
		}
		return r
	}, text)
	return text[:min(len(text), 300)]
}

// callbackHandler takes the first answer that has the state. Others may come from any page in the browser, and end nothing.
func callbackHandler(state string, backs chan<- back) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+callbackPath, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if q.Get("state") != state {
			http.Error(w, "This is not the answer to the login that the agent waits for.", http.StatusBadRequest)
			return
		}
		b := back{code: q.Get("code"), err: answeredError(q)}
		if b.err == nil && b.code == "" {
			b.err = errors.New("log in with a browser: the key manager answers without a code")
		}
		select {
		case backs <- b:
		default: // the first one counts
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Referrer-Policy", "no-referrer")
		if b.err != nil {
			fmt.Fprintln(w, "The login has failed. The terminal says why.")
			return
		}
		fmt.Fprintln(w, "You are logged in. Go back to the terminal.")
	})
	return mux
}
