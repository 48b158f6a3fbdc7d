package artifact

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wso2agent/internal/file"
)

func TestADownloadThatWasCutGoesOnWhereItEnded(t *testing.T) {
	o, volume := newOrigin(t, testJar(t, testClass, 1)), t.TempDir()
	o.answer = func(w http.ResponseWriter, _ *http.Request, n int) bool {
		if n == 1 {
			o.cut(w, 100<<10)
		}
		return false
	}
	assertState(t, fetchOne(t, o.fetcher(volume), o.artifact()), Fetched)
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
				assertState(t, fetchOne(t, o.fetcher(volume), a), Fetched)
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
	assertState(t, fetchOne(t, o.fetcher(volume), o.artifact()), Fetched)
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

// badAnswer is what a server may send in place of an artifact.
type badAnswer struct {
	name     string
	content  []byte // of the right artifact, or what is sent for it
	digest   string // that the list gives
	answer   func(http.ResponseWriter, *http.Request, int) bool
	requests int
	says     []string
}

func badAnswers(t *testing.T) []badAnswer {
	t.Helper()
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
	return []badAnswer{
		{"the page of an error with status 200", right, "", page(200), 1, []string{"no zip file", "<html>No such artifact"}},
		{"an answer of 404", right, "", page(404), 1, []string{"HTTP 404"}},
		{"an answer of 503 four times", right, "", page(503), 4, []string{"HTTP 503"}},
		{"another digest than the list's", right, strings.Repeat("0", 64), nil, 1, []string{"wrong SHA-256", digestOf(right), "correct its sha256"}},
		{"a jar without the class", testJar(t, "org.example.Other", 1), "", nil, 1, []string{"does not contain " + testClass}},
		{"a jar with a bit turned over", torn, "", nil, 1, []string{`entry "padding" cannot be read`}},
		{"a jar whose end is missing, sent as whole", right[:len(right)-100], "", nil, 1, []string{"no zip file, or an incomplete one"}},
		{"more than the most that is allowed, announced", right, "", func(w http.ResponseWriter, _ *http.Request, _ int) bool {
			w.Header().Set("Content-Length", fmt.Sprint(sizeLimit+1))
			w.Write([]byte("PK"))
			return true
		}, 1, []string{"more than 64 MiB"}},
		{"more than the most that is allowed, without a word of it", right, "", func(w http.ResponseWriter, _ *http.Request, _ int) bool {
			for range sizeLimit>>20 + 1 {
				w.Write(make([]byte, 1<<20))
			}
			return true
		}, 1, []string{"more than 64 MiB"}},
		{"bytes that are packed although nobody asked for that", right, "", func(w http.ResponseWriter, _ *http.Request, _ int) bool {
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(right)
			return true
		}, 1, []string{`sends it as "gzip"`}},
		{"a redirect to http", right, "", func(w http.ResponseWriter, r *http.Request, _ int) bool {
			http.Redirect(w, r, "http://mirror.example/listener.jar?key=hunter2", http.StatusFound)
			return true
		}, 1, []string{"redirects to http://mirror.example", "only https"}},
	}
}

func TestWhatIsNotTheArtifactNeverReachesItsPlace(t *testing.T) {
	for _, c := range badAnswers(t) {
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
	assertState(t, fetchOne(t, o.fetcher(volume), o.artifact()), Fetched)
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
