package up

import (
	"context"
	"log/slog"
	"slices"
	"sync"
)

// Remaining is a warning of a run that a person can still do something about.
type Remaining struct {
	What   string `json:"what"`
	Remedy string `json:"remedy"`
}

// Warnings collects the warnings of a log that have a remedy. A warning without one says what the run copes with itself, such as a server
// that does not answer yet.
type Warnings struct {
	slog.Handler
	kept *keptWarnings
}

type keptWarnings struct {
	mu  sync.Mutex
	all []keptWarning
}

type keptWarning struct {
	Remaining
	check string // the check that has warned; empty for none
}

// NewWarnings returns a handler that passes everything on to h.
func NewWarnings(h slog.Handler) Warnings { return Warnings{h, &keptWarnings{}} }

// Remaining returns the warnings, each remedy once.
func (w Warnings) Remaining() []Remaining {
	w.kept.mu.Lock()
	defer w.kept.mu.Unlock()
	all := []Remaining{}
	for _, k := range w.kept.all {
		if !slices.ContainsFunc(all, func(r Remaining) bool { return r.Remedy == k.Remedy }) {
			all = append(all, k.Remaining)
		}
	}
	return all
}

// Enabled is that of [slog.Handler]: a warning counts also if the log leaves it out.
func (w Warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn || w.Handler.Enabled(ctx, level)
}

// Handle is that of [slog.Handler].
func (w Warnings) Handle(ctx context.Context, r slog.Record) error {
	w.kept.add(r)
	if !w.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	return w.Handler.Handle(ctx, r)
}

// WithAttrs is that of [slog.Handler].
func (w Warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return Warnings{w.Handler.WithAttrs(attrs), w.kept}
}

// WithGroup is that of [slog.Handler].
func (w Warnings) WithGroup(name string) slog.Handler {
	return Warnings{w.Handler.WithGroup(name), w.kept}
}

// add keeps a warning that has a remedy. What a check has said before no longer counts.
func (k *keptWarnings) add(r slog.Record) {
	texts := map[string]string{}
	r.Attrs(func(a slog.Attr) bool {
		texts[a.Key] = a.Value.String()
		return true
	})
	k.mu.Lock()
	defer k.mu.Unlock()
	check := texts["check"]
	if check != "" {
		k.all = slices.DeleteFunc(k.all, func(w keptWarning) bool { return w.check == check })
	}
	if r.Level < slog.LevelWarn || texts["remedy"] == "" {
		return
	}
	what := r.Message
	if check != "" {
		what = check
	}
	for _, reason := range []string{"evidence", "error", "why"} {
		if texts[reason] != "" {
			what += ": " + texts[reason]
			break
		}
	}
	k.all = append(k.all, keptWarning{Remaining{what, texts["remedy"]}, check})
}
