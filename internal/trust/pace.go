package trust

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"wso2agent/internal/file"
)

// Pace says how fast a peer's certificate may change. Each change restarts the running server, and a peer that changes its own
// all the time must not keep it down, nor use up the restarts that other peers' changes need.
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

// Changes are the times at which certificates of peers were imported that the running server did not trust, by the peer's
// name, the newest last.
type Changes map[string][]time.Time

// changesFile is where they are kept, and maxChanges how many of each peer.
const (
	changesFile = "changes.json"
	maxChanges  = 1000
)

// LoadChanges reads what is known of the peers' changes in workDir. What cannot be read counts as nothing: the next change
// is then imported at once.
func LoadChanges(workDir string) Changes {
	changes := Changes{}
	data, err := file.Read(filepath.Join(workDir, changesFile), chainLimit)
	if err != nil || json.Unmarshal(data, &changes) != nil {
		return Changes{}
	}
	return changes
}

// Note remembers in workDir that a certificate of each of the named peers was imported now.
func (c Changes) Note(names []string, now time.Time, p Pace, workDir string) error {
	for _, name := range names {
		earlier := slices.DeleteFunc(c[name], now.Before)
		if _, calm := p.Next(earlier, now); now.After(calm) {
			earlier = nil
		}
		times := append(earlier, now.UTC().Truncate(time.Millisecond))
		c[name] = times[max(0, len(times)-maxChanges):]
	}
	data, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if _, err := file.Write(filepath.Join(workDir, changesFile), append(data, '\n'), 0o600, workDir); err != nil {
		return fmt.Errorf("remember when certificates of peers changed: %w", err)
	}
	return nil
}
