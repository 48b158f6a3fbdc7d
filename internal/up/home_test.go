package up

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/config"
)

// unpacked returns a home of IS in which a server seems to run, and what is said.
func unpacked(t *testing.T) (*home, *strings.Builder) {
	t.Helper()
	cfg, err := config.Load()
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	h := &home{target: Target{Product: config.IS}, dir: filepath.Join(t.TempDir(), "is"), cfg: cfg.For(config.IS), say: func(format string, args ...any) { fmt.Fprintf(&said, format+"\n", args...) }}
	unpack(t, h.dir, "is")
	write(t, h, "wso2carbon.pid", "4711\n\x00\x00\x00")
	return h, &said
}

func write(t *testing.T, h *home, name, text string) {
	t.Helper()
	path := filepath.Join(h.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestAHomeIsThatOfAServerThatHasRun(t *testing.T) {
	h, _ := unpacked(t)
	f, err := h.read(t.Context())
	if err != nil || !strings.HasPrefix(f.Start, "4711 of 2") || len(f.Entries) == 0 {
		t.Fatalf("%q, %v", f.Start, err)
	}
	for name, c := range map[string]struct {
		change func(h *home)
		want   string
	}{
		"no server has run": {func(h *home) { os.Remove(filepath.Join(h.dir, "wso2carbon.pid")) }, "start the server, or correct --is-home"},
		"no home":           {func(h *home) { h.dir = t.TempDir() }, "correct --is-home"},
		"a broken setting":  {func(h *home) { write(t, h, settingsPath, "[server") }, "the server would refuse"},
		"another password":  {func(h *home) { write(t, h, settingsPath, "[truststore]\npassword = \"another\"\n") }, "TRUSTSTORE_PASS"},
	} {
		h, _ := unpacked(t)
		c.change(h)
		if _, err := h.read(t.Context()); !errors.Is(err, ErrPermanent) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestAServerInAHomeGetsNoSecretOfTheAgent: its environment is for everybody to read who runs as its user, as long as it runs.
func TestAServerInAHomeGetsNoSecretOfTheAgent(t *testing.T) {
	t.Setenv("IS_ADMIN_PASS", "of-the-agent")
	t.Setenv("AM_ADMIN_PASS", "of-the-server")
	t.Setenv("JAVA_OPTS", "-Xmx1g")
	h, _ := unpacked(t)
	write(t, h, settingsPath, "[super_admin]\nusername = \"admin\"\npassword = \"$env{AM_ADMIN_PASS}\"\n")
	write(t, h, "bin/wso2server.sh", "env > "+h.dir+"/got; echo 4712 > "+h.dir+"/wso2carbon.pid\n")
	h.restarts = true
	if err := h.restart(t.Context(), Files{}); err != nil {
		t.Fatal(err)
	}
	got := string(read(t, filepath.Join(h.dir, "got")))
	if strings.Contains(got, "of-the-agent") || !strings.Contains(got, "AM_ADMIN_PASS=of-the-server\n") || !strings.Contains(got, "JAVA_OPTS=-Xmx1g\n") {
		t.Errorf("IS_ADMIN_PASS there: %t\n", strings.Contains(got, "IS_ADMIN_PASS"))
	}
}

func TestAServerInAHomeIsRestartedByItsScriptOrByAPerson(t *testing.T) {
	h, said := unpacked(t)
	f, err := h.read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stopped, cancel := context.WithTimeoutCause(t.Context(), time.Nanosecond, errors.New("the time is up"))
	defer cancel()
	if err := h.restart(stopped, f); err == nil || !strings.Contains(err.Error(), "the time is up") {
		t.Errorf("nobody restarts it: %v", err)
	}
	if !strings.Contains(said.String(), "restart it now, for example with: sh "+h.dir+"/bin/wso2server.sh restart") {
		t.Error(said)
	}
	h.restarts = true
	if err := h.restart(t.Context(), f); err == nil || !strings.Contains(err.Error(), "restart it by hand") {
		t.Errorf("no script: %v", err)
	}
	write(t, h, "bin/wso2server.sh", "echo \"$1\" >> "+h.dir+"/asked; echo 4712 > "+h.dir+"/wso2carbon.pid\n")
	if err := h.restart(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	if asked, err := os.ReadFile(filepath.Join(h.dir, "asked")); err != nil || string(asked) != "restart\n" {
		t.Errorf("%q, %v", asked, err)
	}
	if startScript(config.AM) != "api-manager.sh" {
		t.Error("API-M has another script")
	}
}

// TestAHomeOfTheOtherProductIsRefused, before anything in it is changed.
func TestAHomeOfTheOtherProductIsRefused(t *testing.T) {
	h, _ := unpacked(t)
	write(t, h, "bin/api-manager.sh", "")
	if _, err := h.read(t.Context()); !errors.Is(err, ErrPermanent) || !strings.Contains(err.Error(), "it is a home of API-M") {
		t.Errorf("a home of API-M is taken for one of IS: %v", err)
	}
	write(t, h, "bin/wso2server.sh", "")
	if _, err := h.read(t.Context()); err != nil {
		t.Errorf("with the script of IS: %v", err)
	}
}
