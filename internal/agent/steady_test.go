package agent

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/file"
	"wso2agent/internal/notify"
)

// supervisor makes the place look as if agent exec ran API-M.
func (p *place) supervisor() {
	p.t.Helper()
	unlock, ok, err := file.TryLock(filepath.Join(p.agent(config.AM).control().Dir, "running"))
	if err != nil || !ok {
		p.t.Fatal(ok, err)
	}
	p.t.Cleanup(unlock)
}

// startedAs makes agent exec say this.
func (p *place) startedAs(product string, started notify.Started) {
	p.t.Helper()
	data, err := json.Marshal(started)
	if err != nil {
		p.t.Fatal(err)
	}
	path := filepath.Join(p.agent(product).control().Dir, "started.json")
	if _, err := file.Write(path, data, 0o644, filepath.Dir(path)); err != nil {
		p.t.Fatal(err)
	}
}

func TestWorkWaitsForARestartThatWasAskedForAndForTheServer(t *testing.T) {
	p := newPlace(t)
	p.initBoth()
	p.supervisor()
	a := p.agent(config.AM)
	p.started(config.AM, "old")
	if _, err := a.control().Want("new"); err != nil {
		t.Fatal(err)
	}
	var worked, serves atomic.Bool
	done := make(chan error, 1)
	go func() {
		done <- a.steady(t.Context(), func(context.Context) error {
			if serves.Load() {
				return nil
			}
			return errors.New("connection refused")
		}, func(context.Context) error { worked.Store(true); return nil })
	}()
	p.until("it waits for the restart", func() bool {
		return strings.Contains(p.log.String(), "the restart of wso2am that its agent has asked for")
	})
	p.started(config.AM, "new")
	p.until("it waits for the server", func() bool { return strings.Contains(p.log.String(), "wso2am to serve") })
	if worked.Load() {
		t.Error("worked before the server served")
	}
	serves.Store(true)
	if err := <-done; err != nil || !worked.Load() {
		t.Errorf("%v, worked %v", err, worked.Load())
	}
}

func TestWorkThatFailedBecauseOfARestartIsDoneAgain(t *testing.T) {
	failed := errors.New("connection refused")
	cases := []struct {
		name   string
		during func(p *place)
		tries  int
	}{
		{"the server runs on", func(*place) {}, 1},
		{"agent exec has seen that it serves", func(p *place) { p.startedAs(config.AM, notify.Started{Generation: "old", Serves: notify.ServesNow}) }, 1},
		{"it was restarted", func(p *place) { p.started(config.AM, "old") }, 2},
		{"a restart was asked for", func(p *place) {
			if _, err := p.agent(config.AM).control().Want("new"); err != nil {
				p.t.Error(err)
			}
			time.AfterFunc(200*time.Millisecond, func() { p.started(config.AM, "new") })
		}, 2},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := newPlace(t)
			p.initBoth()
			p.supervisor()
			a := p.agent(config.AM)
			if _, err := a.control().Want("old"); err != nil {
				t.Fatal(err)
			}
			p.startedAs(config.AM, notify.Started{Generation: "old", Serves: notify.ServesNot})
			tries := 0
			err := a.steady(t.Context(), func(context.Context) error { return nil }, func(context.Context) error {
				if tries++; tries == 1 {
					c.during(p)
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

func TestWithoutASupervisorNoRestartIsPending(t *testing.T) {
	p := newPlace(t)
	p.initBoth()
	a := p.agent(config.AM)
	p.started(config.AM, "old")
	if _, err := a.control().Want("new"); err != nil {
		t.Fatal(err)
	}
	if _, pending := a.process(t.Context()); pending {
		t.Error("pending, though nobody could do it")
	}
	p.supervisor()
	if _, pending := a.process(t.Context()); !pending {
		t.Error("not pending")
	}
	p.set(config.AM, func(c *config.Config) { c.Restart = "none" })
	if _, pending := p.agent(config.AM).process(t.Context()); pending {
		t.Error("pending, though RESTART is none")
	}
}

// The server has restarted by itself while its restart was held, and nobody has said anything since.
func TestNoRestartIsPendingForWhatTheServerHasReadAlready(t *testing.T) {
	p := newPlace(t)
	p.initBoth()
	p.supervisor()
	a := p.agent(config.AM)
	if _, err := a.control().Hold("old", "new"); err != nil {
		t.Fatal(err)
	}
	for generation, want := range map[string]bool{"old": false, "new": false, "older": true} {
		p.started(config.AM, generation)
		if _, pending := a.process(t.Context()); pending != want {
			t.Errorf("started with %s: pending is %v", generation, pending)
		}
	}
}

// IS's own agent restarts it for a certificate or a setting, also in the middle of a verification.
func TestWorkThatFailedWithoutISIsDoneAgainOnceItServes(t *testing.T) {
	failed := errors.New("connection refused")
	for name, c := range map[string]struct {
		away  int // looks at which IS does not serve
		tries int
	}{"IS is away": {2, 2}, "IS serves": {0, 1}} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			p.initBoth()
			tries, looks := 0, 0
			err := p.agent(config.AM).whileServing(t.Context(), "IS", func(context.Context) error {
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
			if told := strings.Contains(p.log.String(), "IS to serve"); told != (c.away > 0) {
				t.Errorf("said that it waits for IS: %v", told)
			}
		})
	}
}
