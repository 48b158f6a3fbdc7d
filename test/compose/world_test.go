//go:build compose

// Package compose holds the tests of the compose files, on a real engine, with stand-ins of both products in images that
// are like the stock ones: `make test-compose`.
package compose

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/testenv"
)

// world is one project of Compose, of the unmodified files at the top of the repository.
type world struct {
	t       *testing.T
	project string
	dir     string            // where compose runs
	env     map[string]string // what a person would have in .env
	files   []string          // none: what compose takes by itself
}

// newWorld is a project with nothing left of another one, and takes itself away in the end.
func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldOf(t, "wso2agent-test")
}

// newParallelWorld is newWorld for a test that mostly waits, next to others that do so. They have projects of their own. Real servers
// need the whole machine.
func newParallelWorld(t *testing.T, name string) *world {
	t.Helper()
	if !real() {
		t.Parallel()
	}
	return newWorldOf(t, "wso2agent-test-"+name)
}

func newWorldOf(t *testing.T, project string) *world {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, project: project, dir: root, env: map[string]string{
		"COMPOSE_PROJECT_NAME": project, "IS_PUBLISHED_PORT": "0", "AM_PUBLISHED_PORT": "0", "GW_PUBLISHED_PORT": "0",
		"ARTIFACTS": "none", // no test needs the network
	}}
	if real() {
		delete(w.env, "ARTIFACTS") // what the agent adds to a stock image is for real servers
	}
	w.down()
	t.Cleanup(func() {
		w.dir, w.files = "/", nil // the files may be gone: the project is known by its name
		if t.Failed() {
			t.Log(w.compose("logs", "--no-color", "--timestamps", "--tail", "60"))
			t.Log(w.compose("ps", "-a"))
		}
		w.down()
	})
	return w
}

func (w *world) down() { w.compose("down", "-v", "--remove-orphans", "--timeout", "30") }

// in is a part of a test, in the same world.
func (w *world) in(name string, test func(w *world)) {
	w.t.Run(name, func(t *testing.T) { inner := *w; inner.t = t; test(&inner) })
}

// try runs docker compose.
func (w *world) try(args ...string) (out string, err error) { return w.feed(nil, args...) }

// feed runs docker compose with an input.
func (w *world) feed(input []byte, args ...string) (out string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience(6*time.Minute))
	defer cancel()
	command := []string{"compose", "--ansi", "never", "--progress", "plain"}
	for _, f := range w.files {
		command = append(command, "-f", f)
	}
	cmd := exec.CommandContext(ctx, "docker", append(command, args...)...)
	cmd.Dir, cmd.Env, cmd.Stdin = w.dir, w.environ(), bytes.NewReader(input)
	text, err := cmd.CombinedOutput()
	return string(text), err
}

// environ is the test's own environment, and what a person would have in .env.
func (w *world) environ() []string {
	all := os.Environ()
	for name, value := range w.env {
		all = append(all, name+"="+value)
	}
	return all
}

// compose runs docker compose, and only logs a failure.
func (w *world) compose(args ...string) string {
	out, err := w.try(args...)
	if err != nil {
		w.t.Logf("docker compose %v: %v\n%s", args, err, out)
	}
	return out
}

// must runs docker compose, which must succeed.
func (w *world) must(args ...string) string {
	w.t.Helper()
	out, err := w.try(args...)
	if err != nil {
		w.t.Fatalf("docker compose %v: %v\n%s", args, err, out)
	}
	return out
}

// up starts everything as the README says, and returns how long that took.
func (w *world) up() time.Duration {
	w.t.Helper()
	began := time.Now()
	w.must("up", "--wait", "--no-build")
	return time.Since(began)
}

// upEndsAt makes sure that up fails because a service did, with an exit code, and that this one's last lines say what to do.
func (w *world) upEndsAt(service string, code int, says []string, args ...string) {
	w.t.Helper()
	out, err := w.try(append([]string{"up", "--wait", "--no-build"}, args...)...)
	if err == nil {
		w.t.Fatalf("up succeeds:\n%s", out)
	}
	if want := fmt.Sprintf(`service %q didn't complete successfully: exit %d`, service, code); !strings.Contains(out, want) {
		w.t.Errorf("up does not say %s:\n%s", want, out)
	}
	lines := strings.Split(strings.TrimSpace(w.compose("logs", "--no-color", "--no-log-prefix", service)), "\n")
	last := strings.Join(lines[max(0, len(lines)-6):], "\n")
	for _, part := range says {
		if !strings.Contains(last, part) {
			w.t.Errorf("the last lines do not say %q:\n%s", part, last)
		}
	}
}

// docker runs any other docker command, which must succeed.
func (w *world) docker(args ...string) string {
	w.t.Helper()
	out, err := exec.Command("docker", args...).CombinedOutput()
	if err != nil {
		w.t.Fatalf("docker %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// container is the name of a service's container.
func (w *world) container(service string) string { return w.project + "-" + service + "-1" }

// inspect is one value of a container's state, by its template.
func (w *world) inspect(service, template string) string {
	w.t.Helper()
	return w.docker("inspect", "-f", template, w.container(service))
}

// starts counts the starts of a server since its container was made, those in place too. Of a real server it counts those that have
// come to their end, which its log has.
func (w *world) starts(service string) int {
	w.t.Helper()
	if real() {
		return strings.Count(w.docker("logs", w.container(service)), startedReal)
	}
	tar := exec.Command("docker", "cp", w.container(service)+":/home/wso2carbon/start.log", "-")
	data, err := tar.Output()
	if err != nil {
		w.t.Fatalf("read the start log of %s: %v", service, err)
	}
	return bytes.Count(data, []byte("Z "+strings.TrimPrefix(service, "wso2")+"\n"))
}

// wantStarts compares the starts of both servers.
func (w *world) wantStarts(is, am int) {
	w.t.Helper()
	if gotIS, gotAM := w.starts("wso2is"), w.starts("wso2am"); gotIS != is || gotAM != am {
		w.t.Errorf("IS has started %d times and API-M %d times, want %d and %d", gotIS, gotAM, is, am)
	}
}

// last is the last line that a service has logged.
func (w *world) last(service string) string {
	lines := strings.Split(strings.TrimSpace(w.compose("logs", "--no-color", "--no-log-prefix", service)), "\n")
	return lines[len(lines)-1]
}

// eventually waits for what containers bring about by themselves.
func (w *world) eventually(limit time.Duration, what string, holds func() bool) {
	w.t.Helper()
	limit = patience(limit)
	for deadline := time.Now().Add(limit); !holds(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("not within %s: %s", limit, what)
		}
	}
}

// ready waits until a service's own health check says so.
func (w *world) ready(services ...string) {
	w.t.Helper()
	for _, s := range services {
		w.eventually(2*time.Minute, s+" is healthy", func() bool {
			return w.inspect(s, "{{.State.Running}} {{.State.Health.Status}}") == "true healthy"
		})
	}
}

// file reads a file out of a container.
func (w *world) file(service, path string) []byte {
	w.t.Helper()
	to := filepath.Join(w.t.TempDir(), "file")
	w.docker("cp", w.container(service)+":"+path, to)
	data, err := os.ReadFile(to)
	if err != nil {
		w.t.Fatal(err)
	}
	return data
}

// client trusts what API-M's agent has published, as a person does with curl --cacert.
func (w *world) client() *http.Client {
	w.t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(w.file("am-agent", "/exchange/wso2am/certs.pem")) {
		w.t.Fatal("API-M's agent has published no certificate")
	}
	return &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "localhost"}, DisableKeepAlives: true,
	}}
}

// published is where a port of API-M is reached from this machine.
func (w *world) published(port int) string {
	w.t.Helper()
	_, host, ok := strings.Cut(strings.TrimSpace(w.must("port", "wso2am", strconv.Itoa(port))), ":")
	if !ok {
		w.t.Fatalf("port %d is not published", port)
	}
	return "https://127.0.0.1:" + host
}

// call calls an API as the README says, with a token that the agent prints.
func (w *world) call(path string) (status int, body string) {
	w.t.Helper()
	token := strings.TrimSpace(w.must("exec", "-T", "am-agent", "/agent", "token"))
	req, err := http.NewRequest("GET", w.published(8243)+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := w.client().Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// works makes sure that an API answers through the gateway with a token of IS.
func (w *world) works() {
	w.t.Helper()
	nonce := strconv.FormatInt(time.Now().UnixNano(), 36)
	var status int
	var body string
	w.eventually(time.Minute, "an API answers", func() bool {
		status, body = w.call("/payments/1.0.0/pay?nonce=" + nonce)
		return status == 200
	})
	if !strings.Contains(body, nonce) || !strings.Contains(body, `"path":"/pay"`) {
		w.t.Errorf("the backend's answer is not the one to this call: %s", body)
	}
}

// made is everything that bootstrap makes on the servers, by id, for comparing.
func (w *world) made() string {
	w.t.Helper()
	var things []string
	w.eventually(time.Minute, "API-M says what it has, while no verification is under way", func() bool {
		var err error
		things, err = testenv.Made(w.client(), w.published(9443), "admin")
		return err == nil && testenv.Count(things, "application wso2agent-verify-") == 0
	})
	return strings.Join(things, "\n")
}

// complete makes sure that everything of the example is there once.
func (w *world) complete() {
	w.t.Helper()
	made := w.made()
	for what, want := range map[string]int{"API ": 6, "revision ": 6, "subscription ": 5, "manager of keys ": 2, "application ": 2, "key ": 1} {
		if got := testenv.Count(strings.Split(made, "\n"), what); got != want {
			w.t.Errorf("%d of %q, want %d:\n%s", got, what, want, made)
		}
	}
}

// killIn kills a process of a container from outside, as the kernel does, so that the restart policy counts: after
// `docker kill` it would not.
func (w *world) killIn(service string) {
	w.t.Helper()
	w.docker("run", "--rm", "--privileged", "--pid=host", "debian:trixie-slim", "kill", "-9", w.inspect(service, "{{.State.Pid}}"))
}
