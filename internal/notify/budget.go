package notify

import (
	"fmt"
	"time"

	"wso2agent/internal/remedy"
)

// budget limits the restarts to max in any window.
type budget struct {
	max    int
	window time.Duration
	taken  []time.Time
}

// take takes one restart from the budget and returns zero. If the budget is used up, it returns the time until the next
// restart may happen.
func (b *budget) take(now time.Time) (wait time.Duration) {
	for len(b.taken) > 0 && now.Sub(b.taken[0]) >= b.window {
		b.taken = b.taken[1:]
	}
	if len(b.taken) >= b.max {
		return b.window - now.Sub(b.taken[0])
	}
	b.taken = append(b.taken, now)
	return 0
}

// usedUp is the error of a restart that waits until next.
func (b *budget) usedUp(next time.Time) error {
	return remedy.Add(fmt.Errorf("restart held: the server has restarted %d times within %s (MAX_RESTARTS, RESTART_WINDOW)", b.max, b.window),
		"find out what changes so often; the next restart follows at %s", next.UTC().Format(time.RFC3339))
}
