package telemetry

import "time"

// While does work that may take longer than a loop may be silent, and calls Beat for the named loop meanwhile. Each request of
// such work has its own time-out.
func (h *Health) While(loop string, every time.Duration, work func()) {
	done := make(chan struct{})
	go func() { defer close(done); work() }()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for h.Beat(loop); ; {
		select {
		case <-done:
			return
		case <-tick.C:
			h.Beat(loop)
		}
	}
}
