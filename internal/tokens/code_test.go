package tokens

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/remedy"
)

// authorizationServer is a stand-in of a key manager: authorize answers a browser, and token the client.
type authorizationServer struct {
	to       string     // where authorize redirects to; empty: a page
	asked    url.Values // of authorize
	form     url.Values // of token
	listener net.Listener
}

func newAuthorizationServer(t *testing.T) (*authorizationServer, Client) {
	t.Helper()
	a := &authorizationServer{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /oauth2/authorize", func(w http.ResponseWriter, r *http.Request) {
		a.asked = r.URL.Query()
		if a.to != "" {
			http.Redirect(w, r, a.to, http.StatusFound)
		}
	})
	mux.HandleFunc("POST /oauth2/token", func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		a.form = r.PostForm
		io.WriteString(w, token)
	})
	s := httptest.NewTLSServer(mux)
	t.Cleanup(s.Close)
	hc := s.Client()
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	var err error
	if a.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	return a, Client{HTTP: hc, ID: "app", Secret: "s3cret", TokenEndpoint: s.URL + "/oauth2/token"}
}

// browse opens an address as a browser does, and returns status and text.
func browse(t *testing.T, address string, query url.Values) (int, string) {
	t.Helper()
	resp, err := http.Get(address + "?" + query.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestACodeComesBackFromTheBrowser(t *testing.T) {
	a, c := newAuthorizationServer(t)
	callback := "http://" + a.listener.Addr().String() + "/callback"
	got, err := c.Code(t.Context(), a.listener, []string{"openid"}, time.Hour, func(address string) {
		u, err := url.Parse(address)
		if err != nil || !strings.HasPrefix(address, c.Endpoint("authorize")+"?") {
			t.Errorf("shown: %s, %v", address, err)
		}
		q := u.Query()
		if q.Get("redirect_uri") != callback || q.Get("scope") != "openid" || q.Get("code_challenge_method") != "S256" || q.Get("response_type") != "code" || len(q.Get("state")) < 20 {
			t.Errorf("shown: %v", q)
		}
		// Any page in the browser can call the callback, so an answer without the state ends nothing.
		if status, _ := browse(t, callback, url.Values{"code": {"evil"}, "state": {"guess"}}); status != http.StatusBadRequest {
			t.Errorf("without the state: %d", status)
		}
		if status, text := browse(t, callback, url.Values{"code": {"c0de"}, "state": {q.Get("state")}}); status != http.StatusOK || !strings.Contains(text, "You are logged in") {
			t.Errorf("%d %s", status, text)
		}
	})
	if err != nil || got.AccessToken != "at" {
		t.Fatalf("%v, %v", got, err)
	}
	sum := sha256.Sum256([]byte(a.form.Get("code_verifier")))
	if a.form.Get("code") != "c0de" || a.form.Get("redirect_uri") != callback || base64.RawURLEncoding.EncodeToString(sum[:]) != a.asked.Get("code_challenge") {
		t.Errorf("the token was asked for with %v after %v", a.form, a.asked)
	}
	if n := len(a.form.Get("code_verifier")); n < 43 || n > 128 {
		t.Errorf("the verifier has %d letters", n)
	}
}

func TestALoginThatCannotSucceedFailsBeforeAnybodyOpensTheAddress(t *testing.T) {
	for to, want := range map[string]string{
		"https://is/oauth2_error.do?oauthErrorCode=invalid_callback&oauthErrorMsg=callback.not.match":   "callback.not.match",
		"https://is/oauth2_error.do?oauthErrorCode=invalid_client&oauthErrorMsg=application.not.found":  "the key manager answers invalid_client: application.not.found",
		"https://is/oauth2_error.do?oauthErrorCode=unauthorized_client&oauthErrorMsg=no%1b[1mauthority": "no [1mauthority",
		"http://127.0.0.1/callback?error=invalid_request&error_description=PKCE+is+mandatory":           "the key manager answers invalid_request: PKCE is mandatory",
	} {
		a, c := newAuthorizationServer(t)
		a.to = to
		_, err := c.Code(t.Context(), a.listener, nil, time.Hour, func(string) { t.Errorf("%s: shown", to) })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", to, err)
			continue
		}
		if strings.Contains(to, "callback.not.match") {
			if _, hints := remedy.Split(err); len(hints) != 1 || !strings.HasPrefix(hints[0], "add http://127.0.0.1/callback to callbacks") {
				t.Errorf("%v", err)
			}
		}
		if strings.Contains(to, "unauthorized_client") {
			if _, hints := remedy.Split(err); len(hints) != 1 || !strings.HasPrefix(hints[0], "add authorization_code to grant_types") || strings.Contains(err.Error(), "callback") {
				t.Errorf("%v", err)
			}
		}
	}
}

func TestWhatTheKeyManagerAnswersAtTheCallback(t *testing.T) {
	for name, tc := range map[string]struct {
		answer url.Values
		want   string
	}{
		"the person refuses": {url.Values{"error": {"access_denied"}, "error_description": {"User denied\nthe consent"}}, "the key manager answers access_denied: User denied the consent"},
		"no code":            {url.Values{}, "the key manager answers without a code"},
	} {
		a, c := newAuthorizationServer(t)
		a.to = "https://is/login.do"
		_, err := c.Code(t.Context(), a.listener, nil, time.Hour, func(string) {
			tc.answer.Set("state", a.asked.Get("state"))
			if _, text := browse(t, "http://"+a.listener.Addr().String()+"/callback", tc.answer); !strings.Contains(text, "has failed") {
				t.Errorf("%s: %s", name, text)
			}
		})
		if err == nil || !strings.HasSuffix(err.Error(), tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	a, c := newAuthorizationServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	if got, err := c.Code(ctx, a.listener, nil, time.Hour, func(string) { cancel() }); err == nil || got.AccessToken != "" {
		t.Errorf("nobody comes back: %v, %v", got, err)
	}
}
