package rotation

import (
	"maps"
	"slices"
	"time"

	"wso2agent/internal/trust"
)

// Pace says how fast a peer's certificate may change. Each change that the running server does not trust yet restarts it. A
// peer that changes its own all the time must not keep it down, nor use up the restarts that other peers' changes need.
type Pace struct {
	Free int           // changes in a row that are imported at once
	Each time.Duration // what gives a peer one of them back, and how long the first one beyond them waits; the next wait is twice as long
	Last time.Duration // the longest wait
}

// PaceOf is the pace for servers that restart at most restarts times within window: one peer may use half of that. By default
// three changes in a row are free, then a change waits 4, 8, 16, 32 and 60 minutes after the one before, and two changes in
// ten minutes never wait.
func PaceOf(restarts int, window time.Duration) Pace {
	return Pace{Free: max(2, (restarts+1)/2), Each: max(2*window/time.Duration(restarts), time.Millisecond), Last: 6 * window}
}

// Next is when the next change of a peer is imported whose earlier ones were imported at the given times, the newest last;
// zero for at once. From calm on the peer counts as one that has never changed. Times after now, as before the clock was
// put back, do not count.
func (p Pace) Next(changes []time.Time, now time.Time) (at, calm time.Time) {
	var last time.Time
	var wait time.Duration
	count := 0
	for _, change := range changes {
		if change.After(now) {
			continue
		}
		if rest := change.Sub(last) - wait; count > 0 && rest > 0 {
			count = max(0, count-int(rest/p.Each))
		}
		count++
		last, wait = change, p.wait(count)
	}
	if wait > 0 {
		at = last.Add(wait)
	}
	return at, last.Add(wait + time.Duration(count)*p.Each)
}

// wait is how long the next change waits after count in a row.
func (p Pace) wait(count int) time.Duration {
	if count < p.Free {
		return 0
	}
	wait := p.Each
	for range count - p.Free {
		if wait *= 2; wait >= p.Last {
			return p.Last
		}
	}
	return wait
}

// maxChanges is how many changes of each peer are remembered.
const maxChanges = 1000

// withChange is the history of a peer's certificates after the import of certs. costs reports whether a server runs that has to
// restart for a new one.
func withChange(h trust.History, certs []Certificate, costs func(Certificate) bool, now time.Time, p Pace) trust.History {
	var known []string
	fresh := false
	for _, c := range certs {
		fresh = fresh || !slices.Contains(h.Known, c.Fingerprint) && costs(c)
		known = append(known, c.Fingerprint)
	}
	after := trust.History{Known: known, Changes: slices.DeleteFunc(slices.Clone(h.Changes), now.Before)}
	if _, calm := p.Next(after.Changes, now); now.After(calm) {
		after.Changes = nil
	}
	if fresh {
		after.Changes = append(after.Changes, now.UTC().Truncate(time.Millisecond))
		after.Changes = after.Changes[max(0, len(after.Changes)-maxChanges):]
	}
	return after
}

func sameHistories(a, b trust.Histories) bool {
	return maps.EqualFunc(a, b, func(a, b trust.History) bool {
		return slices.Equal(a.Known, b.Known) && slices.EqualFunc(a.Changes, b.Changes, time.Time.Equal)
	})
}
