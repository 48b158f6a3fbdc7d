package converge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"wso2agent/internal/plan"
)

// cut ends a run at a request: the request does not leave, or its answer does not arrive.
type cut struct {
	http.RoundTripper
	left   atomic.Int32 // requests until the run ends
	after  bool         // the server has done the last one
	cancel context.CancelFunc
}

var errCut = errors.New("the run was cut")

func (c *cut) RoundTrip(r *http.Request) (*http.Response, error) {
	left := c.left.Add(-1)
	if left > 0 {
		return c.RoundTripper.RoundTrip(r)
	}
	defer c.cancel()
	if left == 0 && c.after {
		if answer, err := c.RoundTripper.RoundTrip(r); err == nil {
			discard(answer)
		}
	}
	return nil, errCut
}

// counter counts requests.
type counter struct {
	http.RoundTripper
	n atomic.Int32
}

func (c *counter) RoundTrip(r *http.Request) (*http.Response, error) {
	c.n.Add(1)
	return c.RoundTripper.RoundTrip(r)
}

// faulty lets a part of all requests fail: before they reach the server, after it has done them, or by an answer that says nothing of them.
type faulty struct {
	http.RoundTripper
	reads, writes float64 // the part that fails

	mu     sync.Mutex
	random *rand.Rand
	faults int
}

var errFault = errors.New("connection reset by the test")

func (f *faulty) RoundTrip(r *http.Request) (*http.Response, error) {
	part := f.writes
	if r.Method == http.MethodGet || strings.HasSuffix(r.URL.Path, "/validate") {
		part = f.reads
	}
	f.mu.Lock()
	fails, way := f.random.Float64() < part, f.random.IntN(4)
	if fails {
		f.faults++
	}
	f.mu.Unlock()
	if !fails {
		return f.RoundTripper.RoundTrip(r)
	}
	switch way {
	case 0:
		return nil, errFault
	case 1:
		return answer(r, http.StatusServiceUnavailable), nil
	}
	done, err := f.RoundTripper.RoundTrip(r)
	if err == nil {
		discard(done)
	}
	if way == 2 {
		return nil, errFault
	}
	return answer(r, http.StatusBadGateway), nil
}

// discard reads an answer that nobody gets: its connection serves the next request, which saves a handshake.
func discard(answer *http.Response) {
	io.Copy(io.Discard, answer.Body)
	answer.Body.Close()
}

func answer(r *http.Request, status int) *http.Response {
	return &http.Response{StatusCode: status, Status: fmt.Sprint(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Body: http.NoBody, Request: r}
}

// TestAnInterruptedRunIsCompleted applies random desired states: without interruption, and from states in which interrupted runs have left
// the servers. A fifth of all writes fail, and READ_FAULTS in a hundred of the requests that read. Both ways end with the same objects, field by
// field.
func TestAnInterruptedRunIsCompleted(t *testing.T) {
	states, cuts := number(t, "CRASH_STATES", 4), number(t, "CRASH_CUTS", 2)
	faults, first := atomic.Int64{}, seed(t)
	parts := min(32, states)  // most of the time a run waits between two tries
	for part := range parts { // each with servers of its own
		t.Run(fmt.Sprint("part ", part), func(t *testing.T) {
			t.Parallel()
			w := start(t)
			for n := first + part; n < first+states; n += parts {
				t.Run(fmt.Sprint("seed ", n), func(t *testing.T) { w.in(t).interrupted(uint64(n), cuts, &faults) })
			}
		})
	}
	t.Cleanup(func() { t.Logf("%d states, each from %d interrupted runs: %d faults", states, cuts, faults.Load()) })
}

// interrupted applies the state of a seed from interrupted runs. Every second seed begins with an earlier state of the same file.
func (w *world) interrupted(seed uint64, cuts int, faults *atomic.Int64) {
	w.Helper()
	random := rand.New(rand.NewPCG(seed, 3))
	w.load(w.empty)
	base, s := w.empty, w.states(seed)
	if seed%2 == 0 {
		w.made("the earlier state", s[0], w.client.Transport)
		base = w.save()
	}
	want := s[1]
	count := &counter{RoundTripper: w.client.Transport}
	w.made("the state", want, count)
	expected := w.objects(want)
	for i := range cuts {
		n, after := 1+random.IntN(int(count.n.Load())), random.IntN(2) == 0
		what := fmt.Sprintf("cut %d, at request %d of %d, done: %v", i, n, count.n.Load(), after)
		w.load(base)
		w.cut(want, n, after)
		f := &faulty{RoundTripper: w.client.Transport, reads: float64(number(w.T, "READ_FAULTS", 20)) / 100, writes: 0.2, random: random}
		w.made(what, want, f)
		faults.Add(int64(f.faults))
		w.log.take() // of the run: its faults
		if lines := w.differences(want); len(lines) > 0 {
			w.Fatalf("%s: the plan is\n%s%s", what, strings.Join(lines, "\n"), w.log.take())
		}
		if lines := different(w.objects(want), expected); len(lines) > 0 {
			w.Fatalf("%s:\n%s%s", what, strings.Join(lines, "\n"), w.log.take())
		}
	}
	w.Logf("seed %d: %d interrupted runs are completed", seed, cuts)
}

// states returns the state of a seed before and after changes.
func (w *world) states(seed uint64) (s [2]plan.Wanted) {
	w.Helper()
	for i := range s {
		s[i] = w.want(random(seed, i == 1, w.clients))
	}
	return s
}

func (w *world) made(what string, want plan.Wanted, transport http.RoundTripper) {
	w.Helper()
	if failed := failures(w.run(w.Context(), want, transport)); len(failed) > 0 {
		w.Fatalf("%s:\n%s", what, strings.Join(failed, "\n"))
	}
}

// cut makes a run that ends at its nth request.
func (w *world) cut(want plan.Wanted, n int, after bool) {
	ctx, cancel := context.WithCancel(w.Context())
	defer cancel()
	c := &cut{RoundTripper: w.client.Transport, after: after, cancel: cancel}
	c.left.Store(int32(n))
	w.run(ctx, want, c) // its error is the cut
}
