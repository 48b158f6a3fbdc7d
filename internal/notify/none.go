package notify

import (
	"context"
	"fmt"
	"log/slog"
)

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
