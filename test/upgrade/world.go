// Package upgrade holds the test that an installation upgrades in place: a new agent goes on with the volumes that the version
// before has left. World lays such an installation out and runs its processes. The test uses it, and so does make-volumes,
// which makes the volumes in testdata.
package upgrade

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// forever is longer than the volumes in testdata are used. A setting with it keeps the clock from ending what a test looks at.
const forever = "400000h"

// World is an installation: both servers, each with its agent, and the volumes that they share.
type World struct {
	Dir   string // of all volumes
	Agent string // the agent's program
	Sim   string // the program of the stand-ins
	IS    *Side
	AM    *Side

	gw      string // port of the gateway
	backend string // host:port
	serves  *Process
}

// Side is one server with its agent.
type Side struct {
	Product, Name string
	Port          string   // of the server
	Extra         []string // settings of this agent only
	Agent         string   // its agent's program, in place of the world's
	Through       []string // a command in front of the server's, as an entrypoint is

	world         *World
	health        string // host:port
	server, agent *Process
}

// NewWorld returns the installation in dir, which has four ports from first on. The servers' settings name the
// ports, so every volume belongs to the ports with which it was made.
func NewWorld(dir, agent, sim string, first int) *World {
	port := func(n int) string { return strconv.Itoa(first + n) }
	w := &World{Dir: dir, Agent: agent, Sim: sim, gw: port(2), backend: "localhost:" + port(3)}
	w.IS = &Side{world: w, Product: "is", Name: "wso2is", Port: port(0)}
	w.AM = &Side{world: w, Product: "am", Name: "wso2am", Port: port(1)}
	return w
}

// Backend is the address of the backend behind the APIs.
func (w *World) Backend() string { return "http://" + w.backend }

// Sides are both sides, API-M's first.
func (w *World) Sides() []*Side { return []*Side{w.AM, w.IS} }

// Exchange is the volume that the agents share.
func (w *World) Exchange() string { return filepath.Join(w.Dir, "exchange") }

// Home is the server's home, and Volume its config volume.
func (s *Side) Home() string   { return filepath.Join(s.world.Dir, s.Product, "home") }
func (s *Side) Volume() string { return filepath.Join(s.world.Dir, s.Product, "volume") }

// Artifacts is the artifact volume.
func (s *Side) Artifacts() string { return filepath.Join(s.world.Dir, s.Product, "artifacts") }

// Peer is the other side.
func (s *Side) Peer() *Side {
	if s == s.world.IS {
		return s.world.AM
	}
	return s.world.IS
}

// Log is the log of the side's agent, in init, run and exec.
func (s *Side) Log() string { return filepath.Join(s.world.Dir, "logs", s.Product+".log") }

// settings are the variables of the side's agent.
func (s *Side) settings() []string {
	w := s.world
	return append([]string{
		"PATH=" + os.Getenv("PATH"), "PRODUCT=" + s.Product, "CONFIG_DIR=" + s.Volume(), "SERVER_HOME=" + s.Home(), "EXCHANGE_DIR=" + w.Exchange(),
		"AM_HOST=localhost", "AM_PORT=" + w.AM.Port, "GW_PORT=" + w.gw, "IS_HOST=localhost", "IS_PORT=" + w.IS.Port,
		"KEY_MANAGER_NAME=WSO2-IS", "KM_TOKEN_ENDPOINT=https://localhost:" + w.IS.Port + "/oauth2/token",
		"API_CONFIG=" + filepath.Join(w.Dir, "config/api-config.yaml"), "KEYS_FILE=" + filepath.Join(w.Dir, "output/application-keys.json"),
		"ARTIFACTS=none", "ARTIFACT_DIR=" + s.Artifacts(), "LOG_FORMAT=json",
		"QUIET_MIN=20ms", "POLL_INTERVAL=500ms", "LOOK_INTERVAL=1s", "STOP_TIMEOUT=10s",
		"ROTATE_TIMEOUT=" + forever, "ROTATE_GRACE=" + forever, "TLS_VALIDITY=" + forever,
	}, s.Extra...)
}

func (s *Side) program() string {
	if s.Agent != "" {
		return s.Agent
	}
	return s.world.Agent
}

// Command runs a command of the side's agent to its end.
func (s *Side) Command(ctx context.Context, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.program(), args...)
	cmd.Env = s.settings()
	out, err := cmd.CombinedOutput()
	if err := s.log(string(out)); err != nil {
		return err
	}
	if err != nil {
		return fmt.Errorf("agent %s next to %s: %w\n%s", strings.Join(args, " "), s.Name, err, out)
	}
	return nil
}

func (s *Side) log(text string) error {
	f, err := s.openLog()
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(text)
	return err
}

func (s *Side) openLog() (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(s.Log()), 0o755); err != nil {
		return nil, err
	}
	return os.OpenFile(s.Log(), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
}

// Init runs the init containers of both servers, each of which may wait for the other.
func (w *World) Init(ctx context.Context) error {
	done := make(chan error)
	for _, s := range w.Sides() {
		go func() { done <- s.Command(ctx, "init") }()
	}
	return errors.Join(<-done, <-done)
}

// StartServer starts the server under agent exec.
func (s *Side) StartServer() (err error) {
	w := s.world
	args := append([]string{"exec", "--"}, s.Through...)
	args = append(args, w.Sim, s.Product, "--home", s.Home(), "--config-volume", s.Volume(), "--listen", "localhost:"+s.Port)
	if s == w.AM {
		args = append(args, "--gateway", "localhost:"+w.gw)
	}
	s.server, err = s.start(args, nil)
	return err
}

// StartAgent starts the sidecar.
func (s *Side) StartAgent() (err error) {
	if s.health, err = freeAddress(); err != nil {
		return err
	}
	s.agent, err = s.start([]string{"run"}, []string{"LISTEN_ADDR=" + s.health})
	return err
}

// Run starts the backend, both servers and then both sidecars.
func (w *World) Run() (err error) {
	if w.serves, err = w.IS.startProgram(w.Sim, []string{"backend", "--listen", w.backend}, nil); err != nil {
		return err
	}
	for _, start := range []func(*Side) error{(*Side).StartServer, (*Side).StartAgent} {
		for _, s := range w.Sides() {
			if err := start(s); err != nil {
				return err
			}
		}
	}
	return nil
}

// StopAgent ends the sidecar, and StopServer the server, as the end of its container does.
func (s *Side) StopAgent()  { s.agent = s.agent.stop() }
func (s *Side) StopServer() { s.server = s.server.stop() }

// Stop ends everything that runs.
func (w *World) Stop() {
	for _, s := range w.Sides() {
		s.StopAgent()
	}
	for _, s := range w.Sides() {
		s.StopServer()
	}
	w.serves = w.serves.stop()
}

// Ask returns the sidecar's answer at a path of its health endpoint.
func (s *Side) Ask(path string) (status int, body string) {
	client := http.Client{Timeout: 10 * time.Second}
	resp, err := client.Get("http://" + s.health + path)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text := make([]byte, 1<<16)
	n, _ := resp.Body.Read(text)
	return resp.StatusCode, string(text[:n])
}

// Ready returns what the side's sidecar waits for; empty when it is ready.
func (s *Side) Ready() string {
	if status, body := s.Ask("/readyz"); status != http.StatusOK {
		return fmt.Sprintf("%s: %d %s", s.Name, status, body)
	}
	return ""
}

// AllReady is Ready of both sides.
func (w *World) AllReady() string { return w.AM.Ready() + w.IS.Ready() }

// Starts counts the starts of the server since its home was made, by the server's own log.
func (s *Side) Starts() int {
	text, _ := os.ReadFile(filepath.Join(s.Home(), "start.log"))
	return strings.Count(string(text), "\n")
}

// patience is how long anything may take on a machine that is busy.
const patience = 2 * time.Minute

// Until waits for what the processes bring about. not returns what is missing, and empty when nothing is.
func (w *World) Until(ctx context.Context, what string, not func() string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		missing := not()
		if missing == "" {
			return nil
		}
		for _, s := range w.Sides() {
			if s.agent.hasEnded() || s.server.hasEnded() {
				return fmt.Errorf("a process of %s has ended while the test waited for this: %s", s.Name, what)
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not within %s: %s: %s", patience, what, missing)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Process is a running program.
type Process struct {
	cmd   *exec.Cmd
	ended chan struct{}
}

func (s *Side) start(args, more []string) (*Process, error) {
	return s.startProgram(s.program(), args, more)
}

func (s *Side) startProgram(program string, args, more []string) (*Process, error) {
	f, err := s.openLog()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p := &Process{cmd: exec.Command(program, args...), ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = f, f
	p.cmd.Env = append(s.settings(), more...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} // also when the test is killed
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s %s next to %s: %w", filepath.Base(program), args[0], s.Name, err)
	}
	go func() { p.cmd.Wait(); close(p.ended) }()
	return p, nil
}

func (p *Process) hasEnded() bool {
	if p == nil {
		return false
	}
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// stop asks the process to end and waits for that. It returns nil.
func (p *Process) stop() *Process {
	if p == nil {
		return nil
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(time.Minute):
		p.cmd.Process.Kill()
		<-p.ended
	}
	return nil
}

// freeAddress is one on which nobody listens now.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
