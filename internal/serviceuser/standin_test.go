package serviceuser

import (
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"wso2agent/internal/keystore"
	"wso2agent/internal/wso2"
	"wso2agent/internal/wso2sim"
)

// home is the home of IS, unpacked once, because its keys take longer than everything else.
var home = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "serviceuser")
	if err != nil {
		return "", err
	}
	return dir, wso2sim.UnpackWith(filepath.Join(dir, "is"), wso2sim.ProductIS, wso2sim.UnpackOptions{Rounds: 10})
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := home(); err == nil {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// server is a stand-in of IS.
type server struct {
	t    *testing.T
	base string
	http *http.Client
	path string // of the record

	gets, writes atomic.Int64
	// intercept answers in place of the stand-in if it returns true.
	intercept atomic.Pointer[func(w http.ResponseWriter, r *http.Request) bool]
}

type pins map[string][]keystore.Fingerprint

func (p pins) Pinned(address string) ([]keystore.Fingerprint, bool, error) {
	fps, peer := p[address]
	return fps, peer, nil
}

func newServer(t *testing.T) *server {
	t.Helper()
	dir, err := home()
	must(t, err)
	own := filepath.Join(t.TempDir(), "is")
	must(t, os.CopyFS(own, os.DirFS(filepath.Join(dir, "is"))))
	s := &server{t: t, path: Path(filepath.Join(t.TempDir(), "keys.json"))}
	is, err := wso2sim.StartIS(t.Context(), wso2sim.Options{Home: own, Listen: "127.0.0.1:0", Wrap: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				s.gets.Add(1)
			} else {
				s.writes.Add(1)
			}
			if answer := s.intercept.Load(); answer == nil || !(*answer)(w, r) {
				next.ServeHTTP(w, r)
			}
		})
	}})
	must(t, err)
	t.Cleanup(func() { is.Close() })
	must(t, is.Wait(t.Context()))
	text, err := os.ReadFile(filepath.Join(own, "repository/resources/security/wso2carbon.p12"))
	must(t, err)
	store, err := keystore.Open(text, "wso2carbon")
	must(t, err)
	leaf, err := store.Leaf("wso2carbon")
	must(t, err)
	s.base = is.URL()
	s.http = wso2.NewHTTPClient(pins{strings.TrimPrefix(s.base, "https://"): {leaf.Fingerprint()}}, nil)
	t.Cleanup(s.http.CloseIdleConnections)
	return s
}

var chief = wso2.Credentials{User: "admin", Password: "admin"}

func (s *server) scim() *wso2.SCIM { return wso2.NewSCIM(s.http, s.base, chief) }

func (s *server) maker(rights string) Maker {
	return Maker{SCIM: s.scim(), Path: s.path, Rights: Rights(rights), Log: slog.New(slog.DiscardHandler), As: s.as}
}

func (s *server) as(a Account) *wso2.Identity {
	return wso2.NewIdentity(s.http, s.base, wso2.Credentials{User: a.User, Password: a.Password})
}

// ensure makes the user, and fails the test if that fails.
func (s *server) ensure(rights string) Record {
	s.t.Helper()
	r, err := s.maker(rights).Ensure(s.t.Context())
	must(s.t, err)
	return r
}

// roleOf reads the role of a user.
func (s *server) roleOf(user string) wso2.Object {
	s.t.Helper()
	role, found, err := s.scim().Find(s.t.Context(), wso2.SCIMRoles, user)
	if err != nil || !found {
		s.t.Fatalf("role %s: found %v, %v", user, found, err)
	}
	return role
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
