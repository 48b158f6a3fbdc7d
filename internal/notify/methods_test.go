package notify

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"wso2agent/internal/docker"
	"wso2agent/internal/testenv"
	"wso2agent/internal/testenv/engine"
	"wso2agent/internal/wso2"
)

// contains fails the test unless the error has the text.
func contains(t *testing.T, what string, err error, text string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("%s: %v, want %q", what, err, text)
	}
}

// java is a process with the command line of a server in a home. It writes number to the home, as Java writes its own.
func java(t *testing.T, home, number, script string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", script, "java", "-Dcarbon.home="+home, "org.wso2.carbon.bootstrap.Bootstrap")
	cmd.Env = []string{"HOME_OF_SERVER=" + home, "PATH=" + os.Getenv("PATH")}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	if number == "" {
		number = strconv.Itoa(cmd.Process.Pid)
	}
	padded := make([]byte, 100)
	copy(padded, number+"\n")
	if err := os.WriteFile(filepath.Join(home, pidFile), padded, 0o644); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// endsOnTerm is a script that ends when it gets TERM.
const endsOnTerm = `trap 'exit 143' TERM; touch $HOME_OF_SERVER/ready; while :; do sleep 0.05; done`

// ready waits until the script of java runs.
func ready(t *testing.T, home string) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(home, "ready")); err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("not ready within 15 s")
		}
	}
}

func TestASignalEndsTheServerAndNothingElse(t *testing.T) {
	home, other := t.TempDir(), t.TempDir()
	server, stranger := java(t, home, "", endsOnTerm), java(t, other, "", endsOnTerm)
	ready(t, home)
	ready(t, other)
	s := &Signal{Home: home, Volume: t.TempDir(), StopTimeout: time.Minute}
	if why, err := s.Usable(t.Context()); err != nil || !strings.Contains(why, strconv.Itoa(server.Process.Pid)) {
		t.Fatal(why, err)
	}
	before, err := s.Process(t.Context())
	if err != nil || before.PID != server.Process.Pid || time.Since(before.Since) < 0 || time.Since(before.Since) > time.Minute {
		t.Fatalf("%+v, %v", before, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Wait() }()
	if err := s.Restart(t.Context(), Order{}); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil || server.ProcessState.ExitCode() != 143 {
		t.Errorf("the server ended with %v", err)
	}
	if p, err := s.Process(t.Context()); p.ID != "" || err != nil {
		t.Errorf("after its end: %+v, %v", p, err)
	}
	if stranger.Process.Signal(syscall.Signal(0)) != nil {
		t.Error("the server of another home has ended")
	}
	java(t, home, "", endsOnTerm)
	if after, err := s.Process(t.Context()); err != nil || after.ID == before.ID || after.ID == "" {
		t.Errorf("started again: %+v, %v", after, err)
	}
}

func TestAProcessMustHaveTheCommandLineAndTheNumberOfTheServer(t *testing.T) {
	home := t.TempDir()
	for name, number := range map[string]string{"another number": "1", "no number": "a secret", "the number of another process": strconv.Itoa(os.Getpid())} {
		cmd := java(t, home, number, endsOnTerm)
		s := &Signal{Home: home, Volume: t.TempDir()}
		_, err := s.Usable(t.Context())
		contains(t, name, err, "has the command line of the server, but wso2carbon.pid of its home does not have its number")
		if err != nil && strings.Contains(err.Error(), "a secret") {
			t.Errorf("%s: the content of the file is in %v", name, err)
		}
		contains(t, name, s.Restart(t.Context(), Order{}), "no Java process of the server")
		if cmd.Process.Signal(syscall.Signal(0)) != nil {
			t.Errorf("%s: the process has ended", name)
		}
		cmd.Process.Kill()
		cmd.Wait()
	}
	home = t.TempDir() // a child of a shell that was killed can still have its command line
	cmd := exec.Command("/bin/sh", "-c", endsOnTerm)
	cmd.Env = []string{"HOME_OF_SERVER=" + home}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
	if err := os.WriteFile(filepath.Join(home, pidFile), []byte(strconv.Itoa(cmd.Process.Pid)), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := (&Signal{Home: home, Volume: t.TempDir()}).Usable(t.Context())
	contains(t, "another command line", err, "no Java process of the server is to be seen; share the PID namespace")
}

// inProc is a folder like /proc with one process of a server in a home, whose root folder is root.
func inProc(t *testing.T, proc, pid, home, root string) {
	t.Helper()
	dir := filepath.Join(proc, pid)
	stat := pid + " (java) S" + strings.Repeat(" 0", 18) + " 500"
	if err := os.MkdirAll(filepath.Join(root, home), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(root, filepath.Join(dir, "root")); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{filepath.Join(dir, "cmdline"): "java\x00-Dcarbon.home=" + home + "\x00" + mainClass + "\x00", filepath.Join(dir, "stat"): stat,
		filepath.Join(proc, "uptime"): "1000.00 1000.00\n", filepath.Join(root, home, pidFile): pid + "\n"} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// mount makes the folder volume of this machine appear below root, at the same path.
func mount(t *testing.T, volume, root string) {
	t.Helper()
	at := filepath.Join(root, volume)
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		t.Fatal(err)
	}
	// A test may not mount anything, and the agent follows no link out of root. So the folder moves below root, and a link leads to it.
	if err := os.Rename(volume, at); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(at, volume); err != nil {
		t.Fatal(err)
	}
}

func TestASignalEndsNoServerOfAnotherProject(t *testing.T) {
	const home = "/home/wso2carbon/wso2is-7.1.0"
	proc, all, theirs := t.TempDir(), t.TempDir(), t.TempDir()
	ours := filepath.Join(all, "ours")
	s := &Signal{Home: home, Proc: proc, Volume: filepath.Join(t.TempDir(), "volume")}
	if err := os.Mkdir(s.Volume, 0o755); err != nil {
		t.Fatal(err)
	}
	inProc(t, proc, "4141", home, theirs)
	_, err := s.Usable(t.Context())
	contains(t, "without the volume", err, "is not the config volume of this agent: it may belong to another project; mount the config volume in both containers at CONFIG_DIR")
	if err := os.MkdirAll(filepath.Join(theirs, s.Volume), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err = s.Usable(t.Context())
	contains(t, "with another volume at the same path", err, "process 4141 has the command line of the server, but its "+s.Volume+" is not the config volume of this agent")
	contains(t, "with another volume", s.Restart(t.Context(), Order{}), "no Java process of the server")
	mount(t, s.Volume, ours)
	inProc(t, proc, "4242", home, ours)
	if p, err := s.Process(t.Context()); err != nil || p.PID != 4242 {
		t.Errorf("the own server is there too: %+v, %v", p, err)
	}
	inProc(t, proc, "4343", home, all)
	shared := filepath.Join(all, s.Volume)
	if err := os.MkdirAll(filepath.Dir(shared), 0o755); err != nil {
		t.Fatal(err)
	}
	up, err := filepath.Rel(filepath.Dir(shared), filepath.Join(ours, s.Volume))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(up, shared); err != nil {
		t.Fatal(err)
	}
	contains(t, "two servers with one volume", s.Restart(t.Context(), Order{}), "the processes 4242 and 4343 both are a server in "+home+" with this config volume; give each server a config volume of its own")
}

// The server can put a link to a file of the agent in the place of its number.
func TestALinkOfTheServerShowsNoFileOfTheAgent(t *testing.T) {
	const home = "/home/wso2carbon/wso2is-7.1.0"
	agents := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(agents, []byte("4242\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"an absolute link": agents, "a relative link": strings.Repeat("../", 20) + agents} {
		proc, root := t.TempDir(), t.TempDir()
		inProc(t, proc, "4242", home, root)
		s := &Signal{Home: home, Proc: proc, Volume: t.TempDir()}
		mount(t, s.Volume, root)
		if p, err := s.find(); err != nil || p.PID != 4242 {
			t.Fatalf("%s: without it: %+v, %v", name, p, err)
		}
		number := filepath.Join(root, home, pidFile)
		if err := os.Remove(number); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, number); err != nil {
			t.Fatal(err)
		}
		_, err := s.find()
		contains(t, name, err, "process 4242 has the command line of the server, but its wso2carbon.pid cannot be read")
	}
}

func TestAServerThatIgnoresTheSignalIsKilled(t *testing.T) {
	home := t.TempDir()
	server := java(t, home, "", `trap "" TERM; touch $HOME_OF_SERVER/ready; while :; do sleep 0.05; done`)
	ready(t, home)
	ended := make(chan error, 1)
	go func() { ended <- server.Wait() }()
	if err := (&Signal{Home: home, Volume: t.TempDir(), StopTimeout: 200 * time.Millisecond}).Restart(t.Context(), Order{}); err != nil {
		t.Fatal(err)
	}
	<-ended
	if status := server.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGKILL {
		t.Errorf("it ended by %v", status)
	}
}

// withHome returns a folder, as the root of a container, that has a home of a server.
func withHome(t *testing.T, home string) (root string) {
	t.Helper()
	root = t.TempDir()
	settings := filepath.Join(root, home, "repository/conf/deployment.toml")
	if err := os.MkdirAll(filepath.Dir(settings), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(settings, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return root
}

// onEngine is a container with the config volume of c, at an engine.
func onEngine(t *testing.T, c Control, containers ...*engine.Container) *Docker {
	t.Helper()
	e := engine.Start(t, containers...)
	return &Docker{Container: "demo-wso2is-1", Setting: "IS_CONTAINER", Control: c, Home: "/home/wso2carbon/wso2is-7.1.0", Prefix: "wso2is-",
		Hostname: func() (string, error) { return "host-of-agent", nil },
		Open: func() (*docker.Engine, error) {
			return docker.Open(func(name string) string { return map[string]string{"DOCKER_HOST": e.Host}[name] })
		}}
}

func TestDockerRestartsTheContainerThatMountsTheConfigVolume(t *testing.T) {
	c := newControl(t)
	restarts := 0
	d := onEngine(t, c, &engine.Container{Name: "demo-wso2is-1", Root: withHome(t, "/home/wso2carbon/wso2is-7.1.0"), Restart: func() error { restarts++; return nil },
		Mounts: []engine.Mount{{Target: "/exchange", Source: t.TempDir()}, {Target: "/home/wso2carbon/wso2-config-volume", Source: filepath.Dir(c.Dir)}}})
	why, err := d.Usable(t.Context())
	if err != nil || !strings.Contains(why, "container demo-wso2is-1 at unix://") || !strings.HasSuffix(why, "mounts this config volume at /home/wso2carbon/wso2-config-volume") {
		t.Fatal(why, err)
	}
	before, err := d.Process(t.Context())
	if err != nil || before.ID == "" || before.Since.Year() != 2026 {
		t.Fatal(before, err)
	}
	if err := d.Restart(t.Context(), Order{}); err != nil || restarts != 1 {
		t.Fatal(restarts, err)
	}
	if after, err := d.Process(t.Context()); err != nil || after.ID == before.ID || !after.Since.After(before.Since) {
		t.Errorf("%+v, %v", after, err)
	}
}

func TestDockerRefusesTheContainerOfAnotherProject(t *testing.T) {
	c, another := newControl(t), newControl(t)
	if _, err := another.Want("g1"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(another.Dir, proofFile), []byte("OF ANOTHER AGENT"), 0o644); err != nil {
		t.Fatal(err)
	}
	container := &engine.Container{Name: "demo-wso2is-1", Root: withHome(t, "/home/wso2carbon/wso2is-7.1.0"), Mounts: []engine.Mount{{Target: "/home/wso2carbon/wso2-config-volume", Source: filepath.Dir(another.Dir)}}}
	d := onEngine(t, c, container)
	_, err := d.Usable(t.Context())
	contains(t, "another volume", err, "does not mount the config volume of this agent: it may belong to another project; set IS_CONTAINER")
	d.Container = "nobody"
	_, err = d.Usable(t.Context())
	contains(t, "no container", err, "set IS_CONTAINER")
	d.Open = func() (*docker.Engine, error) { return nil, docker.ErrNoEngine }
	_, err = d.Usable(t.Context())
	contains(t, "no engine", err, "no container engine")
}

// A backup, an init container and the agent itself mount the config volume too.
func TestDockerRefusesAContainerWithoutTheServer(t *testing.T) {
	c := newControl(t)
	const home, older, other = "/home/wso2carbon/wso2is-7.1.0", "/home/wso2carbon/wso2is-7.0.0", "/home/wso2carbon/wso2am-4.5.0"
	for name, tc := range map[string]struct {
		root string
		env  []string
		want string // empty: the container is the server's
	}{
		"no home":                   {t.TempDir(), nil, "container demo-wso2is-1 runs no server of this product: it has no home with a repository/conf/deployment.toml; set IS_CONTAINER"},
		"a variable without a home": {t.TempDir(), []string{"WSO2_SERVER_HOME=" + older}, "runs no server of this product"},
		"the other product":         {withHome(t, other), []string{"WSO2_SERVER_HOME=" + other}, "runs no server of this product"},
		"SERVER_HOME":               {withHome(t, home), nil, ""},
		"the home of its image":     {withHome(t, older), []string{"WSO2_SERVER_HOME=" + older}, ""},
	} {
		d := onEngine(t, c, &engine.Container{Name: "demo-wso2is-1", Root: tc.root, Env: tc.env,
			Mounts: []engine.Mount{{Target: "/home/wso2carbon/wso2-config-volume", Source: filepath.Dir(c.Dir)}}})
		_, err := d.Usable(t.Context())
		if tc.want == "" && err != nil {
			t.Errorf("%s: %v", name, err)
		} else if tc.want != "" {
			contains(t, name, err, tc.want)
		}
	}
}

func TestDockerRefusesTheContainerOfTheAgent(t *testing.T) {
	c := newControl(t)
	home := withHome(t, "") // the agent edits the home, which is mounted here too
	d := onEngine(t, c, &engine.Container{Name: "demo-wso2is-1", Root: "/", Mounts: []engine.Mount{{Target: "/home/wso2carbon/wso2-config-volume", Source: filepath.Dir(c.Dir)}}})
	d.Home = home
	e, err := d.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	found, err := e.Inspect(t.Context(), d.Container)
	if err != nil {
		t.Fatal(err)
	}
	for host, own := range map[string]bool{found.ID[:12]: true, found.ID[:3]: false, "host-of-agent": false} {
		d.Hostname = func() (string, error) { return host, nil }
		if _, err := d.Usable(t.Context()); own {
			contains(t, host, err, "container demo-wso2is-1 is the one in which this agent runs; set IS_CONTAINER")
		} else if err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	if err := os.RemoveAll(filepath.Join(home, "repository")); err != nil {
		t.Fatal(err)
	}
	server := withHome(t, home)
	d = onEngine(t, c, &engine.Container{Name: "demo-wso2is-1", Root: server, Mounts: []engine.Mount{{Target: "/home/wso2carbon/wso2-config-volume", Source: filepath.Dir(c.Dir)}}})
	d.Home, d.Hostname = home, func() (string, error) { return found.ID[:12], nil }
	if _, err := d.Usable(t.Context()); err != nil {
		t.Errorf("an agent in the network of the server has its host name: %v", err)
	}
}

func TestACommandGetsTheOrderAndNoSecret(t *testing.T) {
	for _, name := range []string{"AM_ADMIN_PASS", "RESTART_URL_SECRET", "RESTART_URL_SECRET_FILE", "PGPASSWORD", "BACKEND_PASSWORD", "KEYS_FILE"} {
		t.Setenv(name, "geheim")
	}
	t.Setenv("DOCKER_HOST", "tcp://engine:2376")
	t.Setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
	dir := t.TempDir()
	program := filepath.Join(dir, "restart")
	if err := os.WriteFile(program, []byte("#!/bin/sh\nenv > "+dir+"/env\necho \"$@\" > "+dir+"/args\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	c := &Command{Line: program + " --now $HOME;ls", Limit: time.Minute}
	if why, err := c.Usable(t.Context()); err != nil || why != "RESTART_COMMAND runs "+program {
		t.Fatal(why, err)
	}
	if err := c.Restart(t.Context(), Order{Server: "wso2is", Product: "is", Generation: "g1"}); err != nil {
		t.Fatal(err)
	}
	env, _ := os.ReadFile(dir + "/env")
	args, _ := os.ReadFile(dir + "/args")
	if got := string(args); got != "--now $HOME;ls\n" { // as no shell would have it
		t.Errorf("arguments: %q", got)
	}
	lines := strings.Split(string(env), "\n")
	for _, want := range []string{"RESTART_SERVER=wso2is", "RESTART_PRODUCT=is", "RESTART_GENERATION=g1", "PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "DOCKER_HOST=tcp://engine:2376", "KUBERNETES_SERVICE_HOST=10.0.0.1"} {
		if !slices.Contains(lines, want) {
			t.Errorf("the environment lacks %s", want)
		}
	}
	if strings.Contains(string(env), "geheim") {
		t.Errorf("the environment has secrets:\n%s", env)
	}
}

func TestACommandMayLeaveAProcessThatGoesOn(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "restart")
	if err := os.WriteFile(program, []byte("#!/bin/sh\nsleep 1000 &\necho $! > "+dir+"/number\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	err := (&Command{Line: program, Limit: time.Minute}).Restart(t.Context(), Order{})
	if err != nil {
		t.Errorf("it has exited with 0: %v", err)
	}
	text, err := os.ReadFile(dir + "/number")
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(number, syscall.SIGKILL); err != nil {
		t.Errorf("the process that it has left: %v", err)
	}
}

func TestACommandThatFailsSaysWhy(t *testing.T) {
	for name, c := range map[string]struct {
		line string
		want string
	}{
		"its exit code and last line": {"ls /nobody", "run ls: exit status 2: "},
		"its limit":                   {"sleep 1000", "run sleep: it did not end within 200ms"},
	} {
		err := (&Command{Line: c.line, Limit: 200 * time.Millisecond}).Restart(t.Context(), Order{})
		contains(t, name, err, c.want)
	}
	_, err := (&Command{Line: "/no/program x"}).Usable(t.Context())
	contains(t, "no program", err, "the image of the agent has no other program, and no shell")
}

// hook is a service that restarts servers, and answers with one status after the other.
type hook struct {
	statuses []int
	mu       sync.Mutex
	bodies   []string
	headers  []http.Header
}

func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	h.bodies, h.headers = append(h.bodies, string(body)), append(h.headers, r.Header)
	w.WriteHeader(h.statuses[min(len(h.bodies), len(h.statuses))-1])
}

func TestAWebhookIsSignedAndRepeatedWhileTheServiceCannot(t *testing.T) {
	for name, c := range map[string]struct {
		statuses []int
		requests int
		want     string // of the error; empty for none
	}{
		"accepted": {[]int{202}, 1, ""},
		"later":    {[]int{503, 429, 204}, 3, ""},
		"never":    {[]int{500}, 3, "it answers 500 Internal Server Error"},
		"refused":  {[]int{401, 200}, 1, "it answers 401 Unauthorized; look at the log of that service; it must know RESTART_URL_SECRET"},
		"moved":    {[]int{302, 200}, 1, "it answers 302 Found"},
	} {
		h := &hook{statuses: c.statuses}
		server := httptest.NewTLSServer(h)
		client := server.Client()
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		w := &Webhook{URL: server.URL + "/restart?token=abc", Secret: "s3cret", SecretSetting: "RESTART_URL_SECRET", Pause: time.Millisecond, Connect: func() (*http.Client, error) { return client, nil }}
		if why, err := w.Usable(t.Context()); err != nil || strings.Contains(why, "abc") {
			t.Errorf("%s: %q, %v", name, why, err)
		}
		err := w.Restart(t.Context(), Order{Server: "wso2is", Generation: "g1", Attempt: 2})
		server.Close()
		if c.want == "" && err != nil {
			t.Errorf("%s: %v", name, err)
		} else if c.want != "" {
			contains(t, name, err, c.want)
		}
		if err != nil && (strings.Contains(err.Error(), "abc") || strings.Contains(err.Error(), "s3cret")) {
			t.Errorf("%s: a secret in %v", name, err)
		}
		if len(h.bodies) != c.requests {
			t.Errorf("%s: %d requests, want %d", name, len(h.bodies), c.requests)
		}
		var o Order
		if err := json.Unmarshal([]byte(h.bodies[0]), &o); err != nil || o.Server != "wso2is" || o.Generation != "g1" || o.Attempt != 2 {
			t.Errorf("%s: body %s, %v", name, h.bodies[0], err)
		}
		mac := hmac.New(sha256.New, []byte("s3cret"))
		io.WriteString(mac, h.headers[0].Get("X-Agent-Timestamp")+"."+h.bodies[0])
		if got, want := h.headers[0].Get("X-Agent-Signature-256"), "sha256="+hex.EncodeToString(mac.Sum(nil)); got != want {
			t.Errorf("%s: signature %s, want %s", name, got, want)
		}
	}
}

// A service that restarts the server before it answers is slower than the client waits.
func TestAWebhookThatHasTheOrderDoesNotGetItAgain(t *testing.T) {
	for name, c := range map[string]struct {
		answer   func(w http.ResponseWriter, end <-chan struct{})
		wait     time.Duration // for the answer; 0: without limit
		requests int
		want     string // of the error; empty for none
		log      string
	}{
		"no answer":       {func(_ http.ResponseWriter, end <-chan struct{}) { <-end }, 50 * time.Millisecond, 1, "", `answer="none in time"`},
		"a proxy's limit": {func(w http.ResponseWriter, _ <-chan struct{}) { w.WriteHeader(http.StatusGatewayTimeout) }, 0, 1, "", `answer="504 Gateway Timeout"`},
		"an early end":    {func(http.ResponseWriter, <-chan struct{}) { panic(http.ErrAbortHandler) }, 0, 3, "EOF", ""},
	} {
		requests, end := make(chan string, webhookTries), make(chan struct{})
		server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			requests <- string(body)
			c.answer(w, end)
		}))
		client := server.Client()
		client.Transport.(*http.Transport).ResponseHeaderTimeout = c.wait // begins when the request is written
		var log testenv.Buffer
		w := &Webhook{URL: server.URL + "/restart?token=abc", Pause: time.Millisecond, Log: slog.New(slog.NewTextHandler(&log, nil)), Connect: func() (*http.Client, error) { return client, nil }}
		err := w.Restart(t.Context(), Order{ID: "order-1"})
		if c.want == "" && err != nil {
			t.Errorf("%s: %v", name, err)
		} else if c.want != "" {
			contains(t, name, err, c.want)
		}
		if body := <-requests; !strings.Contains(body, `"id":"order-1"`) {
			t.Errorf("%s: the signed body has no id: %s", name, body)
		}
		close(end)
		server.Close()
		if n := 1 + len(requests); n != c.requests {
			t.Errorf("%s: %d requests, want %d", name, n, c.requests)
		}
		if text := log.String(); !strings.Contains(text, c.log) || strings.Contains(text, "abc") || (c.log == "") != (text == "") {
			t.Errorf("%s: the log has no %s, or a secret: %s", name, c.log, text)
		}
	}
}

// A request that was not sent has restarted nothing.
func TestAWebhookThatCannotBeReachedIsTriedAgain(t *testing.T) {
	tries := 0
	client := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		tries++
		return nil, os.ErrDeadlineExceeded
	}}}
	w := &Webhook{URL: "https://ops.example.com/restart", Setting: "RESTART_URL", Pause: time.Millisecond, Connect: func() (*http.Client, error) { return client, nil }}
	contains(t, "no connection in time", w.Restart(t.Context(), Order{}), "POST to ops.example.com: i/o timeout; check RESTART_URL")
	if tries != webhookTries {
		t.Errorf("%d tries, want %d", tries, webhookTries)
	}
}

func TestAWebhookThatNobodyAnswersNamesTheSettings(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	w := &Webhook{URL: server.URL + "/abc", Setting: "RESTART_URL", Connect: func() (*http.Client, error) { return &http.Client{}, nil }, Pause: time.Millisecond} // without its CA
	err := w.Restart(t.Context(), Order{})
	contains(t, "an unknown CA", err, "check RESTART_URL, and TLS_CA_FILE for the CA of its certificate")
	server.Close()
	if contains(t, "nobody", w.Restart(t.Context(), Order{}), "connection refused"); strings.Contains(err.Error(), "abc") {
		t.Errorf("the path is in %v", err)
	}
}

func TestAFileIsReplacedForEachRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "restart.json")
	f := &Touch{Path: path}
	if _, err := f.Usable(t.Context()); err != nil {
		t.Fatal(err)
	}
	var before string
	for n := 1; n <= 2; n++ {
		if err := f.Restart(t.Context(), Order{Server: "wso2is", Generation: "g1", Attempt: n}); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil || string(data) == before || !strings.Contains(string(data), `"generation": "g1"`) {
			t.Errorf("%s, %v", data, err)
		}
		before = string(data)
	}
	_, err := (&Touch{Path: "/no/folder/file"}).Usable(t.Context())
	contains(t, "no folder", err, "mount the folder of RESTART_FILE")
	_, err = (&Touch{}).Usable(t.Context())
	contains(t, "no setting", err, "set RESTART_FILE")
}

func TestCarbonNamesTheSettingOfAServerThatDoesNotRestart(t *testing.T) {
	answer := "false"
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"restartGracefullyResponse":{"return":`+answer+`}}`)
	}))
	defer server.Close()
	c := &Carbon{URL: server.URL, InHome: true, Connect: func() (*http.Client, error) { return server.Client(), nil },
		Administrator: func() (wso2.Credentials, error) { return wso2.Credentials{User: "admin", Password: "admin"}, nil }}
	if why, err := c.Usable(t.Context()); err != nil || !strings.Contains(why, "the agent edits the home") {
		t.Error(why, err)
	}
	contains(t, "off", c.Restart(t.Context(), Order{}), "ServerAdmin answers false: the server does not restart on request; set SERVER_ADMIN=true")
	if answer = "true"; c.Restart(t.Context(), Order{}) != nil {
		t.Error("it restarts, and that is an error")
	}
	c.Administrator = func() (wso2.Credentials, error) { return wso2.Credentials{}, errors.New("no password") }
	contains(t, "no password", c.Restart(t.Context(), Order{}), "no password")
	c.InHome = false
	_, err := c.Usable(t.Context())
	contains(t, "the home is not edited", err, "its entrypoint does not copy the config volume again")
}
