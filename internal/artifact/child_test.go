package artifact

import (
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/file"
)

// TestArtifactChild is no test of its own: it is what other tests start as a process, to kill it or to give it an
// environment of its own.
func TestArtifactChild(t *testing.T) {
	volume := os.Getenv("ARTIFACT_TEST_VOLUME")
	if volume == "" {
		return
	}
	ca, err := os.ReadFile(os.Getenv("ARTIFACT_TEST_CA"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	f := Fetcher{Volume: volume, Roots: roots, Log: slog.New(slog.DiscardHandler)}
	a := Artifact{URL: os.Getenv("ARTIFACT_TEST_URL"), Destination: testDestination, Contains: testClass}
	assertState(t, fetchOne(t, f, a), Fetched)
}

// child is a process that fetches the file at the given address.
func (o *origin) child(t *testing.T, volume, url string, env ...string) *exec.Cmd {
	t.Helper()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: o.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestArtifactChild$")
	cmd.Env = append(os.Environ(), "ARTIFACT_TEST_VOLUME="+volume, "ARTIFACT_TEST_CA="+ca, "ARTIFACT_TEST_URL="+url)
	cmd.Env = append(cmd.Env, env...)
	return cmd
}

func TestAKillInTheMiddleLeavesNothingInPlaceAndTheNextRunGoesOn(t *testing.T) {
	o, volume := newOrigin(t, testJar(t, testClass, 1)), t.TempDir()
	killed := make(chan struct{})
	o.answer = func(w http.ResponseWriter, _ *http.Request, n int) bool {
		if n > 1 {
			return false
		}
		w.Header().Set("ETag", o.etag)
		w.Write(o.content[:100<<10])
		http.NewResponseController(w).Flush()
		<-killed
		return true
	}
	child := o.child(t, volume, o.artifact().URL)
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); ; {
		parts, _ := filepath.Glob(filepath.Join(volume, file.WorkDir, "*.part"))
		if len(parts) == 1 {
			if info, err := os.Stat(parts[0]); err == nil && info.Size() > 0 {
				break
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("no byte arrived")
		}
	}
	child.Process.Kill()
	child.Wait()
	close(killed)
	if below, _ := filepath.Glob(filepath.Join(volume, filepath.Dir(testDestination), "*")); len(below) > 0 {
		t.Errorf("in place after the kill: %v", below)
	}
	assertState(t, fetchOne(t, o.fetcher(volume), o.artifact()), Fetched)
	assertPlaced(t, volume, o.content)
	if r := o.asked()[1].Header.Get("Range"); !strings.HasPrefix(r, "bytes=") {
		t.Errorf("the next run asked for all of it again: Range = %q", r)
	}
}

func TestTheProxyOfTheEnvironmentIsUsed(t *testing.T) {
	o, volume := newOrigin(t, testJar(t, testClass, 1)), t.TempDir()
	asked := make(chan string, 1)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Method + " " + r.Host
		server, err := net.Dial("tcp", o.Listener.Addr().String())
		if err != nil {
			t.Error(err)
			return
		}
		client, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n")
		go func() { io.Copy(server, client); server.Close() }()
		io.Copy(client, server)
		client.Close()
	}))
	defer proxy.Close()
	// The test server's certificate is for this name, which only the proxy knows how to reach.
	child := o.child(t, volume, "https://example.com/listener-1.0.jar", "HTTPS_PROXY="+proxy.URL, "NO_PROXY=", "no_proxy=")
	if out, err := child.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	assertPlaced(t, volume, o.content)
	if got := <-asked; got != "CONNECT example.com:443" {
		t.Errorf("the proxy was asked for %q", got)
	}
}

// TestAFailedFetchDoesNotEndTheServersContainer: the products' entrypoints copy in just this way.
func TestAFailedFetchDoesNotEndTheServersContainer(t *testing.T) {
	o, volume, home := newOrigin(t, []byte("no jar")), t.TempDir(), t.TempDir()
	assertFailed(t, fetchOne(t, o.fetcher(volume), o.artifact()), "no zip file")
	out, err := exec.Command("sh", "-c", `set -e; test -n "$(ls -A "$1")"; cp -RL "$1"/* "$2"`, "sh", volume, home).CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
