package notify

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"wso2agent/internal/file"
)

// newControl returns the control folder of a config volume that is not empty.
func newControl(t *testing.T) Control {
	t.Helper()
	volume := t.TempDir()
	if err := os.WriteFile(filepath.Join(volume, "seeded"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return Control{Dir: filepath.Join(volume, file.WorkDir)}
}

// say has the supervisor say that it has started the server with a generation.
func say(t *testing.T, c Control, generation string) {
	t.Helper()
	data, err := json.Marshal(Started{Generation: generation, PID: 1, Since: time.Now(), Starts: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write(filepath.Join(c.Dir, startedFile), data, 0o644, c.Dir); err != nil {
		t.Fatal(err)
	}
}

func TestWithoutASupervisorNoRestartIsPending(t *testing.T) {
	c := newControl(t)
	if _, err := c.Want("new"); err != nil {
		t.Fatal(err)
	}
	say(t, c, "old")
	if _, pending := (Exec{c}).Process(t.Context()); pending {
		t.Error("pending, although nobody could do it")
	}
	leave, ok, err := c.enter()
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	defer leave()
	before, pending := (Exec{c}).Process(t.Context())
	if !pending || before == "" {
		t.Errorf("pending is %v for the process %q", pending, before)
	}
	if same, _ := (Exec{c}).Process(t.Context()); same != before {
		t.Errorf("the same process is named %q and %q", before, same)
	}
	say(t, c, "old")
	if other, _ := (Exec{c}).Process(t.Context()); other == before {
		t.Errorf("another process is also named %q", other)
	}
	if _, pending := (None{c, slog.New(slog.DiscardHandler), ""}).Process(t.Context()); pending {
		t.Error("pending, although RESTART is none")
	}
}

// The server has restarted by itself while its restart was held, and nobody has made a statement since.
func TestNoRestartIsPendingForWhatTheServerHasReadAlready(t *testing.T) {
	c := newControl(t)
	if _, err := c.Hold("old", "new"); err != nil {
		t.Fatal(err)
	}
	leave, ok, err := c.enter()
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	defer leave()
	for _, generation := range []string{"old", "new", "older"} {
		say(t, c, generation)
		if _, pending := (Exec{c}).Process(t.Context()); pending {
			t.Errorf("started with %s: a restart is pending", generation)
		}
	}
}

func TestAnInitSeesTheServerThatRunsNextToIt(t *testing.T) {
	c := newControl(t)
	say(t, c, "old")
	if s, err := c.Beside(true); s != nil || err != nil {
		t.Errorf("no supervisor runs: %+v, %v", s, err)
	}
	leave, ok, err := c.enter()
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	defer leave()
	if s, err := c.Beside(true); err != nil || s == nil || s.Generation != "old" {
		t.Errorf("a supervisor runs: %+v, %v", s, err)
	}
	if s, err := c.Beside(false); err != nil || s == nil || !reflect.DeepEqual(*s, Started{}) {
		t.Errorf("nobody tells it what a start reads: %+v, %v", s, err)
	}
}
