package notify

import "time"

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
