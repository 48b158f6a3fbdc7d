package apply

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"wso2agent/internal/actual"
	"wso2agent/internal/bootstrap"
	"wso2agent/internal/keysfile"
	"wso2agent/internal/lease"
	"wso2agent/internal/plan"
	"wso2agent/internal/serviceuser"
	"wso2agent/internal/wso2sim"
)

// leased returns the lease of this API-M for a run. log gets what the lease logs.
func (s *servers) leased(holder string, log *slog.Logger) func(context.Context) (context.Context, func(), bool, error) {
	return func(ctx context.Context) (context.Context, func(), bool, error) {
		return lease.Acquire(ctx, s.clients().DevPortal, holder, log)
	}
}

// leases returns how many leases runs have created, and how many applications are a lease now.
func (s *servers) leases() (created, now int) {
	s.t.Helper()
	for _, r := range s.amRequests.List() {
		if r.Method == http.MethodPost && r.Path == "/api/am/devportal/v3/applications" && r.Status == http.StatusCreated {
			created++
		}
	}
	list, err := s.clients().DevPortal.Applications(s.t.Context(), lease.Application)
	must(s.t, err)
	return created, len(list)
}

func TestOnlyARunWithChangesTakesTheLease(t *testing.T) {
	s, folder := onlyAPIs(t), files(t)
	o := Options{Lease: s.leased("host a", slog.New(slog.DiscardHandler))}
	if report := s.apply(s.read(few, folder), o); report.Failed() > 0 || len(report.Outcomes) == 0 {
		t.Errorf("the first run: %q", lines(report))
	}
	if created, now := s.leases(); created != 1 || now != 0 {
		t.Errorf("a run with changes has created %d leases, and %d are left", created, now)
	}
	s.amRequests.Reset()
	s.apply(s.read(few, folder), o)
	if created, _ := s.leases(); created != 0 {
		t.Errorf("a run without changes has created %d leases", created)
	}
}

// TestOfTwoBootstrapsOneRegistersTheKeyManager, because each changes the servers with the lease alone. API-M keeps both if two runs create
// one at the same moment. A bootstrap that finds everything writes nothing to API-M, and needs no lease.
func TestOfTwoBootstrapsOneRegistersTheKeyManager(t *testing.T) {
	s := start(t, func(o *wso2sim.Options) { o.Delays.Racing = 300 * time.Millisecond })
	folders := [2]string{t.TempDir(), t.TempDir()}
	f := s.read(oneAPI, folders[0]).File
	var group sync.WaitGroup
	for _, folder := range folders {
		files := bootstrap.Files{Keys: keysfile.Files{JSON: filepath.Join(folder, "keys.json")}}
		group.Go(func() {
			if _, err := Bootstrap(t.Context(), slog.New(slog.DiscardHandler), s.client, s.settings, files, f); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	created := 0
	for _, r := range s.amRequests.List() {
		if r.Method == http.MethodPost && r.Path == "/api/am/admin/v4/key-managers" {
			created++
		}
	}
	if leases, now := s.leases(); created != 1 || leases < 2 || now != 0 {
		t.Errorf("%d requests create a key manager, with %d leases; %d leases are left", created, leases, now)
	}
	s.amRequests.Reset()
	s.bootstrapIn(folders[0], oneAPI)
	for _, r := range s.amRequests.List() {
		if strings.HasPrefix(r.Path, "/api/am/") && r.Method != http.MethodGet && r.Method != http.MethodHead {
			t.Errorf("a bootstrap without a change sends %s %s", r.Method, r.Path)
		}
	}
}

// waiting is a log that closes its channel when a run says that it waits.
type waiting struct {
	slog.Handler
	once sync.Once
	said chan struct{}
}

func (w *waiting) Enabled(context.Context, slog.Level) bool { return true }

func (w *waiting) Handle(_ context.Context, r slog.Record) error {
	if strings.Contains(r.Message, "waiting for another run") {
		r.Attrs(func(a slog.Attr) bool {
			if a.Key == "holder" && a.Value.String() == "host a" {
				w.once.Do(func() { close(w.said) })
			}
			return true
		})
	}
	return nil
}

// TestARunThatHasWaitedPlansAnew: the other run makes everything meanwhile, and the lease is no application of the file.
func TestARunThatHasWaitedPlansAnew(t *testing.T) {
	s, folder := onlyAPIs(t), files(t)
	want := s.read(few+"applications: [{name: Shop, keys: []}]\n", folder)
	_, release, _, err := s.leased("host a", slog.New(slog.DiscardHandler))(t.Context())
	must(t, err)
	w := &waiting{Handler: slog.DiscardHandler, said: make(chan struct{})}
	ended := make(chan Report)
	go func() {
		report, err := Run(t.Context(), slog.New(slog.DiscardHandler), s.clients(), want, Options{
			Lease: s.leased("host b", slog.New(w)),
		})
		if err != nil {
			t.Error(err)
		}
		ended <- report
	}()
	<-w.said
	s.apply(want, Options{}) // as the other run, which has the lease
	all := s.have(want).Names
	release()
	if report := <-ended; len(report.Outcomes) > 0 || !slices.Contains(all, "Shop") || slices.Contains(all, lease.Application) {
		t.Errorf("the run that has waited makes %q, and a read shows the applications %q", lines(report), all)
	}
	if _, now := s.leases(); now != 0 {
		t.Errorf("%d leases are left", now)
	}
}

// TestARunThatLosesItsLeaseGoesOnWithAnotherOne: after the loss it writes nothing until it has the next lease, and then plans again.
func TestARunThatLosesItsLeaseGoesOnWithAnotherOne(t *testing.T) {
	s, folder := onlyAPIs(t), files(t)
	lost, lose := context.WithCancelCause(t.Context())
	leases, released, writes, writesAtLoss := 0, 0, 0, 0
	client := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		answer, err := s.client.Transport.RoundTrip(r)
		if r.Method != http.MethodGet && !strings.HasSuffix(r.URL.Path, "/validate") {
			writes++
			if lost.Err() != nil && leases == 1 {
				t.Errorf("%s %s without a lease", r.Method, r.URL.Path)
			}
			lose(lease.ErrLost)
		}
		return answer, err
	})}
	report, err := Run(t.Context(), slog.New(slog.DiscardHandler), actual.Connect(client, s.settings), s.read(few, folder), Options{
		AtOnce: 1, RetryFirst: time.Millisecond,
		Lease: func(ctx context.Context) (context.Context, func(), bool, error) {
			held := ctx
			if leases++; leases == 1 {
				held = lost
			} else if leases == 2 {
				writesAtLoss = writes
			}
			return held, func() { released++ }, false, nil
		},
	})
	must(t, err)
	s.allMade(report)
	if writesAtLoss != 1 || leases != 2 || released != leases {
		t.Errorf("%d writes with the first lease; %d leases, and %d are released", writesAtLoss, leases, released)
	}
	s.planned(s.read(few, folder))
}

// TestAChangeThatHasBegunEnds: the run is stopped with its first write, and nothing is half made.
func TestAChangeThatHasBegunEnds(t *testing.T) {
	s, folder := onlyAPIs(t), files(t)
	ctx, stop := context.WithCancel(t.Context())
	client := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		answer, err := s.client.Transport.RoundTrip(r)
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/publisher/v4/apis") {
			stop()
		}
		return answer, err
	})}
	want := s.read(few, folder)
	report, err := Run(ctx, slog.New(slog.DiscardHandler), actual.Connect(client, s.settings), want, Options{AtOnce: 1})
	if !errors.Is(err, context.Canceled) || report.Failed() == 0 {
		t.Errorf("%q: %v", lines(report), err)
	}
	left := s.plan(want)
	if made := len(report.Outcomes) - report.Failed(); made == 0 || len(left) != report.Failed() || strings.Contains(strings.Join(left, ","), "update") {
		t.Errorf("%d changes are made, and %q are left", made, left)
	}
}

func TestARunThatGetsNoLeaseChangesNothing(t *testing.T) {
	s, folder := onlyAPIs(t), files(t)
	refused := errors.New("refused")
	report, err := Run(t.Context(), slog.New(slog.DiscardHandler), s.clients(), s.read(few, folder), Options{
		Lease: func(context.Context) (context.Context, func(), bool, error) { return nil, nil, false, refused },
	})
	for _, r := range s.amRequests.List() {
		if r.Method != http.MethodGet && !strings.HasSuffix(r.Path, "/validate") {
			t.Errorf("a write: %s %s", r.Method, r.Path)
		}
	}
	if !errors.Is(err, refused) || len(report.Outcomes) > 0 {
		t.Errorf("%q: %v", lines(report), err)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestAnotherUserOfTheKeyManagerNeedsTheLease: nothing else differs, so the plan is empty. A run that finds the user registered takes no
// lease.
func TestAnotherUserOfTheKeyManagerNeedsTheLease(t *testing.T) {
	s := start(t, nil)
	s.bootstrap(oneAPI)
	s.settings.KMUser = bootstrap.ServiceUser{Setting: "create", Rights: "least", Record: serviceuser.Path(filepath.Join(t.TempDir(), "keys.json"))}
	want := s.read(oneAPI, t.TempDir())
	writes, holds, leases := 0, false, 0
	client := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.Method != http.MethodGet && !strings.HasSuffix(r.URL.Path, "/validate") {
			if writes++; !holds {
				t.Errorf("%s %s without a lease", r.Method, r.URL.Path)
			}
		}
		return s.client.Transport.RoundTrip(r)
	})}
	run := func() {
		t.Helper()
		log := slog.New(slog.DiscardHandler)
		report, err := Run(t.Context(), log, actual.Connect(client, s.settings), want, Options{
			User: ServiceUser{log, bootstrap.Connect(client, s.settings), s.settings},
			Lease: func(ctx context.Context) (context.Context, func(), bool, error) {
				leases++
				holds = true
				return ctx, func() { holds = false }, false, nil
			},
		})
		must(t, err)
		if len(report.Outcomes) > 0 {
			t.Errorf("the run makes %q", lines(report))
		}
	}
	run()
	if leases != 1 || writes == 0 {
		t.Errorf("%d leases and %d writes give the key manager its user", leases, writes)
	}
	writes = 0
	run()
	if leases != 1 || writes > 0 {
		t.Errorf("a run that finds the user registered takes %d leases and writes %d times", leases-1, writes)
	}
}

// TestAChangeBeforeTheLeaseIsNotOverwritten: another run saves an API between the read of this run and its first write, and gives its
// lease back before this run asks for one. The list of APIs is behind all the time. Of the APIs that the plan does not change, the second
// read asks for none.
func TestAChangeBeforeTheLeaseIsNotOverwritten(t *testing.T) {
	s, folder := onlyAPIs(t), t.TempDir()
	two := func(tag string) plan.Wanted {
		return s.read("apis:\n- {name: A, version: '1', context: /a, backend_url: 'http://a:1', tags: ["+tag+"]}\n"+
			"- {name: B, version: '1', context: /b, backend_url: 'http://b:1'}\n", folder)
	}
	s.made(two("old"))
	p, a, b := s.clients().Publisher, plan.APIName{Name: "A", Version: "1"}, plan.APIName{Name: "B", Version: "1"}
	ids := s.have(two("old")).APIs
	s.amRequests.Reset()
	var list []byte
	behind := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		answer, err := s.client.Transport.RoundTrip(r)
		if err != nil || r.URL.Path != "/api/am/publisher/v4/apis" || r.Method != http.MethodGet {
			return answer, err
		}
		now, err := io.ReadAll(answer.Body)
		if list == nil {
			list = now
		}
		answer.Body = io.NopCloser(bytes.NewReader(list))
		return answer, err
	})}
	report, err := Run(t.Context(), slog.New(slog.DiscardHandler), actual.Connect(behind, s.settings), two("new"), Options{Lease: func(ctx context.Context) (context.Context, func(), bool, error) {
		object, err := p.APIObject(ctx, textOf(ids[a].Object, "id"))
		must(t, err)
		object.Fields["description"] = "From another run"
		_, err = p.UpdateAPIObject(ctx, object.ID, object.Fields)
		must(t, err)
		return ctx, func() {}, false, nil
	}})
	must(t, err)
	s.allMade(report)
	reads := 0
	for _, r := range s.amRequests.List() {
		if r.Method == http.MethodGet && r.Path == "/api/am/publisher/v4/apis/"+textOf(ids[b].Object, "id") {
			reads++
		}
	}
	have := s.have(two("new")).APIs[a].Object
	if have["description"] != "From another run" || !slices.Equal(have["tags"].([]any), []any{"new"}) || reads != 1 {
		t.Errorf("after the run, the API has the description %v and the tags %v; the other API was read %d times", have["description"], have["tags"], reads)
	}
}
