package artifact

import (
	"log/slog"
	"time"
)

// lastRetry is the longest wait between two calls of [Keeper.Retry].
const lastRetry = time.Hour

// Retries knows the wait until the next call of [Keeper.Retry], and logs each reason for a failure once.
type Retries struct {
	First time.Duration // the first wait; each later one is twice as long, up to one hour
	Log   *slog.Logger

	next time.Duration
	told map[string]string // the last reason, by the artifact's destination; of Retry itself by ""
}

// After notes the results of a call. It returns the wait before the next call; 0 if only a change
// calls for one.
func (r *Retries) After(failed []Outcome, err error) (wait time.Duration) {
	if r.told == nil {
		r.next, r.told = r.First, map[string]string{}
	}
	if err != nil && r.told[""] != err.Error() {
		r.Log.Error("the agent cannot look after artifacts, trying again", "error", err)
		r.told[""] = err.Error()
	}
	for _, o := range failed {
		if reason := o.Err.Error(); r.told[o.Destination] != reason {
			r.told[o.Destination] = reason
			o.Log(r.Log)
			r.Log.Info("the agent goes on trying to fetch it, and then restarts the server", "artifact", o.Destination, "longest wait", lastRetry.String())
		}
	}
	wait = r.next
	r.next = min(2*wait, lastRetry)
	if err == nil && len(failed) == 0 {
		return 0
	}
	return wait
}
