package rotation

import (
	"slices"
	"testing"
)

// pooled is a world of two servers at rest that have so many certificates in advance.
func pooled(t *testing.T, ahead int) *model {
	t.Helper()
	m := newModel("issue ahead", "issue ahead")
	for _, s := range m.servers {
		s.ahead = ahead
	}
	rest(t, m)
	for i := range m.servers { // after its next start each server trusts all
		m.crash(i)
	}
	rest(t, m)
	for _, s := range m.servers {
		s.starts = 0
	}
	return m
}

func rest(t *testing.T, m *model) {
	t.Helper()
	if err := m.settle(); err != nil {
		t.Fatal(err)
	}
}

// rotate has the servers rotate at once, and returns how often each has restarted for it.
func (m *model) rotate(t *testing.T, servers ...int) (restarts [2]int) {
	t.Helper()
	var before [2]int
	for i, s := range m.servers {
		before[i] = s.starts
	}
	was := map[int]string{}
	for _, i := range servers {
		m.servers[i].asked, was[i] = true, m.servers[i].shows
	}
	rest(t, m)
	for _, i := range servers {
		if s := m.servers[i]; s.shows == was[i] || s.second == was[i] || s.published[0] != s.shows {
			t.Fatalf("%s has not rotated: %s", s.name, m)
		}
	}
	for i, s := range m.servers {
		restarts[i] = s.starts - before[i]
	}
	return restarts
}

func TestRotationsRestartNobodyUntilThePoolIsUsedUp(t *testing.T) {
	m := pooled(t, 3)
	for n := range 3 {
		if got := m.rotate(t, 0, 1); got != [2]int{} {
			t.Errorf("rotation %d of both at once restarts %v", n+1, got)
		}
	}
	if got := m.rotate(t, 0); got != [2]int{1, 1} {
		t.Errorf("after the last successor that everybody trusts, a rotation restarts %v, want each once", got)
	}
	for n := range 3 {
		if got := m.rotate(t, 0); got != [2]int{} {
			t.Errorf("rotation %d after it restarts %v: that restart has not taken the pool along", n+1, got)
		}
	}
}

func TestASpareCertificateMakesNoRestartDue(t *testing.T) {
	m := pooled(t, 1)
	m.servers[0].ahead = 3
	rest(t, m)
	for _, s := range m.servers {
		if s.starts != 0 {
			t.Errorf("%s restarts for certificates that nobody presents yet", s.name)
		}
	}
	spare := m.servers[0].pool[2]
	onDisk := slices.Contains(m.servers[1].owned(m), spare)
	if !onDisk || slices.Contains(m.servers[1].trusts.Fingerprints, spare) {
		t.Errorf("the peer has the spare certificate on disk: %t; acknowledged: %v", onDisk, shorts(m.servers[1].trusts.Fingerprints))
	}
	m.crash(1)
	rest(t, m)
	if !slices.Contains(m.servers[1].trusts.Fingerprints, spare) {
		t.Error("the peer does not acknowledge the spare certificate after its next start")
	}
}

func TestAServerThatDoesNotLoadTheCertificateRestarts(t *testing.T) {
	m := pooled(t, 1)
	m.servers[0].stuck = true
	if got := m.rotate(t, 0); got != [2]int{1, 0} {
		t.Errorf("it restarts %v, want the own server once", got)
	}
}

func TestAfterATheftNoSuccessorIsUsed(t *testing.T) {
	m := pooled(t, 3)
	stolen := slices.Clone(m.servers[0].pool)
	m.servers[0].stolen = true
	if got := m.rotate(t, 0); got != [2]int{1, 1} {
		t.Errorf("it restarts %v, want each once", got)
	}
	s := m.servers[0]
	for _, f := range stolen {
		if s.shows == f || slices.Contains(s.pool, f) || slices.Contains(s.successors, f) || slices.Contains(m.servers[1].owned(m), f) {
			t.Errorf("%s is still in use or trusted on disk", short(f))
		}
	}
	if len(s.pool) != 3 {
		t.Errorf("the new pool has %d certificates", len(s.pool))
	}
}
