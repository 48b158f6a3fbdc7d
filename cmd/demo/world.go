package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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
	gateway  string // host:port
	backend  string // http://host:port

	mu        sync.Mutex
	processes []*process
}

// side is one server with its agent.
type side struct {
	product, name string // is, wso2is
	address       string // host:port
	port          string
	health        string // host:port of the agent's health
	home, volume  string // the server's home, and the config volume that its entrypoint copies over it
}

func (w *world) exchange() string  { return filepath.Join(w.dir, "exchange") }
func (w *world) keysFile() string  { return filepath.Join(w.dir, "output", "application-keys.json") }
func (w *world) apiConfig() string { return filepath.Join(w.dir, "config", "api-config.yaml") }

// newWorld makes the folders: homes as freshly unpacked, config volumes seeded from them, and the API configuration
// with its backends replaced by the sample one.
func newWorld(dir, bin, apis string, delays float64) (*world, error) {
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
		s.home, s.volume = filepath.Join(dir, s.product, "home"), filepath.Join(dir, s.product, "config-volume")
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
	if err := wso2sim.Unpack(s.home, s.product); err != nil {
		return err
	}
	for _, folder := range []string{"repository/resources/security", "repository/conf"} {
		if err := os.CopyFS(filepath.Join(s.volume, folder), os.DirFS(filepath.Join(s.home, folder))); err != nil {
			return fmt.Errorf("seed the config volume: %w", err)
		}
	}
	if s.product == "am" {
		return nil
	}
	return wso2sim.WriteRevocationHandler(s.home)
}

// startServer starts a stand-in under agent exec, as the server's container would.
func (w *world) startServer(s side) (*process, error) {
	args := []string{"exec", "--", filepath.Join(w.bin, "wso2sim"), s.product, "--home", s.home, "--config-volume", s.volume,
		"--listen", s.address, "--delay-scale", fmt.Sprint(w.delays)}
	if s.product == "am" {
		args = append(args, "--gateway", w.gateway)
	}
	return w.start(s.name, "agent", args, append(w.settings(s), "STOP_TIMEOUT=10s"))
}

// startAgent starts the sidecar of a server.
func (w *world) startAgent(s side) (*process, error) {
	return w.start("agent of "+s.name, "agent", []string{"run"}, append(w.settings(s), "LISTEN_ADDR="+s.health))
}

// settings are the variables of a server's agent. The two servers share one host name here, so the addresses are told
// by their ports.
func (w *world) settings(s side) []string {
	_, gatewayPort, _ := net.SplitHostPort(w.gateway)
	return []string{
		"PRODUCT=" + s.product, "CONFIG_DIR=" + s.volume, "SERVER_HOME=" + s.home, "EXCHANGE_DIR=" + w.exchange(),
		"AM_HOST=localhost", "AM_PORT=" + w.am.port, "GW_PORT=" + gatewayPort, "IS_HOST=localhost", "IS_PORT=" + w.is.port,
		"KEY_MANAGER_NAME=WSO2-IS", "KM_TOKEN_ENDPOINT=https://" + w.is.address + "/oauth2/token",
		"API_CONFIG=" + w.apiConfig(), "KEYS_FILE=" + w.keysFile(), "LOG_FORMAT=text",
	}
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
	log, err := os.Create(p.log)
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

// stop ends all processes, agents first, and waits until they are gone.
func (w *world) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := len(w.processes) - 1; i >= 0; i-- {
		w.processes[i].cmd.Process.Signal(syscall.SIGTERM)
	}
	for _, p := range w.processes {
		select {
		case <-p.done:
		case <-time.After(30 * time.Second):
			syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
			<-p.done
		}
	}
	w.processes = nil
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
