package file

import (
	"context"
	"time"
)

// Wait is a wait for a reason to look again. Only Every is needed.
type Wait struct {
	Changes <-chan struct{}  // each ends the wait, and so does the close of the channel
	Again   <-chan time.Time // ends the wait
	Every   time.Duration    // after which Beat is called and Due is asked, again and again
	Beat    func()           // shows that the waiting process lives
	Due     func() bool      // reports whether the clock alone ends the wait
}

// For waits. It returns false if ctx has ended.
func (w Wait) For(ctx context.Context) bool {
	tick := time.NewTicker(w.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-w.Changes:
			return ctx.Err() == nil
		case <-w.Again:
			return true
		case <-tick.C:
			if w.Beat != nil {
				w.Beat()
			}
			if w.Due != nil && w.Due() {
				return true
			}
		}
	}
}
