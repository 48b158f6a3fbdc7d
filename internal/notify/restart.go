package notify

import (
	"context"
	"fmt"
	"log/slog"
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

// None is for people who restart the server themselves. It only logs that a restart is due.
type None struct {
	Control   Control // records the generation that was logged last
	Log       *slog.Logger
	Container string // the name of the server's container, for the advice
}

// Request logs that a restart is due, once for each generation, also if the agent itself restarts.
func (n None) Request(_ context.Context, generation string) error {
	isNew, err := n.Control.Note(generation)
	if err != nil {
		return fmt.Errorf("ask for a restart of the server: %w", err)
	}
	if !isNew {
		return nil
	}
	n.Log.Warn("the server needs a restart by hand, because RESTART is none",
		"generation", generation, "remedy", "docker restart "+n.Container)
	return nil
}

// Hold does nothing, because None restarts no server.
func (None) Hold(context.Context, string, string) error { return nil }

// Started returns ok false, because None cannot know.
func (None) Started(context.Context) (Started, bool, error) { return Started{}, false, nil }

// Wish is empty: nobody was asked.
func (None) Wish(context.Context) (running, onDisk string, err error) { return "", "", nil }

// Process knows nothing, and nothing is pending.
func (None) Process(context.Context) (name string, pending bool) { return "", false }
