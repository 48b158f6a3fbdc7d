package rotation

import (
	"slices"
	"testing"
	"time"

	"wso2agent/internal/trust"
)

// imported are the changes that are imported of a peer that has another certificate at each of the given times, and the
// longest that any of them waited. A change that comes while another waits takes its place.
func imported(p Pace, changes []time.Time, end time.Time) (imports []time.Time, longest time.Duration) {
	for i, change := range changes {
		until := end
		if i+1 < len(changes) {
			until = changes[i+1]
		}
		at, _ := p.Next(imports, change)
		if at.Before(change) {
			at = change
		}
		if at.Before(until) || i+1 == len(changes) && !at.After(until) {
			imports = append(imports, at)
			longest = max(longest, at.Sub(change))
		}
	}
	return imports, longest
}

func every(step time.Duration, n int) (times []time.Time) {
	for i := range n {
		times = append(times, t0.Add(time.Duration(i)*step))
	}
	return times
}

var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func TestAPeerThatChangesAllTheTimeIsImportedLessAndLessOften(t *testing.T) {
	p := PaceOf(5, 10*time.Minute)
	changes := every(time.Second, 6*3600)
	got, _ := imported(p, changes, t0.Add(6*time.Hour))
	var minutes []int
	for _, at := range got {
		minutes = append(minutes, int(at.Sub(t0).Round(time.Minute)/time.Minute))
	}
	if want := []int{0, 0, 0, 4, 12, 28, 60, 120, 180, 240, 300}; !slices.Equal(minutes, want) {
		t.Errorf("imported after %v minutes, want %v", minutes, want)
	}
}

func TestHonestRotationsNeverWait(t *testing.T) {
	p := PaceOf(5, 10*time.Minute)
	for name, changes := range map[string][]time.Time{
		"two in ten minutes, all day":       every(5*time.Minute, 288),
		"three at once":                     every(time.Second, 3),
		"two at once, and so each half day": append(every(time.Second, 2), t0.Add(12*time.Hour), t0.Add(12*time.Hour+time.Second)),
	} {
		if got, longest := imported(p, changes, t0.Add(48*time.Hour)); len(got) != len(changes) || longest != 0 {
			t.Errorf("%s: %d of %d imported, one waited %s", name, len(got), len(changes), longest)
		}
	}
}

func TestQuietMakesUpForChanges(t *testing.T) {
	p := PaceOf(5, 10*time.Minute)
	storm, _ := imported(p, every(time.Second, 7200), t0.Add(2*time.Hour))
	at, calm := p.Next(storm, t0.Add(2*time.Hour))
	if !at.After(t0.Add(2*time.Hour)) || !calm.After(at) {
		t.Fatalf("in a storm the next is imported at %s, and all is calm at %s", at, calm)
	}
	if at, _ := p.Next(append(slices.Clone(storm), calm), calm); !at.IsZero() {
		t.Errorf("after a quiet time one more change makes the next wait until %s", at)
	}
	if at, _ := p.Next(every(time.Second, 10), t0.Add(-time.Hour)); !at.IsZero() {
		t.Errorf("changes in the future, of a clock that was put back, make it wait until %s", at)
	}
}

func TestThePaceFollowsTheBudgetOfRestarts(t *testing.T) {
	for _, test := range []struct {
		restarts int
		window   time.Duration
		want     Pace
	}{
		{5, 10 * time.Minute, Pace{3, 4 * time.Minute, time.Hour}},
		{1, time.Minute, Pace{2, 2 * time.Minute, 6 * time.Minute}},
		{1000000, time.Nanosecond, Pace{500000, time.Millisecond, 6 * time.Nanosecond}},
	} {
		if got := PaceOf(test.restarts, test.window); got != test.want {
			t.Errorf("PaceOf(%d, %s) = %+v, want %+v", test.restarts, test.window, got, test.want)
		}
	}
}

func TestChangesAreRememberedForAsLongAsTheyCount(t *testing.T) {
	p := PaceOf(5, 10*time.Minute)
	a, b, c := modelCertificate("AA:AA"), modelCertificate("BB:BB"), modelCertificate("CC:CC")
	var h trust.History
	for _, step := range []struct {
		what     string
		certs    []Certificate
		restarts bool
		at       time.Duration
		changes  int
	}{
		{"no server runs", []Certificate{a}, false, 0, 0},
		{"the same next to a running one", []Certificate{a}, true, time.Minute, 0},
		{"another is announced", []Certificate{a, b}, true, 2 * time.Minute, 1},
		{"a pass that was repeated", []Certificate{a, b}, true, 2 * time.Minute, 1},
		{"the switch", []Certificate{b, a}, true, 3 * time.Minute, 1},
		{"the old one goes", []Certificate{b}, true, 4 * time.Minute, 1},
		{"one more", []Certificate{c}, true, 5 * time.Minute, 2},
		{"one that was there before", []Certificate{b}, true, 6 * time.Minute, 3},
		{"one more, put first", []Certificate{c, b}, true, 7 * time.Minute, 4},
		{"it goes again", []Certificate{b}, true, 8 * time.Minute, 4},
		{"long after", []Certificate{b}, true, 2 * time.Hour, 0},
	} {
		if h = withChange(h, step.certs, func(Certificate) bool { return step.restarts }, t0.Add(step.at), p); len(h.Changes) != step.changes || !slices.Equal(h.Known, fingerprints(step.certs)) {
			t.Errorf("%s: %+v, want %d changes", step.what, h, step.changes)
		}
	}
}

func TestOnlyTheLastThousandChangesAreRemembered(t *testing.T) {
	slow := Pace{Free: 2, Each: 1000 * time.Hour, Last: 1000 * time.Hour}
	h := trust.History{Changes: every(time.Second, maxChanges)}
	now := t0.Add(maxChanges * time.Second)
	got := withChange(h, []Certificate{{Fingerprint: "AA"}}, func(Certificate) bool { return true }, now, slow).Changes
	if len(got) != maxChanges || !got[0].Equal(t0.Add(time.Second)) || !got[maxChanges-1].Equal(now) {
		t.Errorf("%d changes from %s to %s", len(got), got[0], got[len(got)-1])
	}
}
