package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"wso2agent/internal/wso2sim"
)

// world is all that the demo sets up: folders like a container's volumes, ports, and processes.
type world struct {
	dir, bin string
	delays   float64
	is, am   side
	gateway  string   // host:port
	backend  string   // http://host:port
	more     []string // further settings of both agents

	mu        sync.Mutex
	processes []*process
}

// side is one server with its agent.
type side struct {
	product, name string // is, wso2is
	address       string // host:port
	port          string
	health        string // host:port of the agent's health
	behaviour     wso2sim.Behaviour
	home, volume  string // the server's home, and the config volume that its entrypoint copies over it
}

func (w *world) exchange() string  { return filepath.Join(w.dir, "exchange") }
func (w *world) keysFile() string  { return filepath.Join(w.dir, "output", "application-keys.json") }
func (w *world) apiConfig() string { return filepath.Join(w.dir, "config", "api-config.yaml") }

// newWorld makes the folders: homes as freshly unpacked, config volumes seeded from them, and the API configuration
// with its backends replaced by the sample one. versions are by product.
func newWorld(dir, bin, apis string, delays float64, versions map[string]*string) (*world, error) {
	w := &world{dir: dir, bin: bin, delays: delays}
	ports, err := freePorts(6)
	if err != nil {
		return nil, err
	}
	local := func(port string) string { return net.JoinHostPort("localhost", port) }
	w.is = side{product: "is", name: "wso2is", port: ports[0], address: local(ports[0]), health: local(ports[1])}
	w.am = side{product: "am", name: "wso2am", port: ports[2], address: local(ports[2]), health: local(ports[3])}
	w.gateway, w.backend = local(ports[4]), "http://"+local(ports[5])
	for _, s := range []*side{&w.is, &w.am} {
		if s.behaviour, err = wso2sim.BehaviourOf(s.product, *versions[s.product]); err != nil {
			return nil, err
		}
		s.home, s.volume = filepath.Join(dir, s.product, "wso2"+s.product+"-"+s.behaviour.Version), filepath.Join(dir, s.product, "config-volume")
		if err := w.seed(*s); err != nil {
			return nil, err
		}
	}
	for _, folder := range []string{w.exchange(), filepath.Dir(w.keysFile()), filepath.Dir(w.apiConfig())} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return nil, err
		}
	}
	config, err := os.ReadFile(apis)
	if err != nil {
		return nil, fmt.Errorf("read the example: %w", err)
	}
	config = regexp.MustCompile(`(?m)(backend_url: *)\S+`).ReplaceAll(config, []byte("${1}"+w.backend))
	return w, os.WriteFile(w.apiConfig(), config, 0o644)
}

// seed unpacks a server's home and puts its stores and settings on its config volume.
func (w *world) seed(s side) error {
	if err := wso2sim.UnpackWith(s.home, s.product, wso2sim.UnpackOptions{Version: s.behaviour.Version}); err != nil {
		return err
	}
	for _, folder := range []string{"repository/resources/security", "repository/conf"} {
		if err := os.CopyFS(filepath.Join(s.volume, folder), os.DirFS(filepath.Join(s.home, folder))); err != nil {
			return fmt.Errorf("seed the config volume: %w", err)
		}
	}
	if s.behaviour.MakesKey {
		if err := keepKey(s.volume); err != nil {
			return err
		}
	}
	if err := w.stock(s); err != nil {
		return fmt.Errorf("seed the config volume: %w", err)
	}
	if s.product == "am" {
		return nil
	}
	return wso2sim.WriteRevocationHandler(s.home)
}

// keepKey writes the key with which the server encrypts secrets, as the documentation of API-M 4.7 asks everybody to do. Otherwise each
// start would make another one.
func keepKey(volume string) error {
	path := filepath.Join(volume, deploymentTOML)
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("seed the config volume: %w", err)
	}
	var key [32]byte
	rand.Read(key[:]) // never fails
	return os.WriteFile(path, fmt.Appendf(text, "\n[encryption]\nkey = \"%x\"\n", key), 0o644)
}

// stock copies what the product ships to the place where `agent init` looks for it, as deploy/seed/seed.sh does.
func (w *world) stock(s side) error {
	seed := filepath.Join(s.volume, ".agent/seed")
	for _, file := range []string{"repository/conf/deployment.toml", "repository/conf/log4j2.properties",
		"repository/resources/conf/templates/repository/conf/tomcat/catalina-server.xml.j2"} {
		data, err := os.ReadFile(filepath.Join(s.home, file))
		if err == nil {
			err = os.MkdirAll(filepath.Join(seed, filepath.Dir(file)), 0o700)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(seed, file), data, 0o644)
		}
		if err != nil {
			return err
		}
	}
	const security = "repository/resources/security"
	if err := os.CopyFS(filepath.Join(seed, security), os.DirFS(filepath.Join(s.home, security))); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(seed, "product"), []byte(filepath.Base(s.home)+"\n"), 0o644)
}

// startServer starts a stand-in under agent exec, as the server's container would.
func (w *world) startServer(s side) (*process, error) {
	args := []string{"exec", "--", filepath.Join(w.bin, "wso2sim"), s.product, "--home", s.home, "--config-volume", s.volume,
		"--listen", s.address, "--delay-scale", fmt.Sprint(w.delays), "--reload-scale", reloadScale}
	if s.product == "am" {
		args = append(args, "--gateway", w.gateway)
	}
	return w.start(s.name, "agent", args, append(w.settings(s), "STOP_TIMEOUT=10s"))
}

// reloadScale makes the stand-ins look for a new certificate fifty times as often as the products do.
const reloadScale = "0.02"

// startAgent starts the sidecar of a server.
func (w *world) startAgent(s side) (*process, error) {
	return w.start("agent of "+s.name, "agent", []string{"run"}, append(w.settings(s), "LISTEN_ADDR="+s.health, "RECONCILE_INTERVAL="+reconcileInterval))
}

// settings are the variables of a server's agent. The two servers share one host name here, so the addresses are told
// by their ports.
func (w *world) settings(s side) []string {
	_, gatewayPort, _ := net.SplitHostPort(w.gateway)
	return append([]string{
		"PRODUCT=" + s.product, "CONFIG_DIR=" + s.volume, "SERVER_HOME=" + s.home, "EXCHANGE_DIR=" + w.exchange(),
		"AM_HOST=localhost", "AM_PORT=" + w.am.port, "GW_PORT=" + gatewayPort, "IS_HOST=localhost", "IS_PORT=" + w.is.port,
		"KEY_MANAGER_NAME=WSO2-IS", "KM_TOKEN_ENDPOINT=https://" + w.is.address + "/oauth2/token",
		"API_CONFIG=" + w.apiConfig(), "KEYS_FILE=" + w.keysFile(), "LOG_FORMAT=text",
	}, w.more...)
}

// agent runs a command of the agent to its end.
func (w *world) agent(ctx context.Context, s side, args ...string) (out string, err error) {
	cmd := exec.CommandContext(ctx, filepath.Join(w.bin, "agent"), args...)
	cmd.Env = w.settings(s)
	text, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("agent %s next to %s: %w\n%s", strings.Join(args, " "), s.name, err, text)
	}
	return string(text), err
}

// process is a running program with its log.
type process struct {
	name string
	cmd  *exec.Cmd
	log  string        // path
	done chan struct{} // closed when it has ended
}

// start starts a program in a process group of its own, so that its end is the end of all it has started.
func (w *world) start(name, program string, args, env []string) (*process, error) {
	logs := filepath.Join(w.dir, "logs")
	if err := os.MkdirAll(logs, 0o755); err != nil {
		return nil, err
	}
	p := &process{name: name, log: filepath.Join(logs, strings.ReplaceAll(name, " ", "-")+".log"), done: make(chan struct{})}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p.cmd = exec.Command(filepath.Join(w.bin, program), args...)
	p.cmd.Stdout, p.cmd.Stderr, p.cmd.Env = log, log, env
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w; run make demo, which builds it first", name, err)
	}
	go func() { p.cmd.Wait(); close(p.done) }()
	w.mu.Lock()
	w.processes = append(w.processes, p)
	w.mu.Unlock()
	return p, nil
}

// stop ends all processes but those with one of these names, agents first, and waits until they are gone.
func (w *world) stop(but ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var stay, ending []*process
	for _, p := range w.processes {
		if slices.Contains(but, p.name) {
			stay = append(stay, p)
		} else {
			ending = append(ending, p)
		}
	}
	for _, p := range slices.Backward(ending) {
		p.cmd.Process.Signal(syscall.SIGTERM)
	}
	for _, p := range ending {
		select {
		case <-p.done:
		case <-time.After(30 * time.Second):
			syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
			<-p.done
		}
	}
	w.processes = stay
}

// ended is the name of a process that is not running any more, empty while all are.
func (w *world) ended() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.processes {
		select {
		case <-p.done:
			return p.name
		default:
		}
	}
	return ""
}

// tails prints the end of every log, for whoever has to find out why a step failed.
func (w *world) tails(out io.Writer) {
	logs, _ := filepath.Glob(filepath.Join(w.dir, "logs", "*.log"))
	for _, path := range logs {
		data, _ := os.ReadFile(path)
		lines := bytes.Split(bytes.TrimSpace(data), []byte("\n"))
		fmt.Fprintf(out, "--- the last lines of %s\n", filepath.Base(path))
		for _, line := range lines[max(0, len(lines)-12):] {
			fmt.Fprintf(out, "%s\n", line)
		}
	}
}

// starts counts how often a server has been started, by the log that it keeps itself.
func (s side) starts() int {
	f, err := os.Open(filepath.Join(s.home, "start.log"))
	if err != nil {
		return 0
	}
	defer f.Close()
	n := 0
	for lines := bufio.NewScanner(f); lines.Scan(); {
		n++
	}
	return n
}

// freePorts finds n ports that nobody listens on at the moment.
func freePorts(n int) (ports []string, err error) {
	for range n {
		l, err := net.Listen("tcp", "localhost:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		_, port, err := net.SplitHostPort(l.Addr().String())
		if err != nil {
			return nil, err
		}
		ports = append(ports, port)
	}
	return ports, nil
}

// until repeats holds until it is true, the context ends, or a process dies.
func (w *world) until(ctx context.Context, what string, holds func() bool) error {
	for !holds() {
		if name := w.ended(); name != "" {
			return fmt.Errorf("%s has ended while waiting for this: %s", name, what)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for this: %s: %w", what, context.Cause(ctx))
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil
}
