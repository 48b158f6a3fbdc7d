package versions

import (
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"wso2agent/internal/deployment"
	"wso2agent/internal/product"
	"wso2agent/internal/testenv"
	"wso2agent/internal/wso2sim"
)

// firstStart starts both servers as their containers do: seed.sh, agent init, agent exec. They never ran before, so that init makes the
// encryption keys. agent bootstrap makes the desired state, and run again it changes nothing. After a restart both servers have the same keys,
// and API-M reads what it has encrypted.
func firstStart(t *testing.T, root, bin string, p versions) {
	c := newContainers(t, root, bin, p)
	c.start()
	if changes := c.bootstrap(); changes == 0 {
		t.Error("the first agent bootstrap changes nothing")
	}
	if changes := c.bootstrap(); changes != 0 {
		t.Errorf("the second agent bootstrap makes %d changes", changes)
	}
	keys := c.encryptionKeys()

	c.stop()
	c.start()
	if c.encryptionKeys() != keys {
		t.Error("after a restart the servers encrypt with other keys")
	}
	if changes := c.bootstrap(); changes != 0 {
		t.Errorf("after a restart agent bootstrap makes %d changes", changes)
	}
	// The application that it makes and deletes has keys by the key manager, whose password API-M has encrypted.
	c.agent(c.am, "verify", "--write", c.apis)
	if strings.Contains(c.log.String(), "encrypted with another key") {
		t.Error("API-M does not read what it has encrypted")
	}
}

// containers are both servers, each with a home as in its image, and a config volume. The agent next to IS authorizes applications.
type containers struct {
	t              *testing.T
	root, bin, dir string
	is, am         container
	gateway        string // port
	backend        string // host:port
	apis           string // path
	log            testenv.Buffer
	running        []*exec.Cmd
}

type container struct {
	release      product.Release
	home, volume string
	port         string
}

func newContainers(t *testing.T, root, bin string, p versions) *containers {
	t.Helper()
	c := &containers{t: t, root: root, bin: bin, dir: t.TempDir()}
	t.Cleanup(func() {
		c.stop()
		if t.Failed() {
			t.Log(c.log.String())
		}
	})
	ports := make([]string, 4)
	for i := range ports {
		l, err := net.Listen("tcp", "localhost:0")
		c.must(err)
		defer l.Close()
		_, ports[i], err = net.SplitHostPort(l.Addr().String())
		c.must(err)
	}
	for i, s := range []struct {
		of            *container
		name, version string
	}{{&c.is, product.IS, p.is}, {&c.am, product.AM, p.am}} {
		release, err := product.Of(s.name, s.version)
		c.must(err)
		*s.of = container{release: release, home: filepath.Join(c.dir, "homes", release.Name()), volume: filepath.Join(c.dir, "volumes", s.name), port: ports[i]}
		c.must(wso2sim.UnpackWith(s.of.home, s.name, wso2sim.UnpackOptions{Version: s.version, Rounds: 10}))
	}
	c.must(wso2sim.WriteRevocationHandler(c.is.home))
	c.must(os.Mkdir(filepath.Join(c.dir, "exchange"), 0o755))

	c.gateway, c.backend = ports[2], "localhost:"+ports[3]
	text, err := os.ReadFile(filepath.Join(root, "examples/api-config.yaml"))
	c.must(err)
	c.apis = filepath.Join(c.dir, "api-config.yaml")
	c.must(os.WriteFile(c.apis, regexp.MustCompile(`(?m)(backend_url: *)\S+`).ReplaceAll(text, []byte("${1}http://"+c.backend)), 0o644))
	return c
}

func (c *containers) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// start does what the containers of both servers do, the init containers first, and waits until both servers answer.
func (c *containers) start() {
	c.t.Helper()
	var inits sync.WaitGroup
	for _, s := range []container{c.is, c.am} {
		seed := exec.CommandContext(c.t.Context(), "sh", filepath.Join(c.root, "deploy/seed/seed.sh"))
		seed.Env = []string{"PATH=" + os.Getenv("PATH"), "SERVER_HOME=" + s.home, "CONFIG_DIR=" + s.volume}
		if out, err := seed.CombinedOutput(); err != nil {
			c.t.Fatalf("seed.sh: %v\n%s", err, out)
		}
		inits.Go(func() {
			if out, err := c.command(s, "init").CombinedOutput(); err != nil {
				c.t.Errorf("agent init next to %s: %v\n%s", s.release.Name(), err, out)
			}
		})
	}
	inits.Wait()
	if c.t.Failed() {
		c.t.FailNow()
	}
	c.run(exec.Command(filepath.Join(c.bin, "wso2sim"), "backend", "--listen", c.backend))
	for _, s := range []container{c.is, c.am} {
		args := []string{"exec", "--", filepath.Join(c.bin, "wso2sim"), s.release.Product, "--home", s.home, "--config-volume", s.volume, "--listen", "localhost:" + s.port}
		if s.release.Product == product.AM {
			args = append(args, "--gateway", "localhost:"+c.gateway)
		}
		c.run(c.command(s, args...))
	}
	c.run(c.command(c.is, "run"))
	for _, s := range []container{c.is, c.am} {
		c.agent(s, "probe", "--server", "--wait", "1m")
	}
}

// command is a command of the agent next to a server.
func (c *containers) command(s container, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.bin, "agent"), args...)
	cmd.Env = []string{
		"PRODUCT=" + s.release.Product, "CONFIG_DIR=" + s.volume, "SERVER_HOME=" + s.home, "EXCHANGE_DIR=" + filepath.Join(c.dir, "exchange"),
		"IS_HOST=localhost", "IS_PORT=" + c.is.port, "AM_HOST=localhost", "AM_PORT=" + c.am.port, "GW_PORT=" + c.gateway,
		"KEY_MANAGER_NAME=WSO2-IS", "KM_TOKEN_ENDPOINT=https://localhost:" + c.is.port + "/oauth2/token", "ARTIFACTS=none",
		"API_CONFIG=" + c.apis, "KEYS_FILE=" + filepath.Join(c.dir, "keys.json"), "LOG_FORMAT=json", "LISTEN_ADDR=127.0.0.1:0", "STOP_TIMEOUT=10s", "INIT_TIMEOUT=1m", "TLS_MODE=issue",
	}
	return cmd
}

// run starts a process that stop ends.
func (c *containers) run(cmd *exec.Cmd) {
	c.t.Helper()
	cmd.Stdout, cmd.Stderr = &c.log, &c.log
	c.must(cmd.Start())
	c.running = append(c.running, cmd)
}

// stop ends all processes, the last one first.
func (c *containers) stop() {
	for len(c.running) > 0 {
		last := len(c.running) - 1
		c.running[last].Process.Signal(syscall.SIGTERM)
		c.running[last].Wait()
		c.running = c.running[:last]
	}
}

// agent runs a command of the agent to its end, which must be a good one.
func (c *containers) agent(s container, args ...string) (out string) {
	c.t.Helper()
	cmd := c.command(s, args...)
	text, err := cmd.CombinedOutput()
	if err != nil {
		c.t.Fatalf("agent %s: %v\n%s", strings.Join(args, " "), err, text)
	}
	return string(text)
}

// bootstrap runs agent bootstrap, and returns the number of changes that it logs.
func (c *containers) bootstrap() (changes int) {
	c.t.Helper()
	out := c.agent(c.am, "bootstrap")
	for line := range strings.Lines(out) {
		var entry struct {
			Msg     string
			Changes *int
		}
		if json.Unmarshal([]byte(line), &entry) == nil && strings.HasPrefix(entry.Msg, "everything works") && entry.Changes != nil {
			return *entry.Changes
		}
	}
	c.t.Fatalf("agent bootstrap does not say how many changes it has made:\n%s", out)
	return 0
}

// encryptionKeys are those with which both servers encrypt, out of what they have read: [encryption] key of the settings in their homes.
func (c *containers) encryptionKeys() (keys string) {
	c.t.Helper()
	for _, s := range []container{c.is, c.am} {
		text, err := os.ReadFile(filepath.Join(s.home, "repository/conf/deployment.toml"))
		c.must(err)
		doc, err := deployment.Parse(text)
		c.must(err)
		v, _ := doc.Get("encryption", "key")
		key, _ := v.Data.(string)
		if len(key) != s.release.KeyDigits {
			c.t.Errorf("the encryption key of %s has %d digits, want %d", s.release.Name(), len(key), s.release.KeyDigits)
		}
		keys += key + " "
	}
	return keys
}
