package server

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"io"
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
func fetchOne(t *testing.T, f Fetcher, a Artifact) ArtifactOutcome {
	t.Helper()
	outcomes := f.Fetch(t.Context(), []Artifact{a})
	if len(outcomes) != 1 {
		t.Fatalf("%d outcomes", len(outcomes))
	}
	return outcomes[0]
}

func assertState(t *testing.T, o ArtifactOutcome, want ArtifactState) {
	t.Helper()
	if o.State != want || (o.Err == nil) != (want != ArtifactFailed) {
		t.Fatalf("state = %s, error = %v; want %s", o.State, o.Err, want)
	}
}

// assertFailed demands an error with all the parts, and nothing at the destination.
func assertFailed(t *testing.T, o ArtifactOutcome, parts ...string) {
	t.Helper()
	assertState(t, o, ArtifactFailed)
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

func placeArtifact(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestAnArtifactIsFetchedOnceAndThenNobodyIsAsked(t *testing.T) {
	o, volume := newOrigin(t, testJar(t, testClass, 1)), t.TempDir()
	first := fetchOne(t, o.fetcher(volume), o.artifact())
	assertState(t, first, ArtifactFetched)
	assertPlaced(t, volume, o.content)
	if first.Pinned || first.Found != digestOf(o.content) {
		t.Errorf("outcome = %+v", first)
	}
	assertState(t, fetchOne(t, o.fetcher(volume), o.artifact()), ArtifactPresent)
	if n := len(o.asked()); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

func TestADownloadThatWasCutGoesOnWhereItEnded(t *testing.T) {
	o, volume := newOrigin(t, testJar(t, testClass, 1)), t.TempDir()
	o.answer = func(w http.ResponseWriter, _ *http.Request, n int) bool {
		if n == 1 {
			o.cut(w, 100<<10)
		}
		return false
	}
	assertState(t, fetchOne(t, o.fetcher(volume), o.artifact()), ArtifactFetched)
	assertPlaced(t, volume, o.content)
	asked := o.asked()
	if len(asked) != 2 || asked[1].Header.Get("If-Range") != `"1"` || !strings.HasPrefix(asked[1].Header.Get("Range"), "bytes=") || asked[1].Header.Get("Range") == "bytes=0-" {
		t.Errorf("requests: %d, the last with %v", len(asked), asked[len(asked)-1].Header)
	}
}

func TestADownloadIsNeverPutTogetherFromTwoFiles(t *testing.T) {
	before, after := testJar(t, testClass, 1), testJar(t, testClass, 2)
	// rest sends the rest of the file that is there now, whatever If-Range says.
	rest := func(w http.ResponseWriter, r *http.Request, content []byte, etag string) {
		var from int
		fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from)
		if etag != "" {
			w.Header().Set("ETag", etag)
		}
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(content)-1, len(content)))
		w.WriteHeader(http.StatusPartialContent)
		w.Write(content[from:])
	}
	cases := []struct {
		name     string
		second   func(o *origin, w http.ResponseWriter, r *http.Request) bool
		requests int
	}{
		{"the server notices by If-Range that it has changed", func(*origin, http.ResponseWriter, *http.Request) bool { return false }, 2},
		{"the server knows no ranges", func(_ *origin, w http.ResponseWriter, _ *http.Request) bool {
			_, err := w.Write(after)
			return err == nil
		}, 2},
		{"the server ignores If-Range and sends the rest with another ETag", func(_ *origin, w http.ResponseWriter, r *http.Request) bool {
			rest(w, r, after, `"2"`)
			return true
		}, 3},
		{"the server ignores If-Range and says nothing of the version", func(_ *origin, w http.ResponseWriter, r *http.Request) bool {
			rest(w, r, after, "")
			return true
		}, 3},
		{"the server finds the range beyond the end", func(_ *origin, w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
			return true
		}, 3},
	}
	for _, c := range cases {
		for _, digest := range []string{digestOf(after), ""} {
			t.Run(c.name+", digest "+digest, func(t *testing.T) {
				o, volume := newOrigin(t, before), t.TempDir()
				o.answer = func(w http.ResponseWriter, r *http.Request, n int) bool {
					switch n {
					case 1:
						defer o.set(func(o *origin) { o.content, o.etag = after, `"2"` })
						o.cut(w, 100<<10)
					case 2:
						return c.second(o, w, r)
					}
					return false
				}
				a := o.artifact()
				a.SHA256 = digest
				assertState(t, fetchOne(t, o.fetcher(volume), a), ArtifactFetched)
				assertPlaced(t, volume, after)
				if n := len(o.asked()); n != c.requests {
					t.Errorf("%d requests, want %d", n, c.requests)
				}
			})
		}
	}
}

func TestAWrongFileThatCameWholeIsNotAskedForAgain(t *testing.T) {
	o, volume := newOrigin(t, testJar(t, testClass, 1)), t.TempDir()
	o.answer = func(w http.ResponseWriter, _ *http.Request, n int) bool {
		if n == 1 {
			o.cut(w, 100<<10)
		}
		io.WriteString(w, "<html>")
		return true
	}
	assertFailed(t, fetchOne(t, o.fetcher(volume), o.artifact()), "no zip file")
	if n := len(o.asked()); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}

func TestAPartialAnswerGoesOnOnlyInTheSameVersionAndPlace(t *testing.T) {
	known := validator{ETag: `"1"`, LastModified: "Sun, 22 Nov 2026 09:00:00 GMT"}
	cases := []struct {
		name, contentRange, etag, modified string
		want                               bool
	}{
		{"same version and place", "bytes 10-19/20", `"1"`, known.LastModified, true},
		{"not a word of the version", "bytes 10-19/20", "", "", true},
		{"another ETag", "bytes 10-19/20", `"2"`, known.LastModified, false},
		{"another date", "bytes 10-19/20", "", "Sun, 22 Nov 2026 09:00:01 GMT", false},
		{"another place", "bytes 100-199/200", `"1"`, known.LastModified, false},
		{"no place", "", `"1"`, known.LastModified, false},
	}
	for _, c := range cases {
		h := http.Header{"Content-Range": {c.contentRange}, "Etag": {c.etag}, "Last-Modified": {c.modified}}
		if got := continues(&http.Response{Header: h}, 10, known); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestWithoutAStrongValidatorADownloadStartsAnew(t *testing.T) {
	o, volume := newOrigin(t, testJar(t, testClass, 1)), t.TempDir()
	o.etag = `W/"1"`
	o.answer = func(w http.ResponseWriter, _ *http.Request, n int) bool {
		if n == 1 {
			o.cut(w, 100<<10)
		}
		return false
	}
	assertState(t, fetchOne(t, o.fetcher(volume), o.artifact()), ArtifactFetched)
	if r := o.asked()[1].Header.Get("Range"); r != "" {
		t.Errorf("Range = %q", r)
	}
}

func TestADateIsAStrongValidatorOnlyWhenTheAnswerIsYounger(t *testing.T) {
	h := http.Header{"Last-Modified": {"Sun, 22 Nov 2026 09:00:00 GMT"}, "Date": {"Sun, 22 Nov 2026 09:00:00 GMT"}}
	if v := validatorOf("", h).ifRange(); v != "" {
		t.Errorf("of the same second: %q", v)
	}
	h.Set("Date", "Sun, 22 Nov 2026 09:00:01 GMT")
	if v := validatorOf("", h).ifRange(); v != h.Get("Last-Modified") {
		t.Errorf("a second later: %q", v)
	}
}

func TestWhatIsNotTheArtifactNeverReachesItsPlace(t *testing.T) {
	right := testJar(t, testClass, 1)
	torn := bytes.Clone(right)
	torn[100<<10] ^= 1
	page := func(status int) func(http.ResponseWriter, *http.Request, int) bool {
		return func(w http.ResponseWriter, _ *http.Request, _ int) bool {
			w.Header().Set("Content-Type", "application/java-archive")
			w.WriteHeader(status)
			io.WriteString(w, "<html>No such artifact</html>")
			return true
		}
	}
	cases := []struct {
		name     string
		content  []byte
		digest   string
		answer   func(http.ResponseWriter, *http.Request, int) bool
		requests int
		says     []string
	}{
		{"the page of an error with status 200", right, "", page(200), 1, []string{"no zip file", "<html>No such artifact"}},
		{"an answer of 404", right, "", page(404), 1, []string{"HTTP 404"}},
		{"an answer of 503 four times", right, "", page(503), 4, []string{"HTTP 503"}},
		{"another digest than the list's", right, strings.Repeat("0", 64), nil, 1, []string{"wrong SHA-256", digestOf(right), "correct its sha256"}},
		{"a jar without the class", testJar(t, "org.example.Other", 1), "", nil, 1, []string{testClass + " is not in it"}},
		{"a jar with a bit turned over", torn, "", nil, 1, []string{`entry "padding" cannot be read`}},
		{"a jar whose end is missing, sent as whole", right[:len(right)-100], "", nil, 1, []string{"no zip file, or not all of one"}},
		{"more than the most that is allowed, announced", right, "", func(w http.ResponseWriter, _ *http.Request, _ int) bool {
			w.Header().Set("Content-Length", fmt.Sprint(artifactLimit+1))
			w.Write([]byte("PK"))
			return true
		}, 1, []string{"more than 64 MiB"}},
		{"more than the most that is allowed, without a word of it", right, "", func(w http.ResponseWriter, _ *http.Request, _ int) bool {
			for range artifactLimit>>20 + 1 {
				w.Write(make([]byte, 1<<20))
			}
			return true
		}, 1, []string{"more than 64 MiB"}},
		{"bytes that are packed although nobody asked for that", right, "", func(w http.ResponseWriter, _ *http.Request, _ int) bool {
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(right)
			return true
		}, 1, []string{`sent as "gzip"`}},
		{"a redirect to http", right, "", func(w http.ResponseWriter, r *http.Request, _ int) bool {
			http.Redirect(w, r, "http://mirror.example/listener.jar?key=hunter2", http.StatusFound)
			return true
		}, 1, []string{"redirects to http://mirror.example", "only https"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			o, volume := newOrigin(t, c.content), t.TempDir()
			o.answer = c.answer
			a := o.artifact()
			a.SHA256 = c.digest
			a.URL += "?key=hunter2"
			outcome := fetchOne(t, o.fetcher(volume), a)
			assertFailed(t, outcome, append(c.says, "by hand as "+testDestination, "ARTIFACT_SOURCE_DIR", "HTTPS_PROXY")...)
			if strings.Contains(outcome.Err.Error(), "hunter2") {
				t.Errorf("a key is in the error: %v", outcome.Err)
			}
			if n := len(o.asked()); n != c.requests {
				t.Errorf("%d requests, want %d", n, c.requests)
			}
			if left, _ := filepath.Glob(filepath.Join(volume, file.WorkDir, "*.part")); len(left) > 0 && c.requests == 1 && !strings.Contains(c.name, "redirect") {
				if info, _ := os.Stat(left[0]); info.Size() > 0 {
					t.Errorf("%d bad bytes are kept to be added to", info.Size())
				}
			}
		})
	}
}

func TestARedirectWithinHTTPSIsFollowed(t *testing.T) {
	o, volume := newOrigin(t, testJar(t, testClass, 1)), t.TempDir()
	o.answer = func(w http.ResponseWriter, r *http.Request, n int) bool {
		if n == 1 {
			http.Redirect(w, r, "/elsewhere.jar", http.StatusFound)
		}
		return n == 1
	}
	assertState(t, fetchOne(t, o.fetcher(volume), o.artifact()), ArtifactFetched)
}

func TestAServerWithACertificateOfUnknownOriginIsRefusedAtOnceWithTheRemedy(t *testing.T) {
	o, volume := newOrigin(t, testJar(t, testClass, 1)), t.TempDir()
	f := o.fetcher(volume)
	f.Roots = x509.NewCertPool()
	a := o.artifact()
	a.URL += "?key=hunter2"
	outcome := fetchOne(t, f, a)
	assertFailed(t, outcome, "verify the server's certificate", "TLS_CA_FILE")
	if strings.Contains(outcome.Err.Error(), "hunter2") {
		t.Errorf("a key is in the error: %v", outcome.Err)
	}
	if n := len(o.asked()); n != 0 {
		t.Errorf("%d requests were answered", n)
	}
}

func TestTheFirstDigestIsPinnedAndAnotherOneRefused(t *testing.T) {
	o, volume := newOrigin(t, testJar(t, testClass, 1)), t.TempDir()
	a := o.artifact()
	a.SHA256 = ""
	first := fetchOne(t, o.fetcher(volume), a)
	assertState(t, first, ArtifactFetched)
	if !first.Pinned {
		t.Error("the digest is not told as pinned")
	}
	assertState(t, fetchOne(t, o.fetcher(volume), a), ArtifactPresent)

	if err := os.Remove(first.At); err != nil {
		t.Fatal(err)
	}
	o.set(func(o *origin) { o.content, o.etag = testJar(t, testClass, 2), `"2"` })
	assertFailed(t, fetchOne(t, o.fetcher(volume), a), "wrong SHA-256", first.Found, digestOf(o.content), "give it as sha256 in ARTIFACTS_FILE", "artifacts.json")

	a.SHA256 = digestOf(o.content)
	assertState(t, fetchOne(t, o.fetcher(volume), a), ArtifactFetched)
	a.SHA256 = "" // what was accepted by its digest is the pin from now on
	assertState(t, fetchOne(t, o.fetcher(volume), a), ArtifactPresent)
}

func TestAnotherAddressOrDigestReplacesWhatTheAgentPutThere(t *testing.T) {
	old, next := newOrigin(t, testJar(t, testClass, 1)), newOrigin(t, testJar(t, testClass, 2))
	volume := t.TempDir()
	f := old.fetcher(volume)
	f.Roots.AddCert(next.Certificate())
	for _, digest := range []string{"", digestOf(next.content)} {
		assertState(t, fetchOne(t, f, old.artifact()), ArtifactFetched)
		a := next.artifact()
		a.SHA256 = digest
		assertState(t, fetchOne(t, f, a), ArtifactFetched)
		assertPlaced(t, volume, next.content)
	}
}

// TestAKillBetweenTheRecordAndTheMoveDoesNotMakeTheOldFileSomebodyElses: the digest is remembered first.
func TestAKillBetweenTheRecordAndTheMoveDoesNotMakeTheOldFileSomebodyElses(t *testing.T) {
	o, volume := newOrigin(t, testJar(t, testClass, 1)), t.TempDir()
	old := o.content
	assertState(t, fetchOne(t, o.fetcher(volume), o.artifact()), ArtifactFetched)
	o.set(func(o *origin) { o.content = testJar(t, testClass, 2) })
	assertState(t, fetchOne(t, o.fetcher(volume), o.artifact()), ArtifactFetched)
	placeArtifact(t, filepath.Join(volume, testDestination), old) // as the kill would have left it
	assertState(t, fetchOne(t, o.fetcher(volume), o.artifact()), ArtifactFetched)
	assertPlaced(t, volume, o.content)
}

func TestAFileThatSomebodyElsePutThereIsKeptIfItWillDo(t *testing.T) {
	o := newOrigin(t, testJar(t, testClass, 1))
	byHand := testJar(t, testClass, 3)
	for _, digest := range []string{"", digestOf(o.content)} {
		volume := t.TempDir()
		placeArtifact(t, filepath.Join(volume, testDestination), byHand)
		a := o.artifact()
		a.SHA256 = digest
		outcome := fetchOne(t, o.fetcher(volume), a)
		assertState(t, outcome, ArtifactKept)
		if outcome.Found != digestOf(byHand) || len(o.asked()) != 0 {
			t.Errorf("found = %s after %d requests", outcome.Found, len(o.asked()))
		}
	}
	volume := t.TempDir()
	placeArtifact(t, filepath.Join(volume, testDestination), []byte("<html>what curl saved</html>"))
	assertState(t, fetchOne(t, o.fetcher(volume), o.artifact()), ArtifactFetched)
	assertPlaced(t, volume, o.content)
}

func TestAFileThatTheServersOwnImageHasIsNotFetched(t *testing.T) {
	o := newOrigin(t, testJar(t, testClass, 1))
	home := t.TempDir()
	placeArtifact(t, filepath.Join(home, testDestination), o.content)
	for _, volume := range []string{t.TempDir(), filepath.Join(t.TempDir(), "missing")} {
		f := o.fetcher(volume)
		f.Home = home
		if outcome := fetchOne(t, f, o.artifact()); outcome.State != ArtifactKept || !strings.HasPrefix(outcome.At, home) || len(o.asked()) != 0 {
			t.Errorf("outcome = %+v after %d requests", outcome, len(o.asked()))
		}
	}
}

func TestOtherVersionsBesideAnArtifactAreNamed(t *testing.T) {
	o, volume := newOrigin(t, testJar(t, testClass, 1)), t.TempDir()
	for _, name := range []string{"listener-0.9.jar", "listener_2.0.1.jar", "listeners-0.9.jar", "other-1.0.jar", "listener-0.9.txt"} {
		placeArtifact(t, filepath.Join(volume, filepath.Dir(testDestination), name), []byte("x"))
	}
	if got := strings.Join(fetchOne(t, o.fetcher(volume), o.artifact()).Others, " "); got != "listener-0.9.jar listener_2.0.1.jar" {
		t.Errorf("others = %s", got)
	}
}

func TestAFolderTakesThePlaceOfTheNetwork(t *testing.T) {
	o, volume, source := newOrigin(t, testJar(t, testClass, 1)), t.TempDir(), t.TempDir()
	f := o.fetcher(volume)
	f.SourceDir = source
	placeArtifact(t, filepath.Join(source, "listener-1.0.jar"), []byte("<html>"))
	assertFailed(t, fetchOne(t, f, o.artifact()), "no zip file", source)
	placeArtifact(t, filepath.Join(source, "listener-1.0.jar"), o.content)
	outcome := fetchOne(t, f, o.artifact())
	assertState(t, outcome, ArtifactFetched)
	assertPlaced(t, volume, o.content)
	if outcome.From != filepath.Join(source, "listener-1.0.jar") || len(o.asked()) != 0 {
		t.Errorf("from %s after %d requests", outcome.From, len(o.asked()))
	}
	f.SourceDir, f.Volume = t.TempDir(), t.TempDir() // a folder without the file
	assertState(t, fetchOne(t, f, o.artifact()), ArtifactFetched)
	if len(o.asked()) != 1 {
		t.Error("the network was not asked for what the folder lacks")
	}
}

func TestAnArtifactFromAFileFollowsIt(t *testing.T) {
	volume, source := t.TempDir(), filepath.Join(t.TempDir(), "driver.jar")
	f := Fetcher{Volume: volume, Log: slog.New(slog.DiscardHandler)}
	a := Artifact{File: source, Destination: testDestination, Contains: testClass}
	assertFailed(t, fetchOne(t, f, a), "read the artifact for", source)
	for _, seed := range []uint64{1, 2} {
		content := testJar(t, testClass, seed)
		placeArtifact(t, source, content)
		assertState(t, fetchOne(t, f, a), ArtifactFetched)
		assertPlaced(t, volume, content)
		assertState(t, fetchOne(t, f, a), ArtifactPresent)
	}
	a.SHA256 = strings.Repeat("0", 64)
	if o := fetchOne(t, f, a); o.State != ArtifactFailed {
		t.Errorf("a file with another digest than the list's: %s", o.State)
	}
	assertPlaced(t, volume, testJar(t, testClass, 2))
}

func TestAVolumeThatCannotBeUsedIsToldForEveryArtifactAndNothingIsAsked(t *testing.T) {
	o := newOrigin(t, testJar(t, testClass, 1))
	dir := t.TempDir()
	placeArtifact(t, filepath.Join(dir, "blocked", "repository"), nil) // a file where a folder must be made
	placeArtifact(t, filepath.Join(dir, "broken", file.WorkDir, "artifacts.json"), []byte("{"))
	for volume, says := range map[string]string{"missing": "mount one there, or set ARTIFACT_DIR", "blocked": "must belong to the user", "broken": "remove it: they are then remembered anew"} {
		second := o.artifact()
		second.Destination = "repository/components/lib/listener-1.0.jar"
		outcomes := o.fetcher(filepath.Join(dir, volume)).Fetch(t.Context(), []Artifact{o.artifact(), second})
		for _, outcome := range outcomes {
			assertFailed(t, outcome, says)
		}
		if len(outcomes) != 2 || len(o.asked()) != 0 {
			t.Errorf("%d outcomes, %d requests", len(outcomes), len(o.asked()))
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "missing")); err == nil {
		t.Error("a folder was made where no volume is")
	}
}

func TestAFailedArtifactStopsNoOther(t *testing.T) {
	o, volume := newOrigin(t, testJar(t, testClass, 1)), t.TempDir()
	bad := o.artifact()
	bad.Destination, bad.SHA256 = "repository/components/lib/bad.jar", strings.Repeat("0", 64)
	outcomes := o.fetcher(volume).Fetch(t.Context(), []Artifact{bad, o.artifact()})
	assertState(t, outcomes[0], ArtifactFailed)
	assertState(t, outcomes[1], ArtifactFetched)
}

func TestAFetchEndsWithItsContext(t *testing.T) {
	o, volume := newOrigin(t, testJar(t, testClass, 1)), t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	o.answer = func(_ http.ResponseWriter, r *http.Request, _ int) bool {
		cancel()
		<-r.Context().Done()
		return true
	}
	outcomes := o.fetcher(volume).Fetch(ctx, []Artifact{o.artifact()})
	assertFailed(t, outcomes[0], "context canceled")
}
