package telemetry

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestALoopLivesWhileItsWorkTakesLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHealth(time.Minute)
		h.While("scopes", 10*time.Second, func() {
			time.Sleep(10 * time.Minute)
			synctest.Wait()
			if dead := h.dead(); len(dead) > 0 {
				t.Errorf("dead while it works: %q", dead)
			}
		})
		time.Sleep(2 * time.Minute)
		if dead := h.dead(); len(dead) != 1 {
			t.Errorf("dead two minutes after the work: %q", dead)
		}
	})
}
