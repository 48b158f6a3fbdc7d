package lease

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// turn is the time in which a run counted on its lease.
type turn struct {
	who        string
	begin, end time.Time
}

// turns are those of all runs.
type turns struct {
	mu   sync.Mutex
	list []turn
}

func (a *turns) add(one turn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.list = append(a.list, one)
}

// check fails the test if two runs counted on a lease at the same time.
func (a *turns) check(t *testing.T) {
	t.Helper()
	slices.SortFunc(a.list, func(x, y turn) int { return x.begin.Compare(y.begin) })
	last := turn{}
	for _, one := range a.list {
		if one.begin.Before(last.end) {
			t.Errorf("%s begins at %s, while %s goes on until %s", one.who, one.begin, last.who, last.end)
		}
		if one.end.After(last.end) {
			last = one
		}
	}
}

// TestOfEightRunsOneWorks lets eight runs work for hours of a virtual clock. Requests take up to 40 s, and some are done long after
// their caller has given up. Clocks differ by up to a minute. Runs are killed, and lose their way to the server while they work.
func TestOfEightRunsOneWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, all := newMemory(), &turns{}
		var mu sync.Mutex
		ends := map[string]int{}
		stop := time.Now().Add(8 * time.Hour)
		var group sync.WaitGroup
		for i := range 8 {
			times := realTimes()
			offset := time.Duration(i%3-1) * 30 * time.Second
			times.now = func() time.Time { return time.Now().Add(offset) }
			group.Go(func() {
				for n := 0; time.Now().Before(stop); n++ {
					who := fmt.Sprintf("run %d.%d", i, n)
					l := newLine(m)
					l.before, l.after, l.lost = slow, slow, 0.03
					ctx, kill := context.WithCancel(t.Context())
					held, release, _, err := acquire(ctx, l, who, quiet, times)
					if err != nil {
						t.Errorf("%s: %v", who, err)
						kill()
						return
					}
					begin := time.Now()
					how := []string{"released", "killed", "cut off"}[rand.N(3)]
					work := time.NewTimer(rand.N(3 * time.Minute))
					select {
					case <-held.Done():
						how = "lost"
					case <-work.C:
					}
					if how == "cut off" {
						l.breakDown(true)
						<-held.Done() // it works as long as it may
					}
					end := time.Now()
					all.add(turn{who, begin, end})
					mu.Lock()
					ends[how]++
					mu.Unlock()
					kill()
					if how != "killed" {
						release()
					}
					time.Sleep(rand.N(20 * time.Second))
				}
			})
		}
		group.Wait()
		all.check(t)
		if ends["released"] < 10 || ends["killed"] < 10 || ends["cut off"] < 10 {
			t.Errorf("too little has happened: %v", ends)
		}
		t.Log(ends)
		time.Sleep(5 * time.Minute) // for requests that nobody waits for
	})
}

// slow is mostly short, sometimes long.
func slow() time.Duration {
	switch rand.N(20) {
	case 0:
		return rand.N(40 * time.Second)
	case 1, 2, 3:
		return rand.N(5 * time.Second)
	}
	return rand.N(300 * time.Millisecond)
}
