package verify

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"wso2agent/internal/file"
	"wso2agent/internal/notify"
	"wso2agent/internal/testenv"
)

// supervised imitates a server under agent exec, by the files of the control folder.
type supervised struct {
	t       *testing.T
	control notify.Control
	log     testenv.Buffer
}

func newSupervised(t *testing.T) *supervised {
	t.Helper()
	volume := t.TempDir()
	if err := os.WriteFile(filepath.Join(volume, "seeded"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := &supervised{t: t, control: notify.Control{Dir: filepath.Join(volume, file.WorkDir)}}
	unlock, ok, err := file.TryLock(filepath.Join(s.control.Dir, "running"))
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	t.Cleanup(unlock)
	return s
}

// started writes the statement of agent exec.
func (s *supervised) started(started notify.Started) {
	s.t.Helper()
	data, err := json.Marshal(started)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := file.Write(filepath.Join(s.control.Dir, "started.json"), data, 0o644, s.control.Dir); err != nil {
		s.t.Fatal(err)
	}
}

// start writes the statement of agent exec that it has just started the server.
func (s *supervised) start(generation string) {
	s.started(notify.Started{Generation: generation, PID: 1, Since: time.Now(), Starts: 1})
}

func (s *supervised) want(generation string) {
	s.t.Helper()
	if _, err := s.control.Want(generation); err != nil {
		s.t.Error(err)
	}
}

func (s *supervised) verifier() *Verifier {
	return &Verifier{Log: slog.New(slog.NewTextHandler(&s.log, nil)), Server: "wso2am", Process: notify.Exec{Control: s.control}.Process, Poll: 20 * time.Millisecond}
}

// until waits for the work of another goroutine.
func (s *supervised) until(what string, holds func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("not within 30 s: %s\n%s", what, s.log.String())
		}
	}
}

func TestWorkWaitsForARequestedRestartAndForTheServer(t *testing.T) {
	s := newSupervised(t)
	s.start("old")
	s.want("new")
	var worked, serves atomic.Bool
	done := make(chan error, 1)
	go func() {
		done <- s.verifier().own(t.Context(), func(context.Context) error {
			if serves.Load() {
				return nil
			}
			return errors.New("connection refused")
		}, func(context.Context) error { worked.Store(true); return nil })
	}()
	s.until("it waits for the restart", func() bool {
		return strings.Contains(s.log.String(), "the restart of wso2am that its agent has requested")
	})
	s.start("new")
	s.until("it waits for the server", func() bool { return strings.Contains(s.log.String(), "wso2am to serve") })
	if worked.Load() {
		t.Error("worked before the server served")
	}
	serves.Store(true)
	if err := <-done; err != nil || !worked.Load() {
		t.Errorf("%v, worked %v", err, worked.Load())
	}
}

func TestWorkThatFailsBecauseOfARestartIsRepeated(t *testing.T) {
	failed := errors.New("connection refused")
	cases := []struct {
		name   string
		during func(s *supervised)
		tries  int
	}{
		{"the server keeps running", func(*supervised) {}, 1},
		{"agent exec has seen that it serves", func(s *supervised) { s.started(notify.Started{Generation: "old", Serves: notify.ServesNow}) }, 1},
		{"it was restarted", func(s *supervised) { s.start("old") }, 2},
		{"a restart was requested", func(s *supervised) {
			s.want("new")
			time.AfterFunc(200*time.Millisecond, func() { s.start("new") })
		}, 2},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := newSupervised(t)
			s.want("old")
			s.started(notify.Started{Generation: "old", Serves: notify.ServesNot})
			tries := 0
			err := s.verifier().own(t.Context(), func(context.Context) error { return nil }, func(context.Context) error {
				if tries++; tries == 1 {
					c.during(s)
					return failed
				}
				return nil
			})
			if tries != c.tries || (err == nil) != (c.tries == 2) || err != nil && !errors.Is(err, failed) {
				t.Errorf("%d tries, %v", tries, err)
			}
		})
	}
}

// IS's own agent restarts IS for a certificate or a setting, also in the middle of a verification.
func TestWorkThatFailsWithoutISIsRepeatedOnceISServes(t *testing.T) {
	failed := errors.New("connection refused")
	for name, c := range map[string]struct {
		away  int // looks at which IS does not serve
		tries int
	}{"IS is away": {2, 2}, "IS serves": {0, 1}} {
		t.Run(name, func(t *testing.T) {
			s := newSupervised(t)
			tries, looks := 0, 0
			err := s.verifier().other(t.Context(), "IS", func(context.Context) error {
				if looks++; looks <= c.away {
					return failed
				}
				return nil
			}, func(context.Context) error {
				if tries++; tries == 1 {
					return failed
				}
				return nil
			})
			if tries != c.tries || (err == nil) != (c.tries == 2) {
				t.Errorf("%d tries, %v", tries, err)
			}
			if logged := strings.Contains(s.log.String(), "IS to serve"); logged != (c.away > 0) {
				t.Errorf("logged that it waits for IS: %v", logged)
			}
		})
	}
}
