package testenv

import "testing"

// WithoutRace skips a test that counts allocations or time, since the race detector takes some of its own. CI runs these tests
// a second time without it: make test-allocations.
func WithoutRace(t testing.TB) {
	t.Helper()
	if raceDetector {
		t.Skip("counts allocations or time, and the race detector takes some of its own: make test-allocations runs this")
	}
}

// Race reports whether the race detector is on, with which some tests take many times as long.
func Race() bool { return raceDetector }
