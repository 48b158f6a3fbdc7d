package lease

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"wso2agent/internal/wso2"
	"wso2agent/internal/wso2sim"
	"wso2agent/internal/wso2sim/speccheck"
)

// portal starts a stand-in of API-M, and returns a client of its Developer Portal. Requests take some time before and after the server has
// done them.
func portal(t *testing.T, delay time.Duration) *wso2.DevPortal {
	t.Helper()
	home := filepath.Join(t.TempDir(), "am")
	if err := wso2sim.UnpackWith(home, wso2sim.ProductAM, wso2sim.UnpackOptions{Rounds: 10}); err != nil {
		t.Fatal(err)
	}
	am, err := wso2sim.StartAM(t.Context(), wso2sim.Options{Home: home, Listen: "127.0.0.1:0", Gateway: "127.0.0.1:0", Wrap: speccheck.Wrap(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { am.Close() })
	if err := am.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, MaxIdleConnsPerHost: 8} // of this test's own stand-in
	t.Cleanup(transport.CloseIdleConnections)
	return wso2.NewDevPortal(&http.Client{Transport: delayed{transport, delay}}, am.URL(), wso2.Credentials{User: "admin", Password: "admin"})
}

// delayed delays each request, and its answer, by up to most.
type delayed struct {
	http.RoundTripper
	most time.Duration
}

func (d delayed) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(rand.N(d.most))
	defer func() { time.Sleep(rand.N(d.most)) }()
	return d.RoundTripper.RoundTrip(r)
}

// witness notes until when a run counts on its lease.
type witness struct {
	Portal
	mu    sync.Mutex
	until time.Time // by the run's clock
}

func (w *witness) note(fields map[string]any, err error) {
	var r record
	if err != nil || json.Unmarshal([]byte(fields["description"].(string)), &r) != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.until = r.Expires
}

func (w *witness) last() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.until
}

func (w *witness) CreateApplicationObject(ctx context.Context, fields map[string]any) (wso2.Object, error) {
	o, err := w.Portal.CreateApplicationObject(ctx, fields)
	w.note(fields, err)
	return o, err
}

func (w *witness) UpdateApplicationObject(ctx context.Context, id string, fields map[string]any) (wso2.Object, error) {
	o, err := w.Portal.UpdateApplicationObject(ctx, id, fields)
	w.note(fields, err)
	return o, err
}

// TestOfEightRunsAtAPIManagerOneWorks: the clocks of the runs differ by 30 s, which is many times the life of a lease here.
func TestOfEightRunsAtAPIManagerOneWorks(t *testing.T) {
	devportal, all := portal(t, 20*time.Millisecond), &turns{}
	var mu sync.Mutex
	ends := map[string]int{}
	var group sync.WaitGroup
	for i := range 8 {
		offset := time.Duration(i%2) * 30 * time.Second
		times := times{life: 600 * time.Millisecond, poll: 20 * time.Millisecond, dead: time.Minute, now: func() time.Time { return time.Now().Add(offset) }}
		group.Go(func() {
			for n := range 2 {
				who, w := fmt.Sprintf("run %d.%d", i, n), &witness{Portal: devportal}
				ctx, kill := context.WithCancel(t.Context())
				held, release, _, err := acquire(ctx, w, who, quiet, times)
				if err != nil {
					t.Errorf("%s: %v", who, err)
					kill()
					return
				}
				one := turn{who: who, begin: time.Now()}
				how := "released"
				if (i+n)%3 == 0 {
					how = "killed"
				}
				select {
				case <-held.Done():
					how = "lost"
				case <-time.After(rand.N(300 * time.Millisecond)):
				}
				one.end = time.Now()
				kill()
				if how == "released" {
					release()
				} else { // nobody may begin before the lease has expired
					one.end = w.last().Add(-offset)
				}
				all.add(one)
				mu.Lock()
				ends[how]++
				mu.Unlock()
			}
		})
	}
	group.Wait()
	all.check(t)
	if ends["killed"] < 2 || ends["released"] < 2 {
		t.Errorf("too little has happened: %v", ends)
	}
	t.Log(ends)
}

func TestALeaseAtAPIManager(t *testing.T) {
	devportal := portal(t, time.Millisecond)
	times := realTimes()
	times.life = 3 * time.Second
	only := func() (wso2.Application, record) {
		t.Helper()
		list, err := devportal.Applications(t.Context(), Application)
		if err != nil || len(list) != 1 {
			t.Fatalf("%v, %v", list, err)
		}
		var r record
		if err := json.Unmarshal([]byte(list[0].Description), &r); err != nil {
			t.Fatal(err)
		}
		return list[0], r
	}
	const holder = `host "a" <b> & c`
	held, release, _, err := acquire(t.Context(), devportal, holder, quiet, times)
	if err != nil {
		t.Fatal(err)
	}
	app, first := only()
	now := first
	for held.Err() == nil && now.Expires.Equal(first.Expires) { // the lease ends without a renewal
		_, now = only()
		time.Sleep(10 * time.Millisecond)
	}
	if now.Holder != holder || now.Run != first.Run || !now.Expires.After(first.Expires) || app.ThrottlingPolicy != "Unlimited" || held.Err() != nil {
		t.Errorf("%+v, then %+v: %v", first, now, context.Cause(held))
	}
	release()
	if list, err := devportal.Applications(t.Context(), Application); err != nil || len(list) != 0 {
		t.Errorf("the lease is left: %v, %v", list, err)
	}
	held, release, _, err = acquire(t.Context(), devportal, "host b", quiet, times)
	if err != nil {
		t.Fatal(err)
	}
	app, _ = only()
	if err := devportal.DeleteApplication(t.Context(), app.ID); err != nil {
		t.Fatal(err)
	}
	<-held.Done()
	if err := context.Cause(held); !strings.Contains(err.Error(), "somebody has deleted") {
		t.Errorf("cause = %v", err)
	}
	release()
}
