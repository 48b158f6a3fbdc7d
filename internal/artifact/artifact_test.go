package artifact

import (
	"archive/zip"
	"bytes"
	"crypto/x509"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"wso2agent/internal/file"
)

const (
	testClass       = "org.example.Listener"
	testDestination = "repository/components/dropins/listener-1.0.jar"
)

// testJar makes a zip file of some 200 KB with the given class in it. Different seeds give different bytes.
func testJar(t *testing.T, class string, seed uint64) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	random := rand.New(rand.NewPCG(seed, 0))
	padding := make([]byte, 200<<10)
	for i := range padding {
		padding[i] = byte(random.Uint32())
	}
	for _, entry := range []struct {
		name    string
		content []byte
	}{{strings.ReplaceAll(class, ".", "/") + ".class", []byte("code")}, {"padding", padding}} {
		w, err := z.CreateHeader(&zip.FileHeader{Name: entry.name, Method: zip.Store})
		if err == nil {
			_, err = w.Write(entry.content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// origin is a server with one file.
type origin struct {
	*httptest.Server
	mu       sync.Mutex
	content  []byte
	etag     string
	answer   func(w http.ResponseWriter, r *http.Request, n int) bool // of the n-th request, from 1; false: as usual
	requests []*http.Request
}

func newOrigin(t *testing.T, content []byte) *origin {
	t.Helper()
	o := &origin{content: content, etag: `"1"`}
	o.Server = httptest.NewUnstartedServer(http.HandlerFunc(o.serve))
	o.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	o.StartTLS()
	t.Cleanup(o.Close)
	return o
}

func (o *origin) serve(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	o.requests = append(o.requests, r)
	n, content, etag, answer := len(o.requests), o.content, o.etag, o.answer
	o.mu.Unlock()
	if answer != nil && answer(w, r, n) {
		return
	}
	if etag != "" {
		w.Header().Set("ETag", etag)
	}
	http.ServeContent(w, r, "listener.jar", time.Time{}, bytes.NewReader(content))
}

func (o *origin) set(change func(*origin)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change(o)
}

func (o *origin) asked() []*http.Request {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.requests
}

func (o *origin) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(o.Certificate())
	return pool
}

// cut sends the head of a whole answer and n bytes of it, and breaks the connection.
func (o *origin) cut(w http.ResponseWriter, n int) {
	w.Header().Set("ETag", o.etag)
	w.Header().Set("Content-Length", fmt.Sprint(len(o.content)))
	w.Write(o.content[:n])
	http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// artifact is the file of the origin.
func (o *origin) artifact() Artifact {
	return Artifact{URL: o.URL + "/maker/listener-1.0.jar", Destination: testDestination, Contains: testClass, SHA256: digestOf(o.content)}
}

func (o *origin) fetcher(volume string) Fetcher {
	return Fetcher{Volume: volume, Roots: o.roots(), RetryFirst: time.Millisecond, Log: slog.New(slog.DiscardHandler)}
}

// fetchOne fetches one artifact with a new fetcher.
func fetchOne(t *testing.T, f Fetcher, a Artifact) Outcome {
	t.Helper()
	outcomes := f.Fetch(t.Context(), []Artifact{a})
	if len(outcomes) != 1 {
		t.Fatalf("%d outcomes", len(outcomes))
	}
	return outcomes[0]
}

func assertState(t *testing.T, o Outcome, want State) {
	t.Helper()
	if o.State != want || (o.Err == nil) != (want != Failed) {
		t.Fatalf("state = %s, error = %v; want %s", o.State, o.Err, want)
	}
}

// assertFailed demands an error with all the parts, and nothing at the destination.
func assertFailed(t *testing.T, o Outcome, parts ...string) {
	t.Helper()
	assertState(t, o, Failed)
	for _, part := range parts {
		if !strings.Contains(o.Err.Error(), part) {
			t.Errorf("the error lacks %q: %v", part, o.Err)
		}
	}
	if _, err := os.Stat(o.At); err == nil {
		t.Error("there is a file at the destination")
	}
}

func assertPlaced(t *testing.T, volume string, want []byte) {
	t.Helper()
	path := filepath.Join(volume, testDestination)
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("at the destination: %d bytes, %v; want %d", len(got), err, len(want))
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o644 {
		t.Errorf("mode = %v, want 0644: the server must be able to read it", info.Mode().Perm())
	}
	if left, _ := filepath.Glob(filepath.Join(volume, file.WorkDir, "listener*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func placeFile(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}
