// Package hook runs programs of the user, or sends requests to services of the user, when something has happened that the audit trail
// has. No work of the agent waits for them.
package hook

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/history"
	"wso2agent/internal/notify"
)

// limit is how long a hook may take.
const limit = 10 * time.Second

// Hooks are those of one agent. Nil is none.
type Hooks struct {
	log    *slog.Logger
	server string
	all    map[string]*hook // by their settings
	failed string           // the last failure
}

// hook is one of the hooks.
type hook struct {
	run     func(context.Context, message, []byte) error
	last    chan message // that it has not begun with: it holds one
	dropped atomic.Int64 // those whose place another one has taken
}

// message is what a hook gets.
type message struct {
	Hook string `json:"hook"` // the setting
	history.Event
	Error string `json:"error,omitempty"` // with ON_FAILURE
}

// The settings of the hooks.
const (
	onCertificate = "ON_CERTIFICATE_CHANGED"
	onRestart     = "ON_RESTART"
	onFailure     = "ON_FAILURE"
)

// Of returns the hooks of the agent next to a server. connect returns a client for services, which verifies their certificates.
// Several goroutines call it.
func Of(settings config.Hooks, server string, connect func() (*http.Client, error), log *slog.Logger) *Hooks {
	h := &Hooks{log: log, server: server, all: map[string]*hook{}}
	for setting, value := range map[string]string{onCertificate: settings.Certificate, onRestart: settings.Restart, onFailure: settings.Failure} {
		if value == "" {
			continue
		}
		program := notify.Command{Line: value, Limit: limit}
		run := func(ctx context.Context, m message, body []byte) error {
			return program.Run(ctx, "HOOK="+setting, "HOOK_WHAT="+string(m.What), "HOOK_JSON="+string(body))
		}
		if strings.HasPrefix(value, "https://") {
			service := notify.Webhook{URL: value, Secret: settings.Secret, Setting: setting, SecretSetting: "HOOK_SECRET", Connect: connect, Log: log}
			run = func(ctx context.Context, _ message, body []byte) error {
				_, err := service.Send(ctx, body)
				return err
			}
		}
		h.all[setting] = &hook{run: run, last: make(chan message, 1)}
	}
	return h
}

// Run runs the hooks until ctx ends.
func (h *Hooks) Run(ctx context.Context) {
	var loops sync.WaitGroup
	for setting, k := range h.all {
		loops.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case m := <-k.last:
					h.one(ctx, setting, k, m)
				}
			}
		})
	}
	loops.Wait()
}

// one runs a hook once.
func (h *Hooks) one(ctx context.Context, setting string, k *hook, m message) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	body, err := json.Marshal(m)
	if err == nil {
		err = k.run(ctx, m, body)
	}
	if err != nil {
		h.log.Warn("a hook has failed; the other work goes on", "hook", setting, "error", err)
	}
	if n := k.dropped.Swap(0); n > 0 {
		h.log.Debug("a hook gets only the last of the events that came meanwhile", "hook", setting, "left out", n)
	}
}

// tell makes a message the next one of a hook, in place of one that the hook has not begun with. Only one goroutine may call it.
func (h *Hooks) tell(setting string, m message) {
	k, set := h.all[setting]
	if !set {
		return
	}
	m.Hook, m.Certificate = setting, "" // the certificate is for agent undo, and long
	select {
	case <-k.last:
		k.dropped.Add(1)
	default:
	}
	k.last <- m
}

// Events tells the hooks of events of the trail.
func (h *Hooks) Events(events []history.Event) {
	if h == nil {
		return
	}
	for i := range events {
		switch e := &events[i]; e.What {
		case history.Switched, history.Loads, history.Replaced, history.Trusted:
			h.tell(onCertificate, message{Event: *e})
		case history.Runs:
			h.tell(onRestart, message{Event: *e})
		}
	}
}

// Failed tells a hook of the error with which a pass has ended, once until another one follows or a pass ends without one.
func (h *Hooks) Failed(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if h == nil || text == h.failed {
		return
	}
	if h.failed = text; err != nil {
		h.tell(onFailure, message{Event: history.Event{At: time.Now().UTC(), Server: h.server, What: "failed"}, Error: text})
	}
}

// Trail is the audit trail, of whose events the hooks get to know.
type Trail struct {
	history.Trail
	Hooks *Hooks
}

// Append adds events to the trail, also if a hook is slow or fails.
func (t Trail) Append(events ...history.Event) error {
	t.Hooks.Events(events)
	return t.Trail.Append(events...)
}
