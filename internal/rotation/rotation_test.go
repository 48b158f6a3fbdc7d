package rotation

import (
	"strings"
	"testing"
	"time"

	"wso2agent/internal/trust"
)

func TestARotationAnnouncesSwitchesAndRetires(t *testing.T) {
	const grace = 10 * time.Minute
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	old, next, third := Certificate{Fingerprint: "old"}, Certificate{Fingerprint: "next"}, Certificate{Fingerprint: "third"}
	var r trust.Rotation
	var published []Certificate
	step := func(what string, inUse, onDisk Certificate, after time.Duration, want string) {
		t.Helper()
		now = now.Add(after)
		r, published = nextRecord(r, inUse, onDisk, published, presentsNone, now, grace)
		if got := strings.Join(fingerprints(published), " "); got != want {
			t.Fatalf("%s: published %s, want %s", what, got, want)
		}
	}
	step("nothing is under way", old, old, 0, "old")
	step("a new one appears", old, next, time.Second, "old next")
	announced := r.Since
	step("it waits", old, next, time.Minute, "old next")
	if r.Since != announced {
		t.Errorf("the waiting began anew at %v", r.Since)
	}
	step("the server has switched", next, next, time.Second, "next old")
	if r.Announced != "" || !retires(r, grace, now).Equal(now.Add(grace)) {
		t.Errorf("after the switch: %+v, next change %v", r, retires(r, grace, now))
	}
	step("the old one is on its way out", next, next, 9*time.Minute, "next old")
	step("a third appears meanwhile", next, third, time.Second, "next third old")
	step("the old one is gone, the third still waits", next, third, time.Minute, "next third")
	step("switched again", third, third, time.Second, "third next")
	step("all is over", third, third, grace, "third")
	if len(r.Retired) != 0 || !retires(r, grace, now).IsZero() {
		t.Errorf("at the end: %+v", r)
	}
	step("an announced one", third, next, time.Second, "third next")
	step("is taken back before the switch", third, third, time.Second, "third next")
	step("and goes by the clock as well", third, third, grace, "third")
}

func TestAClockThatWasPutBackMakesNothingWaitForEver(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	old, next := Certificate{Fingerprint: "old"}, Certificate{Fingerprint: "next"}
	later := now.Add(1000 * time.Hour)
	r := trust.Rotation{Announced: next.Fingerprint, Since: later}
	if got, _ := nextRecord(r, old, next, nil, presentsNone, now, time.Minute); !got.Since.Equal(now) {
		t.Errorf("announced since %v", got.Since)
	}
	r = trust.Rotation{Retired: map[string]time.Time{old.Fingerprint: later}}
	if got, _ := nextRecord(r, next, next, []Certificate{next, old}, presentsNone, now, time.Minute); !got.Retired[old.Fingerprint].Equal(now) {
		t.Errorf("retired: %+v", got)
	}
}

func TestASwitchWaitsForPeersUntilTheOldCertificateEnds(t *testing.T) {
	since := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	r := trust.Rotation{Since: since}
	for name, c := range map[string]struct {
		notAfter time.Time
		want     time.Time
	}{
		"far from its end":    {since.Add(time.Hour), since.Add(10 * time.Minute)},
		"about to end":        {since.Add(5 * time.Minute), since.Add(4 * time.Minute)},
		"expired already":     {since.Add(-time.Hour), since.Add(10 * time.Minute)},
		"ends in this minute": {since.Add(30 * time.Second), since.Add(10 * time.Minute)},
	} {
		if got := deadline(r, Certificate{"x", since.AddDate(-1, 0, 0), c.notAfter}, 10*time.Minute); !got.Equal(c.want) {
			t.Errorf("%s: waits until %v, want %v", name, got, c.want)
		}
	}
}

// presentsNone is for a server that presents the certificate in use.
func presentsNone(Certificate) bool { return false }
