package file

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestAWaitEndsForEachReasonAndBeatsMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		beats := 0
		changes := make(chan struct{}, 1)
		ctx, cancel := context.WithCancel(t.Context())
		w := Wait{Changes: changes, Every: 10 * time.Second, Beat: func() { beats++ }, Due: func() bool { return false }}
		time.AfterFunc(35*time.Second, func() { changes <- struct{}{} })
		if !w.For(ctx) || beats != 3 {
			t.Errorf("a change: %d beats", beats)
		}
		begin := time.Now()
		again := w
		again.Again = time.After(time.Second)
		if !again.For(ctx) || time.Since(begin) != time.Second {
			t.Errorf("a retry after %s", time.Since(begin))
		}
		due := w
		due.Due = func() bool { return true }
		if !due.For(ctx) || beats != 4 {
			t.Errorf("something due: %d beats", beats)
		}
		time.AfterFunc(25*time.Second, cancel)
		if (Wait{Changes: changes, Every: 10 * time.Second}).For(ctx) {
			t.Error("the end of the context")
		}
	})
}
