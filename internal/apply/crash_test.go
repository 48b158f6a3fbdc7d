package apply

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"wso2agent/internal/actual"
	"wso2agent/internal/plan"
	"wso2agent/internal/wso2sim"
)

// killer cancels a run after a number of requests that write: before the answer to the last one arrives, or after it.
type killer struct {
	http.RoundTripper
	left   atomic.Int32
	before bool
	cancel context.CancelFunc
}

func (k *killer) RoundTrip(r *http.Request) (*http.Response, error) {
	writes := r.Method != http.MethodGet && !strings.HasSuffix(r.URL.Path, "/validate")
	if !writes {
		return k.RoundTripper.RoundTrip(r)
	}
	left := k.left.Add(-1)
	if left < 0 {
		return nil, context.Canceled
	}
	answer, err := k.RoundTripper.RoundTrip(r)
	if left > 0 || err != nil {
		return answer, err
	}
	k.cancel()
	if k.before {
		answer.Body.Close()
		return nil, context.Canceled
	}
	return answer, err
}

// kill makes a run that ends after n requests that write, and reports whether there were as many.
func (s *servers) kill(want plan.Wanted, n int, before bool) bool {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	defer cancel()
	k := &killer{RoundTripper: s.client.Transport, before: before, cancel: cancel}
	k.left.Store(int32(n))
	_, err := Run(ctx, slog.New(slog.DiscardHandler), actual.Connect(&http.Client{Transport: k}, s.settings), want, Options{AtOnce: 1, RetryFirst: time.Millisecond})
	if ctx.Err() == nil {
		must(s.t, err)
	}
	return k.left.Load() <= 0
}

// few is a file of which few requests make everything.
const few = `
scopes: [{name: "orders:read", roles: [admin]}]
apis:
  - name: Orders
    version: "1"
    context: /orders
    backend_url: "http://a:1"
    lifecycle: DEPRECATED
    documents: [{name: Guide, summary: How, content: "# Orders"}]
    endpoint_certificates: [{alias: orders, endpoint: "https://a:1", file: backend.pem}]
  - {name: Orders, version: "2", context: /orders, copy_of: "1", backend_url: "http://a:2"}
`

// changed is the same file after changes.
var changed = strings.NewReplacer("http://a:", "http://b:", "# Orders", "# Changed", `endpoint: "https://a:1"`, `endpoint: "https://b:1"`, "[admin]", "[]",
	"lifecycle: DEPRECATED", "lifecycle: RETIRED").Replace(few)

// A run that is killed at any of its writes is followed by one that does the rest: no API is there twice, and all gateways have what is
// saved.
func TestARunThatIsKilledIsCompletedByTheNextOne(t *testing.T) {
	for _, before := range []bool{false, true} {
		t.Run(fmt.Sprintf("the answer is lost: %v", before), func(t *testing.T) {
			s := onlyAPIs(t)
			folder := files(t)
			one, other := s.read(few, folder), s.read(changed, folder)
			for n := 1; ; n++ {
				more := s.kill(one, n, before)
				s.made(one)
				s.planned(one)
				s.current(one)
				more = s.kill(other, n, before) || more
				s.made(other)
				s.planned(other)
				s.current(other)
				for _, api := range s.have(other).APIs {
					must(t, s.publisher().DeleteAPI(t.Context(), textOf(api.Object, "id")))
				}
				for alias := range s.have(other).Certificates {
					must(t, s.publisher().DeleteEndpointCertificate(t.Context(), alias))
				}
				for _, scope := range s.have(other).Scopes {
					must(t, s.publisher().DeleteSharedScope(t.Context(), textOf(scope, "id")))
				}
				if !more {
					if n < 12 {
						t.Errorf("only %d writes", n)
					}
					return
				}
				if t.Failed() {
					t.Fatalf("killed at write %d", n)
				}
			}
		})
	}
}

// An answer that is lost makes nothing twice, and no failure remains.
func TestTheAnswerToAnyWriteIsLost(t *testing.T) {
	for _, path := range []string{
		"scopes", "endpoint-certificates", "apis", "apis/*/revisions", "apis/*/deploy-revision", "apis/change-lifecycle", "apis/*/documents", "apis/*/documents/*/content",
	} {
		t.Run(path, func(t *testing.T) {
			s := start(t, func(o *wso2sim.Options) {
				o.Delays.Index = wso2sim.Span{Min: 20 * time.Millisecond, Max: 20 * time.Millisecond}
			})
			s.settings.SkipKeyManager, s.settings.KeyManagerName = true, "Resident Key Manager"
			want := s.read(few, files(t))
			_, err := s.amFaults.Add(wso2sim.Fault{Kind: wso2sim.FaultReset, After: true, Method: "POST", Path: "/api/am/publisher/v4/" + path, Count: 1})
			must(t, err)
			s.made(want)
			if faults := s.amFaults.List(); faults[0].Hits != 1 {
				t.Error("no answer was lost")
			}
			time.Sleep(50 * time.Millisecond) // the index
			s.planned(want)
			s.current(want)
		})
	}
}

// A server of which a part of all answers fails, in all ways, gets what the file says.
func TestFaultsOfAFifthOfTheRequests(t *testing.T) {
	s := start(t, func(o *wso2sim.Options) {
		o.Delays.Index = wso2sim.Span{Min: 5 * time.Millisecond, Max: 30 * time.Millisecond}
	})
	s.settings.SkipKeyManager, s.settings.KeyManagerName = true, "Resident Key Manager"
	folder, hits := files(t), 0
	for _, text := range []string{few, changed} {
		want := s.read(text, folder)
		for _, f := range []wso2sim.Fault{
			{Kind: wso2sim.FaultStatus, Status: 500, Probability: 0.05}, {Kind: wso2sim.FaultReset, Probability: 0.05},
			{Kind: wso2sim.FaultReset, After: true, Probability: 0.06}, {Kind: wso2sim.FaultHalf, Probability: 0.06},
		} {
			_, err := s.amFaults.Add(f)
			must(t, err)
		}
		s.made(want)
		for _, f := range s.amFaults.List() {
			hits += f.Hits
		}
		s.amFaults.Clear()
		time.Sleep(50 * time.Millisecond) // the index
		s.planned(want)
		s.current(want)
	}
	if hits < 10 {
		t.Errorf("only %d faults", hits)
	}
}
