package notify

import (
	"context"
	"fmt"
)

// Exec restarts the server through the supervisor that runs it, `agent exec`.
type Exec struct{ Control Control }

// Request requests a server that runs with the given generation from the supervisor.
func (e Exec) Request(_ context.Context, generation string) error {
	if _, err := e.Control.Want(generation); err != nil {
		return fmt.Errorf("ask for a restart of the server: %w", err)
	}
	return nil
}

// Hold asks the supervisor not to restart a server that runs with running for the generation on disk.
func (e Exec) Hold(_ context.Context, running, onDisk string) error {
	if _, err := e.Control.Hold(running, onDisk); err != nil {
		return fmt.Errorf("hold the restart of the server: %w", err)
	}
	return nil
}

// Started returns what the supervisor reported about the running server. ok is false while no supervisor has reported.
func (e Exec) Started(context.Context) (s Started, ok bool, err error) { return e.Control.Started() }

// Wish returns what the supervisor was last told: the generation to run with, and the one on disk.
func (e Exec) Wish(context.Context) (running, onDisk string, err error) { return e.Control.Wish() }

// Process names the server's process; another process has another name. pending reports whether the supervisor is about to
// replace that process. Without a supervisor nothing is known and nothing is pending.
func (e Exec) Process(context.Context) (name string, pending bool) {
	s, known, err := e.Control.Started()
	if err != nil || !known {
		return "", false
	}
	due, err := e.Control.Due(s)
	present, presentErr := e.Control.Present()
	return fmt.Sprintf("%d %d %d", s.PID, s.Since.UnixNano(), s.Starts), err == nil && presentErr == nil && present && due
}
