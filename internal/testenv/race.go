package testenv

import "testing"

// WithoutRace skips a test that counts allocations, since the race detector makes some of its own. CI runs these tests
// a second time without it: make test-allocations.
func WithoutRace(t testing.TB) {
	t.Helper()
	if raceDetector {
		t.Skip("counts allocations, and the race detector makes some of its own: make test-allocations runs this")
	}
}
