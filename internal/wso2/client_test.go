package wso2

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"wso2agent/internal/keystore"
)

func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }

// serve starts a TLS server and returns its address and a client that has its certificate pinned.
func serve(t *testing.T, h http.HandlerFunc) (string, *http.Client) {
	t.Helper()
	s := httptest.NewTLSServer(h)
	s.Config.ErrorLog = discardLog()
	t.Cleanup(s.Close)
	fp := keystore.Certificate{DER: s.Certificate().Raw}.Fingerprint()
	hc := NewHTTPClient(pins{s.Listener.Addr().String(): {fp}}, nil)
	t.Cleanup(hc.CloseIdleConnections)
	return s.URL, hc
}

// answering is a handler that always answers the same.
func answering(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

var admin = Credentials{User: "admin", Password: "hunter2"}

func TestAFailedRequestTellsWhetherToTryAgain(t *testing.T) {
	tests := []struct {
		name      string
		status    int
		body      string
		code      int
		permanent bool
		tells     string
	}{
		{"a refused password stays refused", 401, `{"code":401,"message":"","description":"Unauthenticated request","moreInfo":"","error":[]}`, 401, true, "check the user and the password"},
		{"a request that the server finds wrong", 400, `{"code":400,"message":"Bad Request","description":"Validation Error","moreInfo":"","error":[{"code":"400_type","message":"type: must not be null","description":null}]}`, 400, true, "type: must not be null"},
		{"a missing role", 403, `{"code":902002,"message":"Subscription Tier is not allowed for user","description":"Subscription Tier Gold is not allowed for user admin ","moreInfo":"","error":[]}`, 902002, true, "does not offer this subscription policy"},
		{"a conflict", 409, `{"code":901409,"message":"Key Mappings already exists","description":"Key Mappings already exists","moreInfo":"","error":[]}`, 901409, true, "code 901409: Key Mappings already exists"},
		{"a thing that the API does not have", 404, `{"code":404,"message":"Not Found","description":"Requested API does not exist","moreInfo":"","error":[]}`, 404, true, "Requested API does not exist"},
		{"an API that is not there yet after the server's start", 404, `<html>Not Found</html>`, 0, false, "HTTP 404"},
		{"a server error", 500, `{"code":900967,"message":"General Error","description":"Server Error Occurred","moreInfo":"","error":[]}`, 900967, false, "General Error"},
		{"a proxy without a server behind it", 502, ``, 0, false, "HTTP 502"},
		{"too many requests", 429, ``, 0, false, "HTTP 429"},
		{"the server's own time-out", 408, ``, 0, false, "HTTP 408"},
		{"too early", 425, ``, 0, false, "HTTP 425"},
		{"a login page in place of the API, as while stopping", 302, ``, 0, false, "redirected to https://login.example/page;"},
		{"success without a document, as while stopping", 200, ``, 0, false, ErrNoDocument.Error()},
		{"success with a page", 200, `<html>`, 0, false, ErrNoDocument.Error()},
		{"an OAuth error", 401, `{"error_description":"Client credentials are invalid.","error":"invalid_client"}`, 0, true, "invalid_client: Client credentials are invalid."},
		{"an IS error whose code is a text", 409, `{"code":"API-RESOURCE-60003","message":"exists","description":"it exists","traceId":"x"}`, 0, true, "exists: it exists"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			base, hc := serve(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Location", "https://login.example/page?session=s3cr3t")
				answering(tt.status, tt.body)(w, r)
			})
			_, err := NewAdmin(hc, base, admin).KeyManagers(t.Context())
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want an *Error", err)
			}
			if e.Status != tt.status || e.Code != tt.code || IsPermanent(err) != tt.permanent {
				t.Errorf("status %d, code %d, permanent %v; want %d, %d, %v", e.Status, e.Code, IsPermanent(err), tt.status, tt.code, tt.permanent)
			}
			for _, want := range []string{"list key managers (GET " + base + "/api/am/admin/v4/key-managers)", tt.tells} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not tell %q: %v", want, err)
				}
			}
			for _, secret := range []string{"hunter2", "s3cr3t"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error tells a secret: %v", err)
				}
			}
		})
	}
}

func TestAServerThatHangsOrIsGoneIsTriedAgain(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	// Not until the request's context ends: the answer would race with the client that gives up.
	hanging, hc := serve(t, func(http.ResponseWriter, *http.Request) { <-release })
	impatient := *hc
	impatient.Timeout = 50 * time.Millisecond
	_, err := NewAdmin(&impatient, hanging, admin).KeyManagers(t.Context())
	if err == nil || IsPermanent(err) || !strings.Contains(err.Error(), "no answer in time") {
		t.Errorf("hanging: %v", err)
	}

	gone := httptest.NewTLSServer(nil)
	hc = NewHTTPClient(pins{gone.Listener.Addr().String(): {{1}}}, nil)
	gone.Close()
	_, err = NewAdmin(hc, gone.URL, admin).KeyManagers(t.Context())
	if err == nil || IsPermanent(err) || !strings.Contains(err.Error(), "refused") {
		t.Errorf("gone: %v", err)
	}

	half, hc := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, `{"list":[`)
	})
	_, err = NewAdmin(hc, half, admin).KeyManagers(t.Context())
	if err == nil || IsPermanent(err) || !strings.Contains(err.Error(), "read the answer") {
		t.Errorf("half an answer: %v", err)
	}
}

func TestAnAnswerIsReadUpToABound(t *testing.T) {
	base, hc := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		chunk := bytes.Repeat([]byte(" "), 1<<20)
		for range 17 {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	_, err := NewAdmin(hc, base, admin).KeyManagers(t.Context())
	if err == nil || !strings.Contains(err.Error(), "larger than 2 MiB") {
		t.Fatalf("got %v", err)
	}
}

func TestRetryAfterIsReadInSecondsAndAsADate(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	tests := []struct {
		name, value string
		want        time.Duration
	}{
		{"seconds", "7", 7 * time.Second},
		{"a date", "Fri, 02 Jan 2026 03:04:35 GMT", 30 * time.Second},
		{"a date that has passed", "Fri, 02 Jan 2026 03:00:00 GMT", 0},
		{"more than we would wait", "999999999", maxRetryAfter},
		{"a negative number", "-5", 0},
		{"nothing", "", 0},
		{"rubbish", "soon", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := retryAfter(tt.value, now); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
	base, hc := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3")
		w.WriteHeader(429)
	})
	_, err := NewAdmin(hc, base, admin).KeyManagers(t.Context())
	if got := RetryAfter(fmt.Errorf("wrapped: %w", err)); got != 3*time.Second {
		t.Errorf("RetryAfter of a wrapped error: %v, want 3s", got)
	}
}

func TestNoSecretOfARequestIsRepeatedByItsError(t *testing.T) {
	const secret = "t0ps3cret"
	km := KeyManager{Name: "IS", AdditionalProperties: ConnectorOfIS7{Password: secret}}
	for name, message := range map[string]string{
		"in the middle":                         "cannot read " + secret + " as a number",
		"at the place where a long text is cut": strings.Repeat("x", 295) + secret,
	} {
		t.Run(name, func(t *testing.T) {
			base, hc := serve(t, func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(400)
				json.NewEncoder(w).Encode(map[string]any{"code": 400, "message": message})
			})
			_, err := NewAdmin(hc, base, admin).CreateKeyManager(t.Context(), km)
			if err == nil || strings.Contains(err.Error(), "t0p") {
				t.Errorf("create key manager: %v", err)
			}
			_, err = FetchToken(t.Context(), hc, base+"/oauth2/token", "client", secret)
			if err == nil || strings.Contains(err.Error(), "t0p") {
				t.Errorf("fetch token: %v", err)
			}
		})
	}
	asJSON, err := json.Marshal(admin)
	must(t, err)
	for _, text := range []string{fmt.Sprint(km), fmt.Sprintf("%+v %#v", km, km), fmt.Sprintf("%v", admin), string(asJSON)} {
		if strings.Contains(text, "t0ps3cret") || strings.Contains(text, "hunter2") {
			t.Errorf("a secret is printed: %s", text)
		}
	}
}

func TestEveryPageOfAListIsRead(t *testing.T) {
	const total = 250
	for name, tt := range map[string]struct {
		says    int // the total that the server says
		offsets string
	}{
		"the server does not say how many there are": {0, "0 100 200"},
		"it says so":             {total, "0 100 200"},
		"it says too few":        {50, "0 100 200"},
		"it says a few too many": {300, "0 100 200 300"},
	} {
		t.Run(name, func(t *testing.T) { everyPage(t, total, tt.says, tt.offsets) })
	}
}

// everyPage reads a list with total entries of which the server says how many there are.
func everyPage(t *testing.T, total, says int, wantOffsets string) {
	var mu sync.Mutex
	var offsets []string
	base, hc := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var offset, limit int
		fmt.Sscan(r.FormValue("offset"), &offset)
		fmt.Sscan(r.FormValue("limit"), &limit)
		mu.Lock()
		offsets = append(offsets, r.FormValue("offset"))
		mu.Unlock()
		list := []map[string]string{}
		for i := offset; i < min(offset+limit, total); i++ {
			list = append(list, map[string]string{"id": fmt.Sprint(i)})
		}
		json.NewEncoder(w).Encode(map[string]any{"count": len(list), "list": list, "pagination": map[string]int{"total": says}})
	})
	apis, err := NewPublisher(hc, base, admin).APIs(t.Context())
	if err != nil || len(apis) != total {
		t.Fatalf("got %d APIs, %v", len(apis), err)
	}
	for i, api := range apis {
		if api.ID != fmt.Sprint(i) {
			t.Fatalf("entry %d is %s", i, api.ID)
		}
	}
	slices.Sort(offsets)
	if got := strings.Join(offsets, " "); got != wantOffsets {
		t.Errorf("asked for offsets %s", got)
	}
}

func TestCredentialsGoWhereTheyBelong(t *testing.T) {
	var got []string
	base, hc := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.URL.Path+" "+r.Header.Get("Authorization"))
		io.WriteString(w, `{"issuer":"x","list":[],"access_token":"t"}`)
	})
	ctx := t.Context()
	must(t, NewGateway(hc, base, base, Credentials{}).Healthy(ctx))
	_, err := NewIdentity(hc, base, admin).Discovery(ctx)
	must(t, err)
	must(t, NewPublisher(hc, base, admin).Ready(ctx))
	_, err = FetchToken(ctx, hc, base+"/oauth2/token", "id", "se:cret")
	must(t, err)
	_, err = NewGateway(hc, base, base, Credentials{}).Get(ctx, "/pay/1.0.0/", "the-token")
	must(t, err)
	want := []string{
		"/api/am/gateway/v2/server-startup-healthcheck ", // a wrong Authorization would be answered by 401
		"/oauth2/token/.well-known/openid-configuration ",
		"/api/am/publisher/v4/apis Basic YWRtaW46aHVudGVyMg==",
		"/oauth2/token Basic aWQ6c2UlM0FjcmV0", // id:se%3Acret, form-encoded as RFC 6749 says
		"/pay/1.0.0/ Bearer the-token",
	}
	for i := range want {
		if i >= len(got) || got[i] != want[i] {
			t.Fatalf("request %d: got %q, want %q", i, got, want[i])
		}
	}
}

func TestAClientThatISDoesNotHaveIsToldFromARefusedPassword(t *testing.T) {
	tests := []struct {
		name      string
		status    int
		body      string
		id        string
		refused   bool
		deleteErr bool
	}{
		{"a client that is there", 200, `{"client_id":"abc","client_secret":"s"}`, "abc", false, false},
		{"no such client: 401 with an empty body", 401, ``, "", false, false},
		{"a wrong password: 401 with a body", 401, `{"traceId":"x","code":401,"description":"Authorization failure.","message":"Unauthorized"}`, "", true, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			base, hc := serve(t, answering(tt.status, tt.body))
			is := NewIdentity(hc, base, admin)
			id, err := is.FindClient(t.Context(), "admin_1_PRODUCTION")
			if id != tt.id || (err != nil) != tt.refused {
				t.Errorf("find: %q, %v", id, err)
			}
			if err := is.DeleteClient(t.Context(), "abc"); (err != nil) != tt.deleteErr {
				t.Errorf("delete: %v", err)
			}
		})
	}
}

func TestTheGatewaysErrorsAreToldFromTheBackends(t *testing.T) {
	tests := []struct {
		name   string
		status int
		body   string
		code   string
	}{
		{"an invalid token", 401, `{"code":"900901","message":"Invalid Credentials","description":"…"}`, GatewayInvalidToken},
		{"an unknown context", 404, `{"code":"404","type":"Status report","message":"Not Found","description":"The requested resource is not available."}`, GatewayUnknown},
		{"the backend's own 404", 404, `{"error":"no such payment"}`, ""},
		{"the backend's answer, whatever is in it", 200, `{"code":"900901","message":"x"}`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			base, hc := serve(t, answering(tt.status, tt.body))
			a, err := NewGateway(hc, base, base, Credentials{}).Get(t.Context(), "/x/1/", "t")
			if err != nil || a.Status != tt.status || a.Code != tt.code || string(a.Body) != tt.body {
				t.Errorf("got %+v, %v", a, err)
			}
		})
	}
}

func TestAnEndedContextIsReported(t *testing.T) {
	base, hc := serve(t, answering(200, `{}`))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := NewAdmin(hc, base, admin).KeyManagers(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestARefusedPasswordNamesTheSettingItCameFrom(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }))
	defer server.Close()
	admin := NewAdmin(server.Client(), server.URL, Credentials{User: "admin", Password: "hunter2", Source: "AM_ADMIN_USER and AM_ADMIN_PASS"})
	_, err := admin.KeyManagers(t.Context())
	if err == nil || !strings.Contains(err.Error(), "check AM_ADMIN_USER and AM_ADMIN_PASS") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("error = %v", err)
	}
}

func TestAListWithoutAnEndIsAnError(t *testing.T) {
	for name, tt := range map[string]struct {
		entry func(offset, i int) string
		says  string
	}{
		"the same page again and again": {func(_, i int) string { return fmt.Sprintf(`{"id":"%d"}`, i) }, "begins with the same entry"},
		"large entries": {func(offset, i int) string {
			return fmt.Sprintf(`{"id":"%d","name":"%s"}`, offset+i, strings.Repeat("x", 15000))
		}, "larger than 8 MiB"},
		"always another page": {func(offset, i int) string { return fmt.Sprintf(`{"id":"%d"}`, offset+i) }, "more than 10000 entries"},
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int32
			base, hc := serve(t, func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				var offset int
				fmt.Sscan(r.URL.Query().Get("offset"), &offset)
				entries := make([]string, 100)
				for i := range entries {
					entries[i] = tt.entry(offset, i)
				}
				fmt.Fprintf(w, `{"count":100,"list":[%s],"pagination":{"total":1000000}}`, strings.Join(entries, ","))
			})
			if _, err := NewPublisher(hc, base, admin).APIs(t.Context()); err == nil || !strings.Contains(err.Error(), tt.says) || IsPermanent(err) {
				t.Errorf("error = %v", err)
			}
			if n := asked.Load(); n > 100 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

func TestADecompressedAnswerIsBoundedToo(t *testing.T) {
	base, hc := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		defer z.Close()
		for range 64 {
			z.Write(make([]byte, 1<<20)) // 64 MiB, of 64 KiB on the wire
		}
	})
	if _, err := NewPublisher(hc, base, admin).APIs(t.Context()); err == nil || !strings.Contains(err.Error(), "larger than 2 MiB") {
		t.Errorf("error = %v", err)
	}
}

func TestNoErrorRepeatsWhatWasSentInSecret(t *testing.T) {
	cred := Credentials{User: "admin", Password: `p&"w <d+1`}
	for name, form := range map[string]func(header, password string) string{
		"the header":             func(header, _ string) string { return header },
		"the password":           func(_, password string) string { return password },
		"the password in JSON":   func(_, password string) string { text, _ := json.Marshal(password); return string(text) },
		"the password in XML":    func(_, password string) string { return html.EscapeString(password) },
		"the password in a form": func(_, password string) string { return url.QueryEscape(password) },
	} {
		t.Run(name, func(t *testing.T) {
			base, hc := serve(t, func(w http.ResponseWriter, r *http.Request) {
				_, password, _ := r.BasicAuth()
				w.WriteHeader(400)
				json.NewEncoder(w).Encode(map[string]any{"code": 400, "message": "cannot parse", "description": "near: " + form(r.Header.Get("Authorization"), password)})
			})
			_, err := NewAdmin(hc, base, cred).KeyManagers(t.Context())
			header := base64.StdEncoding.EncodeToString([]byte(cred.User + ":" + string(cred.Password)))
			for _, secret := range []string{string(cred.Password), header, form(header, string(cred.Password))} {
				if err == nil || strings.Contains(err.Error(), secret) || !strings.Contains(err.Error(), "(secret)") {
					t.Errorf("the error shows %q: %v", secret, err)
				}
			}
		})
	}
}

func TestASuccessThatSaysNothingIsTriedAgain(t *testing.T) {
	for _, body := range []string{"null", " null\n", "{}", `{"list":null}`} {
		base, hc := serve(t, answering(200, body))
		_, lists := NewPublisher(hc, base, admin).APIs(t.Context())
		_, managers := NewAdmin(hc, base, admin).KeyManagers(t.Context())
		for _, err := range []error{lists, managers} {
			if !errors.Is(err, ErrNoDocument) || IsPermanent(err) {
				t.Errorf("%q: %v", body, err)
			}
		}
	}
}

func TestALostClientIsNotTakenForAWrongPassword(t *testing.T) {
	base, hc := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		io.WriteString(w, `{"error_description":"A valid OAuth client could not be found for client_id: x","error":"invalid_client"}`)
	})
	_, err := FetchToken(t.Context(), hc, base, "x", "y")
	if !HasCodeText(err, CodeTextNoClient) || !strings.Contains(err.Error(), "does not know this client") || strings.Contains(err.Error(), "administrator") {
		t.Errorf("got %v", err)
	}
}

func TestIntrospectionOfAToken(t *testing.T) {
	hc, base, asked := oneAnswer(t, 200, `{"active":true,"exp":5}`)
	got, err := NewIdentity(hc, base, admin).Introspect(t.Context(), "t0k3n")
	if user, _, _ := asked.BasicAuth(); err != nil || got["active"] != true || got["exp"] != 5.0 || asked.URL.Path != "/oauth2/introspect" || asked.Form.Get("token") != "t0k3n" || user != admin.User {
		t.Errorf("%v, %v, asked %s as %s", got, err, asked.URL, user)
	}
	for body, status := range map[string]int{"{}": 200, "": 200, `{"code":403,"message":"about t0k3n"}`: 403} {
		hc, base, _ := oneAnswer(t, status, body)
		if got, err := NewIdentity(hc, base, admin).Introspect(t.Context(), "t0k3n"); err == nil || strings.Contains(err.Error(), "t0k3n") {
			t.Errorf("%d %s: %v, %v", status, body, got, err)
		}
	}
}
