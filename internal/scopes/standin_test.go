package scopes

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"wso2agent/internal/keystore"
	"wso2agent/internal/wso2"
	"wso2agent/internal/wso2sim"
)

// home is the home of IS, unpacked once, because its keys take longer than everything else.
var home = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "scopes")
	if err != nil {
		return "", err
	}
	return dir, wso2sim.UnpackWith(filepath.Join(dir, "is"), wso2sim.ProductIS, wso2sim.UnpackOptions{Rounds: 10})
})

func TestMain(m *testing.M) {
	if address := os.Getenv("SCOPES_TEST_IS"); address != "" {
		os.Exit(child(address, os.Getenv("SCOPES_TEST_PIN")))
	}
	if applications := os.Getenv("SCOPES_TEST_SERVE"); applications != "" {
		os.Exit(serve(applications))
	}
	code := m.Run()
	if dir, err := home(); err == nil {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// server is a stand-in of IS, with a client that pins its certificate.
type server struct {
	t    testing.TB
	is   *wso2sim.IS
	pin  keystore.Fingerprint
	http *http.Client

	requests  atomic.Int64
	intercept atomic.Pointer[func(w http.ResponseWriter, r *http.Request) bool] // answers in place of the stand-in if it returns true
}

type pins map[string][]keystore.Fingerprint

func (p pins) Pinned(address string) ([]keystore.Fingerprint, bool, error) {
	fps, peer := p[address]
	return fps, peer, nil
}

func newServer(t testing.TB) *server {
	t.Helper()
	dir, err := home()
	must(t, err)
	own := filepath.Join(t.TempDir(), "is")
	must(t, os.CopyFS(own, os.DirFS(filepath.Join(dir, "is"))))
	s := &server{t: t}
	s.is, err = wso2sim.StartIS(t.Context(), wso2sim.Options{Home: own, Listen: "127.0.0.1:0", Wrap: s.count})
	must(t, err)
	t.Cleanup(func() { s.is.Close() })
	must(t, s.is.Wait(t.Context()))
	text, err := os.ReadFile(filepath.Join(own, "repository/resources/security/wso2carbon.p12"))
	must(t, err)
	store, err := keystore.Open(text, "wso2carbon")
	must(t, err)
	leaf, err := store.Leaf("wso2carbon")
	must(t, err)
	s.pin = leaf.Fingerprint()
	s.http = client(s.is.URL(), s.pin)
	t.Cleanup(s.http.CloseIdleConnections)
	return s
}

func client(base string, pin keystore.Fingerprint) *http.Client {
	return wso2.NewHTTPClient(pins{strings.TrimPrefix(base, "https://"): {pin}}, nil)
}

func (s *server) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		if f := s.intercept.Load(); f != nil && (*f)(w, r) {
			return
		}
		next.ServeHTTP(w, r)
	})
}

// meanwhile lets f answer in place of the stand-in if f returns true. nil ends that.
func (s *server) meanwhile(f func(w http.ResponseWriter, r *http.Request) bool) {
	if f == nil {
		s.intercept.Store(nil)
		return
	}
	s.intercept.Store(&f)
}

func (s *server) authorization() *wso2.Authorization {
	return wso2.NewAuthorization(s.http, s.is.URL(), wso2.Credentials{User: "admin", Password: "admin", Source: "IS_ADMIN_PASS"})
}

// call sends a request as the administrator, as the connector does, and reads the answer into out, which may be nil.
func (s *server) call(method, path string, body, out any) {
	s.t.Helper()
	text, err := json.Marshal(body)
	must(s.t, err)
	req, err := http.NewRequestWithContext(context.Background(), method, s.is.URL()+path, bytes.NewReader(text))
	must(s.t, err)
	req.SetBasicAuth("admin", "admin")
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.http.Do(req)
	must(s.t, err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	must(s.t, err)
	if resp.StatusCode/100 != 2 {
		s.t.Fatalf("%s %s: %d %s", method, path, resp.StatusCode, answer)
	}
	if out != nil {
		must(s.t, json.Unmarshal(answer, out))
	}
}

// resource makes the connector's API resource with scopes of the given names.
func (s *server) resource(names ...string) (id string) {
	s.t.Helper()
	var made struct{ ID string }
	s.call("POST", "/api/server/v1/api-resources", map[string]any{"name": "User-defined OAuth2 Resource", "identifier": Resource, "requiresAuthorization": true, "scopes": named(names)}, &made)
	return made.ID
}

func named(names []string) []map[string]string {
	list := []map[string]string{}
	for _, name := range names {
		list = append(list, map[string]string{"name": name, "displayName": name, "description": name})
	}
	return list
}

// remake deletes a scope and creates it again, as the connector does at every save of an API with that local scope.
func (s *server) remake(resource string, names ...string) {
	s.t.Helper()
	for _, name := range names {
		s.call("DELETE", "/api/server/v1/api-resources/"+resource+"/scopes/"+url.PathEscape(name), nil, nil)
	}
	s.call("PATCH", "/api/server/v1/api-resources/"+resource, map[string]any{"addedScopes": named(names)}, nil)
}

// key makes a client in the same way as the connector does for an application's keys.
type key struct {
	ID     string `json:"client_id"`
	Secret string `json:"client_secret"`
}

func (s *server) key(n int) key { return s.register(connectorApp(n, "PRODUCTION").Name) }

func (s *server) register(name string) (k key) {
	s.t.Helper()
	s.call("POST", "/api/identity/oauth2/dcr/v1.1/register", map[string]any{
		"client_name": name, "grant_types": []string{"client_credentials"}, "redirect_uris": []string{}, "token_type_extension": "JWT", "ext_allowed_audience": "organization",
	}, &k)
	return k
}

func (s *server) delete(k key) {
	s.t.Helper()
	s.call("DELETE", "/api/identity/oauth2/dcr/v1.1/register/"+k.ID, nil, nil)
}

// granted are the scopes that a new token of the client has.
func (s *server) granted(k key, asked ...string) string {
	s.t.Helper()
	token, err := wso2.FetchToken(context.Background(), s.http, s.is.URL()+"/oauth2/token", k.ID, wso2.Secret(k.Secret), asked...)
	must(s.t, err)
	return strings.Join(token.Scopes, " ")
}

// allAuthorized fails the test unless every managed application has every scope.
func (s *server) allAuthorized() {
	s.t.Helper()
	state, missing, err := Read(context.Background(), s.authorization(), nil)
	must(s.t, err)
	if lack := Decide(state, nil); len(lack) > 0 || len(missing) > 0 {
		s.t.Errorf("not authorized: %+v, missing %v", lack, missing)
	}
}

func keeper() *Keeper { return &Keeper{Log: slog.New(slog.DiscardHandler)} }

// poll does a poll, which must succeed.
func (s *server) poll(k *Keeper) Report {
	s.t.Helper()
	report, err := k.Poll(context.Background(), s.authorization())
	must(s.t, err)
	return report
}

// apart has the methods of testing.TB that newServer needs, for a process that is not a test.
type apart struct {
	testing.TB
	dir string
}

func (a apart) Helper()                  {}
func (a apart) Context() context.Context { return context.Background() }
func (a apart) TempDir() string          { return a.dir }
func (a apart) Cleanup(func())           {}
func (a apart) Fatal(args ...any)        { panic(fmt.Sprint(args...)) }
func (a apart) Fatalf(format string, args ...any) {
	panic(fmt.Sprintf(format, args...))
}

// serve is the main function of a process that serves a stand-in with a number of applications until its standard input ends.
func serve(applications string) int {
	n, err := strconv.Atoi(applications)
	if err != nil {
		return 1
	}
	dir, err := os.MkdirTemp("", "scopes")
	if err != nil {
		return 1
	}
	defer os.RemoveAll(dir)
	s := newServer(apart{dir: dir})
	s.resource("a:one", "a:two", "a:three")
	for i := range n {
		s.key(i)
	}
	fmt.Println(s.is.URL(), s.pin)
	_, _ = io.Copy(io.Discard, os.Stdin)
	if shared, err := home(); err == nil {
		_ = os.RemoveAll(shared)
	}
	return 0
}

// child is the main function of a process that does one pass, and that a test kills.
func child(address, pin string) int {
	fp, err := keystore.ParseFingerprint(pin)
	if err == nil {
		is := wso2.NewAuthorization(client(address, fp), address, wso2.Credentials{User: "admin", Password: "admin"})
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_, err = keeper().Poll(ctx, is)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
