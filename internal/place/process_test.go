package place

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/identity"
	"wso2agent/internal/keystore"
	"wso2agent/internal/notify"
	"wso2agent/internal/testenv"
)

// TestMain runs the test binary as agent exec, or as a process that is killed. The supervisor reaps every child of its process, so it needs a process of its own.
func TestMain(m *testing.M) {
	if os.Getenv("SUPERVISE") != "" {
		os.Exit(supervise(os.Args[1:]))
	}
	if certificate := os.Getenv("PLACE_ONCE"); certificate != "" {
		os.Exit(placeOnce(certificate))
	}
	os.Exit(m.Run())
}

func supervise(command []string) int {
	cfg, err := config.Load()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 127
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM)
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	s := notify.Supervisor{Command: command, Control: notify.ControlOf(cfg), StopTimeout: time.Second, Poll: 20 * time.Millisecond,
		Serves: func(context.Context) error { _, err := os.Stat(filepath.Join(cfg.Server.Home, "serves")); return err },
		Home:   HomeOf(cfg, log), Log: log, Stdout: os.Stdout, Stderr: os.Stderr}
	code, err := s.Run(context.Background(), signals)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 127
	}
	return code
}

// supervised is an agent exec in a process of its own, and the server that it runs.
type supervised struct {
	*world
	notify.Control
	cmd *exec.Cmd
	out *testenv.Buffer
}

// run starts agent exec with a server that copies the config volume over its home first, as the products' entrypoints do. Each
// process of the server writes its number to the file "server".
func (w *world) run() *supervised {
	w.t.Helper()
	s := &supervised{world: w, Control: notify.ControlOf(w.cfg), out: &testenv.Buffer{}}
	s.cmd = exec.Command(os.Args[0], "/bin/sh", "-c", `rm -f "$SERVER_HOME/serves"; cp -R "$CONFIG_DIR"/* "$SERVER_HOME"/ && echo $$ > "$SERVER_HOME/server" && touch "$SERVER_HOME/serves" && exec sleep 1000`)
	s.cmd.Env = append(os.Environ(), "SUPERVISE=1")
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.out
	if err := s.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { s.end(syscall.SIGTERM) })
	return s
}

// end ends agent exec, and the server too, which a killed agent exec leaves behind.
func (s *supervised) end(sig syscall.Signal) {
	if s.cmd.ProcessState != nil {
		return
	}
	st, _, _ := s.Started()
	s.cmd.WaitDelay = 5 * time.Second
	s.cmd.Process.Signal(sig)
	if sig == syscall.SIGKILL && st.PID > 0 {
		syscall.Kill(-st.PID, sig)
	}
	s.cmd.Wait()
}

// says waits for a report of agent exec.
func (s *supervised) says(what string, holds func(notify.Started) bool) (st notify.Started) {
	s.t.Helper()
	s.until(what, func() bool {
		var ok bool
		var err error
		st, ok, err = s.Started()
		return ok && err == nil && holds(st)
	})
	return st
}

func (s *supervised) until(what string, holds func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("not within 30 s: %s\n%s", what, s.out)
		}
	}
}

func (s *supervised) rotate(id identity.Identity, generation string) {
	s.t.Helper()
	s.install(id)
	if _, err := s.AskReload(notify.Reload{Generation: generation, Certificate: fingerprint(id)}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *supervised) serves(id identity.Identity) bool {
	data, err := os.ReadFile(filepath.Join(s.home, keystoreFile))
	if err != nil {
		return false
	}
	got, err := identity.FromKeystore(data, password, identity.Alias)
	return err == nil && identity.Same(&got, &id)
}

func serving(st notify.Started) bool { return st.Serves == notify.ServesNow }

// TestARunningServerGetsEachNewCertificate runs agent exec as a process of its own, through a rotation, a bad keystore, a
// keystore that is broken in place, and a kill.
func TestARunningServerGetsEachNewCertificate(t *testing.T) {
	first, second, third := issue(t, "wso2am"), issue(t, "wso2am"), issue(t, "wso2am")
	w := newWorld(t, first, "PEERS", "wso2is")
	peer := issue(t, "wso2is").Leaf()
	w.trust(map[string]keystore.Certificate{"wso2is": peer, "wso2am": first.Leaf()})
	s := w.run()
	st := s.says("the server serves", serving)
	want := sorted([]string{peer.Fingerprint().String(), fingerprint(first)})
	if got := sorted(slices.Clone(st.Trusts)); !slices.Equal(got, want) || st.Certificate != fingerprint(first) || !st.Reloads {
		t.Errorf("the start is reported as %+v", st)
	}
	server := string(w.get(w.home, "server"))

	s.rotate(second, "g1")
	st = s.says("the second certificate is placed", func(st notify.Started) bool { return st.Placed != nil })
	if st.Placed.Error != "" || !s.serves(second) {
		t.Fatalf("placed %+v", st.Placed)
	}
	if _, err := s.AskReload(notify.Reload{Generation: "g1", Certificate: fingerprint(second), Served: true}); err != nil {
		t.Fatal(err)
	}
	st = s.says("the server is in step", func(st notify.Started) bool { return st.Generation == "g1" })
	if st.Certificate != fingerprint(first) || !slices.Equal(sorted(slices.Clone(st.Trusts)), want) {
		t.Errorf("what was read at the start has changed: %+v", st)
	}

	// A key that does not fit.
	w.put(w.volume, keystoreFile, mismatched(t))
	if _, err := s.AskReload(notify.Reload{Generation: "g2", Certificate: "x"}); err != nil {
		t.Fatal(err)
	}
	st = s.says("the bad keystore is refused", func(st notify.Started) bool { return st.Placed.Generation == "g2" })
	if !strings.Contains(st.Placed.Error, "belongs to another key") || !s.serves(second) || st.Generation != "g1" {
		t.Errorf("placed %+v", st.Placed)
	}

	// Broken in place.
	if err := os.Truncate(filepath.Join(w.home, keystoreFile), 200); err != nil {
		t.Fatal(err)
	}
	s.until("the keystore is repaired", func() bool { return s.serves(second) })
	if now := string(w.get(w.home, "server")); now != server {
		t.Errorf("the server was restarted\n%s", s.out)
	}

	// A kill while it writes, and a start of the container anew, with the third.
	s.end(syscall.SIGKILL)
	left := filepath.Join(w.home, keystoreFile+".AAAA.tmp")
	if err := errors.Join(os.WriteFile(left, []byte("half"), 0o600), os.Remove(filepath.Join(w.home, "serves"))); err != nil {
		t.Fatal(err)
	}
	w.install(third)
	s = w.run()
	st = s.says("the third certificate is presented", func(st notify.Started) bool { return serving(st) && st.Certificate == fingerprint(third) })
	if !s.serves(third) {
		t.Error("the home has another one")
	}
	s.rotate(first, "g3")
	s.says("the first one is placed", func(st notify.Started) bool {
		return st.Placed != nil && st.Placed.Generation == "g3" && st.Placed.Error == ""
	})
	if _, err := os.Stat(left); !s.serves(first) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the temporary file of the killed process: %v", err)
	}
}
