package verify

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/config"
	"wso2agent/internal/testenv"
	"wso2agent/internal/trust"
	"wso2agent/internal/wso2"
)

// newKeys returns the keys of two issuers, made once for all tests.
var newKeys = sync.OnceValue(func() [2]*rsa.PrivateKey {
	var keys [2]*rsa.PrivateKey
	for i := range keys {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		keys[i] = key
	}
	return keys
})

// world imitates an issuer, a gateway and API-M's DevPortal, without a network.
type world struct {
	issuer    string
	signer    *rsa.PrivateKey // signs the tokens
	published *rsa.PrivateKey // stands in the JWKS
	opaque    bool
	failures  int // so many requests for tokens fail
	readyAt   time.Time
	gateway   func(r *http.Request, valid bool) (int, string)
	endpoints func() (int, string) // what the gateway shows of its endpoints
	pending   bool                 // applications have to be approved
	deaf      bool                 // the gateway does not hear of revoked tokens
	dies      bool                 // it is down once a token was revoked
	keyless   int                  // so many times API-M fails to make keys
	later     bool                 // keys have to be approved

	mu      sync.Mutex
	tokens  map[string]string // a client's last
	revoked map[string]bool
	apps    map[string]string // name to id
	asked   []string
}

func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	rec := httptest.NewRecorder()
	w.asked = append(w.asked, r.Method+" "+r.URL.String())
	client, _, _ := r.BasicAuth()
	portal, devPortal := strings.CutPrefix(r.URL.Path, "/api/am/devportal/v3")
	switch {
	case r.URL.Path == "/oauth2/token":
		if w.failures > 0 {
			w.failures--
			rec.WriteHeader(503)
			break
		}
		token := "opaque-" + client
		if !w.opaque {
			token = sign(w.signer, w.issuer)
		}
		w.tokens[client] = token
		json.NewEncoder(rec).Encode(map[string]any{"access_token": token, "expires_in": 3600})
	case r.URL.Path == "/oauth2/revoke":
		w.revoked[r.FormValue("token")] = !w.deaf
	case r.URL.Path == "/oauth2/jwks":
		json.NewEncoder(rec).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &w.published.PublicKey, KeyID: "k1", Algorithm: "RS256", Use: "sig"}}})
	case strings.HasSuffix(r.URL.Path, "/.well-known/openid-configuration"):
		json.NewEncoder(rec).Encode(map[string]any{"issuer": w.issuer})
	case strings.HasSuffix(r.URL.Path, "/server-startup-healthcheck"):
	case r.URL.Path == "/api/am/publisher/v4/apis":
		io.WriteString(rec, `{"count":0,"list":[]}`)
	case strings.HasSuffix(r.URL.Path, "/end-points"):
		status, body := w.endpoints()
		rec.WriteHeader(status)
		io.WriteString(rec, body)
	case devPortal:
		w.portal(rec, r, portal)
	default:
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		valid := token != "" && !w.revoked[token] && (token == w.tokens["key"] || token == w.tokens["probe"])
		if w.dies && len(w.revoked) > 0 {
			return nil, errors.New("connection refused")
		}
		status, body := w.gateway(r, valid)
		rec.WriteHeader(status)
		io.WriteString(rec, body)
	}
	return rec.Result(), nil
}

func (w *world) portal(rec *httptest.ResponseRecorder, r *http.Request, path string) {
	reply := func(status int, v any) {
		rec.WriteHeader(status)
		json.NewEncoder(rec).Encode(v)
	}
	var in map[string]any
	if r.Body != nil {
		json.NewDecoder(r.Body).Decode(&in)
	}
	switch {
	case r.Method == "POST" && path == "/applications":
		status := "APPROVED"
		if w.pending {
			status = "CREATED"
		}
		name := in["name"].(string)
		w.apps[name] = "app-" + name
		reply(201, map[string]string{"applicationId": w.apps[name], "name": name, "status": status})
	case r.Method == "GET" && path == "/applications":
		list := []map[string]string{}
		for name, id := range w.apps {
			list = append(list, map[string]string{"applicationId": id, "name": name})
		}
		reply(200, map[string]any{"list": list})
	case r.Method == "DELETE":
		maps.DeleteFunc(w.apps, func(_, id string) bool { return "/applications/"+id == path })
	case strings.HasSuffix(path, "/generate-keys") && w.keyless > 0:
		w.keyless--
		reply(500, map[string]any{"code": 900967, "message": "General Error", "description": "Server Error Occurred"})
	case strings.HasSuffix(path, "/generate-keys") && w.later:
		reply(200, map[string]string{"keyMappingId": "m", "keyState": "CREATED"})
	case strings.HasSuffix(path, "/generate-keys"):
		reply(200, map[string]string{"keyMappingId": "m", "consumerKey": "probe", "consumerSecret": "hunter3"})
	case r.Method == "POST" && path == "/subscriptions":
		reply(201, map[string]string{"subscriptionId": "s"})
	default:
		reply(200, map[string]any{"list": []any{map[string]string{"subscriptionId": "s", "status": "UNBLOCKED"}}})
	}
}

func sign(key *rsa.PrivateKey, issuer string) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: "k1"}},
		(&jose.SignerOptions{}).WithType("at+jwt"))
	if err != nil {
		panic(err)
	}
	jws, err := signer.Sign([]byte(`{"iss":"` + issuer + `"}`))
	if err != nil {
		panic(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return text
}

const invalid = `{"code":"900901","message":"Invalid Credentials","description":"…"}`

func newWorld() *world {
	w := &world{issuer: "https://is:9443/oauth2/token", signer: newKeys()[0], published: newKeys()[0],
		tokens: map[string]string{}, revoked: map[string]bool{}, apps: map[string]string{}}
	w.endpoints = func() (int, string) { return 200, shows("http://payments:8080") }
	w.gateway = func(_ *http.Request, valid bool) (int, string) {
		switch {
		case time.Now().Before(w.readyAt):
			return 404, `{"code":"404","type":"Status report","message":"Not Found","description":"…"}`
		case !valid:
			return 401, invalid
		}
		return 200, `{"nonce": "220f50fb"}`
	}
	return w
}

// shows returns what the gateway says about an API that it has loaded with these backends.
func shows(backends ...string) string {
	var endpoints []string
	for _, backend := range backends {
		endpoints = append(endpoints, `<endpoint name="x"><http uri-template="`+backend+`"><timeout/></http></endpoint>`)
	}
	text, err := json.Marshal(map[string]any{"endpoints": endpoints})
	if err != nil {
		panic(err)
	}
	return string(text)
}

var settings = bootstrap.Settings{AMURL: "https://am:9443", GatewayURL: "https://am:8243", ISURL: "https://is:9443", KMName: "WSO2-IS", KeyManagerName: "WSO2-IS"}

// withToken are the checks that the world can answer.
var withToken = []string{"app", "token.signature", "token.issuer", "api", "gateway.wrong-token", "gateway.revoked"}

// told are the settings of an agent next to API-M, with a statement of the agent next to IS.
func told(t *testing.T, closing trust.Closing) (cfg config.Config) {
	t.Helper()
	cfg.Server.Product, cfg.Server.Name, cfg.Trust.Peers, cfg.Trust.ExchangeDir = config.AM, "wso2am", []string{"wso2is"}, t.TempDir()
	if _, err := (trust.Exchange{Dir: cfg.Trust.ExchangeDir, Name: "wso2is"}).SayClosing(closing); err != nil {
		t.Fatal(err)
	}
	return cfg
}

func result() bootstrap.Result {
	return bootstrap.Result{
		Application: "App", ConsumerKey: "key", ConsumerSecret: "hunter2", KeyManager: "WSO2-IS",
		TokenEndpoint: "https://is:9443/oauth2/token", Issuer: "https://is:9443/oauth2/token", JWKS: "https://is:9443/oauth2/jwks",
		APIs: []bootstrap.PublishedAPI{
			{ID: "o", Name: "Other API", Version: "1.0.0", Path: "/other/1.0.0", BackendURL: "http://others:8080", Policy: "Unlimited"},
			{ID: "p", Name: "Payment API", Version: "1.0.0", Path: "/pay/1.0.0", BackendURL: "http://payments:8080", Policy: "Gold", Subscribed: true},
		},
	}
}

// check makes the checks with a token after a bootstrap, in a synctest bubble. It returns the verdicts as p, f, w and s, and all results.
func check(t *testing.T, w *world, cfg config.Config, o Selection, r bootstrap.Result) (verdicts string, checks []Check, err error) {
	t.Helper()
	var log bytes.Buffer
	checks, err = checkWith(t.Context(), slog.New(slog.NewTextHandler(&log, nil)), w, cfg, o, r)
	for _, c := range checks {
		verdicts += string(c.Verdict[0])
	}
	all := fmt.Sprint(checks, err, log.String())
	for _, secret := range []string{"hunter2", "hunter3", w.tokens["probe"]} {
		if secret != "" && strings.Contains(all, secret) {
			t.Errorf("a secret is in the output: %s", all)
		}
	}
	return verdicts, checks, err
}

func checkWith(ctx context.Context, log *slog.Logger, w *world, cfg config.Config, o Selection, r bootstrap.Result) ([]Check, error) {
	o.Only, o.Write, o.Wait = withToken, true, time.Minute
	return All(ctx, log, Subject{Config: cfg, Settings: settings, Servers: bootstrap.Connect(&http.Client{Transport: w}, settings), Result: &r}, o)
}

// of returns the result of a check, for an API if it is about one.
func of(t *testing.T, checks []Check, id, api string) Check {
	t.Helper()
	for _, c := range checks {
		if c.ID == id && strings.Contains(c.Name, api) {
			return c
		}
	}
	t.Fatalf("no %s %s in %+v", id, api, checks)
	return Check{}
}

func TestEachCheckPassesOrHasARemedy(t *testing.T) {
	backends := func(answer func(r *http.Request) (int, string)) func(*http.Request, bool) (int, string) {
		return func(r *http.Request, valid bool) (int, string) {
			if !valid {
				return 401, invalid
			}
			return answer(r)
		}
	}
	tests := []struct {
		name     string
		prepare  func(*world, *bootstrap.Result)
		verdicts string // API-M, two APIs that the gateway has, application, token, signature, issuer, an API that is called, wrong token, revoked token
		says     string // in a check's evidence or remedy
	}{
		{"all is well", func(*world, *bootstrap.Result) {}, "pppppppppp", `GET https://am:8243/pay/1.0.0/: HTTP 200`},
		{"the gateway gets the API late", func(w *world, _ *bootstrap.Result) { w.readyAt = time.Now().Add(40 * time.Second) }, "pppppppppp", "HTTP 200"},
		{"the gateway never gets the API", func(w *world, _ *bootstrap.Result) { w.readyAt = time.Now().Add(time.Hour) }, "pffppppssss", "the gateway does not have the API"},
		{"the token endpoint is busy for a while", func(w *world, _ *bootstrap.Result) { w.failures = 3 }, "pppppppppp", "gave a token for 1h0m0s"},
		{"the token endpoint is down", func(w *world, _ *bootstrap.Result) { w.failures = 1000 }, "ppppfsssss", "HTTP 503"},
		{"another key than the issuer's has signed", func(w *world, _ *bootstrap.Result) { w.signer = newKeys()[1] }, "pppppfpppp", "the token comes from another server than the keys"},
		{"the token names another issuer", func(w *world, _ *bootstrap.Result) { w.issuer = "https://localhost:9443/oauth2/token" }, "ppppppfppp", "[server] hostname"},
		{"the key manager gives opaque tokens", func(w *world, _ *bootstrap.Result) { w.opaque = true }, "pppppfsppp", "token type must be JWT"},
		{"the issuer is not known", func(_ *world, r *bootstrap.Result) { r.Issuer = "" }, "ppppppsppp", "the token's is https://is:9443/oauth2/token"},
		{"no API is subscribed to", func(_ *world, r *bootstrap.Result) { r.APIs = r.APIs[:1] }, "ppppppppp", "https://am:8243/other/1.0.0/: HTTP 200"},
		{"there is no API", func(_ *world, r *bootstrap.Result) { r.APIs = nil }, "psppppsss", "names no API"},
		{"the gateway lets any token in", func(w *world, _ *bootstrap.Result) {
			w.gateway = func(*http.Request, bool) (int, string) { return 200, "welcome" }
		}, "ppppppppfs", "does not check tokens"},
		{"the gateway refuses the token", func(w *world, _ *bootstrap.Result) {
			w.gateway = func(*http.Request, bool) (int, string) { return 401, invalid }
		}, "pppppppfss", "make API-M trust the key manager's certificate"},
		{"the gateway does not know the subscription", func(w *world, _ *bootstrap.Result) {
			w.gateway = backends(func(*http.Request) (int, string) {
				return 403, `{"code":"900908","message":"Resource forbidden ","description":"…"}`
			})
		}, "pppppppfss", "same issuer"},
		{"the operation wants a scope", func(w *world, _ *bootstrap.Result) {
			w.gateway = backends(func(*http.Request) (int, string) {
				return 403, `{"code":"900910","message":"The access token does not allow…","description":"…"}`
			})
		}, "pppppppppp", "900910"},
		{"the API is throttled", func(w *world, _ *bootstrap.Result) {
			w.gateway = backends(func(*http.Request) (int, string) {
				return 429, `{"code":"900802","message":"Message throttled out","description":"…"}`
			})
		}, "pppppppppp", "900802"},
		{"the backend is down", func(w *world, _ *bootstrap.Result) {
			w.gateway = backends(func(*http.Request) (int, string) { return 503, `{"fault":{"code":101503}}` })
		}, "pppppppfss", "its backend does not answer, or answers with an error: check that http://payments:8080"},
		{"the backend has nothing at this path, but it was reached", func(w *world, _ *bootstrap.Result) {
			w.gateway = backends(func(*http.Request) (int, string) { return 404, "no such payment" })
		}, "pppppppppp", "HTTP 404"},
		{"the gateway does not hear of revoked tokens", func(w *world, _ *bootstrap.Result) { w.deaf = true }, "pppppppppf", "IS has the handler that reports revoked tokens to API-M, but it does not work"},
		{"the gateway is down when it should refuse a revoked token", func(w *world, _ *bootstrap.Result) { w.dies = true }, "pppppppppf", "check GW_HOST and GW_PORT, and whether API-M is up"},
		{"API-M fails to make keys for a while", func(w *world, _ *bootstrap.Result) { w.keyless = 3 }, "pppppppppp", "HTTP 200"},
		{"API-M makes no keys at all", func(w *world, _ *bootstrap.Result) { w.keyless = 1000 }, "pppfssssss", "HTTP 500, code 900967"},
		{"keys have to be approved", func(w *world, _ *bootstrap.Result) { w.later = true }, "pppsssssss", "a person approves it"},
		{"applications have to be approved", func(w *world, _ *bootstrap.Result) { w.pending = true }, "pppsssssss", "a person approves it"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			newKeys()
			cfg := told(t, trust.Closing{Handler: true})
			synctest.Test(t, func(t *testing.T) {
				w, r := newWorld(), result()
				tt.prepare(w, &r)
				verdicts, checks, err := check(t, w, cfg, Selection{}, r)
				if verdicts != tt.verdicts {
					t.Errorf("verdicts %s, want %s: %+v", verdicts, tt.verdicts, checks)
				}
				if strings.Contains(tt.verdicts, "f") != errors.Is(err, ErrFailed) {
					t.Errorf("error %v", err)
				}
				if !strings.Contains(fmt.Sprint(checks), tt.says) {
					t.Errorf("%q is not in %+v", tt.says, checks)
				}
				for _, c := range checks {
					if c.Name == "" || c.Evidence == "" || (c.Verdict == Fail) != (c.Remedy != "") {
						t.Errorf("incomplete check %+v", c)
					}
				}
				if len(w.apps) != 0 {
					t.Errorf("it leaves %v", w.apps)
				}
				for _, request := range w.asked {
					method, at, _ := strings.Cut(request, " ")
					if method != "GET" && (strings.HasPrefix(at, settings.GatewayURL) || !strings.HasPrefix(at, settings.ISURL+"/oauth2/") && !strings.HasPrefix(at, settings.AMURL+"/api/am/devportal/")) {
						t.Errorf("%s changes something", request)
					}
				}
				if w.tokens["key"] != "" {
					t.Error("the application's live token was ended")
				}
			})
		})
	}
}

// A backend may echo its requests: with the token of the call, and with what the gateway says of the user. CI keeps the evidence.
func TestEvidenceHasNoTokenThatABackendEchoes(t *testing.T) {
	newKeys()
	for _, status := range []int{http.StatusOK, http.StatusServiceUnavailable} {
		synctest.Test(t, func(t *testing.T) {
			w, echoed := newWorld(), false
			w.gateway = func(r *http.Request, valid bool) (int, string) {
				if !valid {
					return 401, invalid
				}
				token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
				echoed = echoed || strings.HasPrefix(token, "eyJ")
				return status, "the echo: X-JWT-Assertion: " + token + " Authorization: " + r.Header.Get("Authorization")
			}
			_, checks, _ := check(t, w, config.Config{}, Selection{}, result())
			text := fmt.Sprint(checks)
			if !echoed || strings.Contains(text, "eyJ") {
				t.Errorf("HTTP %d: token echoed: %v, evidence: %s", status, echoed, text)
			}
			if failed := status != http.StatusOK; strings.Contains(text, "the echo: X-JWT-Assertion: *****") != failed {
				t.Errorf("HTTP %d: the evidence is %s", status, text)
			}
		})
	}
}

func TestAnEndedContextFailsNoCheck(t *testing.T) {
	newKeys()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.readyAt = time.Now().Add(time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, err := checkWith(ctx, slog.New(slog.DiscardHandler), w, config.Config{}, Selection{}, result())
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrFailed) {
			t.Errorf("got %v", err)
		}
	})
}

// replay answers by address.
type replay map[string]string

func (r replay) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(r[req.URL.String()]))}, nil
}

func TestARecordedTokenIsVerifiedWithTheRecordedKeys(t *testing.T) {
	text, err := os.ReadFile(testenv.Shared(t, "recordings", "is-7.1.0-for-apim.har"))
	if err != nil {
		t.Fatal(err)
	}
	var har struct {
		Log struct {
			Entries []struct {
				Comment  string
				Response struct{ Content struct{ Text string } }
			}
		}
	}
	if err := json.Unmarshal(text, &har); err != nil {
		t.Fatal(err)
	}
	answers := map[string]string{}
	for _, e := range har.Log.Entries {
		answers[e.Comment] = e.Response.Content.Text
	}
	var token struct {
		AccessToken wso2.Secret `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(answers["token client_credentials (JWT client)"]), &token); err != nil {
		t.Fatal(err)
	}
	const jwks, issuer = "https://localhost:9463/oauth2/jwks", "https://localhost:9463/oauth2/token"
	r := &run{
		Servers:   bootstrap.Servers{HTTP: &http.Client{Transport: replay{jwks: answers["jwks"]}}},
		Selection: Selection{Wait: time.Second},
		result:    bootstrap.Result{JWKS: jwks, Issuer: issuer},
		token:     wso2.Token{AccessToken: token.AccessToken},
	}
	if c := r.tokenSignature(t.Context()); c.Verdict != Pass {
		t.Errorf("signature: %+v", c)
	}
	if c := r.tokenIssuer(t.Context()); c.Verdict != Pass {
		t.Errorf("issuer: %+v", c)
	}
	r.token.AccessToken = tampered(r.token.AccessToken)
	if c := r.tokenSignature(t.Context()); c.Verdict != Fail {
		t.Errorf("signature of a tampered token: %+v", c)
	}
}

func TestACallThatShouldBeRefusedLogsWhatItWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		servers := bootstrap.Connect(&http.Client{Transport: replay{}}, settings)
		i := &inspection{run: &run{Servers: servers, log: slog.New(slog.NewTextHandler(&log, nil)), Selection: Selection{Wait: time.Second}}}
		_, ok, err := i.callUntil(t.Context(), &target{method: http.MethodGet, path: "/orders/1.0.0/"}, "token", refused)
		if ok || err != nil || !strings.Contains(log.String(), "the gateway still accepts the token: GET ") {
			t.Errorf("refused: %v, %v\n%s", ok, err, &log)
		}
	})
}

func TestACheckThatHasToWaitLogsEachTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		r := &run{log: slog.New(slog.NewTextHandler(&log, nil)), Selection: Selection{Wait: time.Minute}}
		tries := 0
		r.poll(t.Context(), "API called", func() (bool, string) { tries++; return tries == 3, fmt.Sprintf("HTTP 404, try %d", tries) })
		if tries != 3 || strings.Count(log.String(), "not yet, trying again") != 2 || !strings.Contains(log.String(), `attempt=2`) || !strings.Contains(log.String(), "HTTP 404, try 2") {
			t.Errorf("%d tries:\n%s", tries, &log)
		}
		tries = 0
		r.poll(t.Context(), "API called", func() (bool, string) { tries++; return false, "" })
		if tries < 10 || tries > 40 {
			t.Errorf("%d tries in a minute", tries)
		}
	})
}
