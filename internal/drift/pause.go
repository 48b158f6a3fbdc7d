package drift

import "time"

// pause is the wait after a fix. It doubles until a pass finds nothing to fix: somebody may undo what the agent does, or a server may
// refuse it every time.
type pause struct {
	last  time.Duration
	until time.Time
}

// over reports whether the agent may make this number of changes now.
func (p *pause) over(changes int, now time.Time) bool {
	if changes == 0 {
		*p = pause{}
		return false
	}
	return !now.Before(p.until)
}

// begin begins the pause after a fix.
func (p *pause) begin(every time.Duration, now time.Time) {
	p.last = p.next(every)
	p.until = now.Add(p.last)
}

// next returns the pause after the next fix.
func (p *pause) next(every time.Duration) time.Duration {
	if p.last == 0 {
		return every
	}
	return min(2*p.last, max(every, longestPause))
}
