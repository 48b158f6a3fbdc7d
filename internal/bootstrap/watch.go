package bootstrap

import (
	"context"
	"log/slog"
	"net/http"
	"time"
)

// doubt is the wait after a look that shows new trouble, before a second look confirms it.
const doubt = 2 * time.Second

// Watch looks at both servers from time to time, and remembers the last look. Only one goroutine uses it.
type Watch struct {
	Log  *slog.Logger
	at   time.Time
	seen Sight
}

// Due reports whether the last look is at least pause ago.
func (w *Watch) Due(pause time.Duration) bool { return w.In(pause) <= 0 }

// In returns how long it takes until the last look is pause ago.
func (w *Watch) In(pause time.Duration) time.Duration { return pause - time.Since(w.at) }

// Look looks at both servers (see [Look]), logs what has changed since the last look, and reports whether the desired state
// must be reached again. made is what the servers could have lost.
func (w *Watch) Look(ctx context.Context, hc *http.Client, s Settings, made Made) (again bool) {
	servers := Connect(hc, s)
	seen := Look(ctx, servers, s, made)
	if seen.Trouble() != nil && w.seen.Trouble() == nil && sleep(ctx, doubt) { // one lost answer is no restart
		seen = Look(ctx, servers, s, made)
	}
	if ctx.Err() != nil {
		return false
	}
	events, again := seen.Since(w.seen)
	for _, e := range events {
		switch {
		case e.Good:
			w.Log.Info(e.Text)
		case e.Err != nil:
			w.Log.Warn(e.Text, "error", e.Err)
		default:
			w.Log.Warn(e.Text)
		}
	}
	w.at, w.seen = time.Now(), seen
	return again
}

// Forget counts an attempt that has just ended as a look without trouble: the attempt has looked more closely.
func (w *Watch) Forget() { w.at, w.seen = time.Now(), Sight{} }

// Trouble returns the trouble that the last look has shown, or nil.
func (w *Watch) Trouble() error { return w.seen.Trouble() }

// sleep reports whether ctx still lasts after d.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
