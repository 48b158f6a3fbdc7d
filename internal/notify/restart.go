package notify

import (
	"context"
	"log/slog"
)

// Exec restarts the server through the supervisor that runs it, `agent exec`.
type Exec struct{ Control Control }

// Request asks the supervisor for a server that runs with the given generation.
func (e Exec) Request(_ context.Context, generation string) error {
	_, err := e.Control.Want(generation)
	return err
}

// Started returns the generation with which the running server started, and which of its starts that was; ok is false
// while no supervisor has told.
func (e Exec) Started(context.Context) (s Started, ok bool, err error) { return e.Control.Started() }

// None is the way of those who restart the server themselves.
type None struct {
	Log       *slog.Logger
	Container string // to name in the advice
}

// Request tells people that a restart is due.
func (n None) Request(_ context.Context, generation string) error {
	n.Log.Warn("a restart of the server is due, by hand, since RESTART is none",
		"generation", generation, "remedy", "docker restart "+n.Container)
	return nil
}

// Started knows nothing.
func (None) Started(context.Context) (Started, bool, error) { return Started{}, false, nil }
