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

// Hold keeps a restart for what is on disk off: one that runs with running goes on.
func (e Exec) Hold(_ context.Context, running, onDisk string) error {
	_, err := e.Control.Hold(running, onDisk)
	return err
}

// Started returns the generation with which the running server started, and which of its starts that was; ok is false
// while no supervisor has told.
func (e Exec) Started(context.Context) (s Started, ok bool, err error) { return e.Control.Started() }

// None is the way of those who restart the server themselves.
type None struct {
	Control   Control // where it is noted what people were told
	Log       *slog.Logger
	Container string // to name in the advice
}

// Request tells people that a restart is due, once for each generation, also over restarts of the agent.
func (n None) Request(_ context.Context, generation string) error {
	if told, err := n.Control.Note(generation); err != nil || !told {
		return err
	}
	n.Log.Warn("a restart of the server is due, by hand, since RESTART is none",
		"generation", generation, "remedy", "docker restart "+n.Container)
	return nil
}

// Hold does nothing: nobody was asked.
func (None) Hold(context.Context, string, string) error { return nil }

// Started knows nothing.
func (None) Started(context.Context) (Started, bool, error) { return Started{}, false, nil }
