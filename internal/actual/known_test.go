package actual

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wso2agent/internal/plan"
	"wso2agent/internal/wso2"
	"wso2agent/internal/wso2sim"
)

// again reads with what earlier reads know. It fails the test unless the result is that of a whole read, and returns the requests for
// single APIs and certificates.
func (s *servers) again(k *Known, want plan.Wanted) map[string]int {
	s.t.Helper()
	s.amRequests.Reset()
	have, err := k.Read(s.t.Context(), Connect(s.client, s.settings), want)
	must(s.t, err)
	counts := maps.Clone(s.amRequests.Counts())
	if all := s.have(want); wholly(s.t, have) != wholly(s.t, all) {
		s.t.Error("with what is known, the read differs from a whole one")
	}
	maps.DeleteFunc(counts, func(request string, _ int) bool {
		return !strings.Contains(request, "/apis/{id}") && !strings.Contains(request, "/endpoint-certificates/")
	})
	return counts
}

// wholly returns all of a read; a moment has no time zone in it.
func wholly(t *testing.T, have plan.Have) string {
	t.Helper()
	var b strings.Builder
	for name, api := range have.APIs {
		for i := range api.Revisions {
			api.Revisions[i].Created = api.Revisions[i].Created.UTC()
		}
		have.APIs[name] = api
	}
	fmt.Fprintf(&b, "%#v", have)
	return b.String()
}

// TestAnUnchangedAPICostsNoRequest: only an API that somebody has changed is read again, and a change of the file forgets everything.
func TestAnUnchangedAPICostsNoRequest(t *testing.T) {
	s, dir := start(t, nil), files(t)
	want := s.read(everything, dir)
	s.create(want)
	var k Known
	if n := s.again(&k, want)["GET /api/am/publisher/v4/apis/{id}"]; n != 3 {
		t.Errorf("the first read asks for %d APIs", n)
	}
	if counts := s.again(&k, want); len(counts) != 0 {
		t.Errorf("an unchanged server costs %v", counts)
	}

	p, name := Connect(s.client, s.settings).Publisher, plan.APIName{Name: "Chat", Version: "1"}
	object := s.have(want).APIs[name].Object
	object["description"] = "By hand"
	_, err := p.UpdateAPIObject(t.Context(), object["id"].(string), object)
	must(t, err)
	expected := map[string]int{"GET /api/am/publisher/v4/apis/{id}": 1, "GET /api/am/publisher/v4/apis/{id}/revisions": 1}
	if counts := s.again(&k, want); !maps.Equal(counts, expected) {
		t.Errorf("one changed API costs %v", counts)
	}
	if counts := s.again(&k, want); len(counts) != 0 {
		t.Errorf("the changed API costs %v afterwards", counts)
	}

	_, err = p.ChangeLifecycle(t.Context(), object["id"].(string), "Retire")
	must(t, err)
	if n := s.again(&k, want)["GET /api/am/publisher/v4/apis/{id}"]; n == 0 {
		t.Error("a retired API is not read again")
	}

	pem, err := os.ReadFile(filepath.Join(dir, "backend.pem"))
	must(t, err)
	must(t, p.DeleteEndpointCertificate(t.Context(), "orders"))
	must(t, p.AddEndpointCertificate(t.Context(), wso2.EndpointCertificate{Alias: "orders", Endpoint: "https://b:1"}, pem))
	if counts := s.again(&k, want); len(counts) != 1 {
		t.Errorf("a certificate of another endpoint costs %v", counts)
	}

	other := s.read(strings.Replace(everything, "Takes orders", "Takes all orders", 1), dir)
	if n := s.again(&k, other)["GET /api/am/publisher/v4/apis/{id}"]; n < 3 {
		t.Errorf("after a change of the file, %d APIs are read", n)
	}
}

// TestAFailedReadForgetsNothing: after it, unchanged APIs still cost no request.
func TestAFailedReadForgetsNothing(t *testing.T) {
	s := start(t, nil)
	want := s.read(oneAPI, t.TempDir())
	s.bootstrap(oneAPI)
	var k Known
	s.again(&k, want)
	id, err := s.amFaults.Add(wso2sim.Fault{Kind: wso2sim.FaultStatus, Method: "GET", Path: "/api/am/devportal/v3/applications", Status: 500})
	must(t, err)
	if _, err := k.Read(t.Context(), Connect(s.client, s.settings), want); err == nil {
		t.Fatal("no error")
	}
	s.amFaults.Remove(id)
	if counts := s.again(&k, want); len(counts) != 0 {
		t.Errorf("after a failed read, an unchanged API costs %v", counts)
	}
}

// TestWhatIsKnownHasALimit: an API that does not fit is read every time.
func TestWhatIsKnownHasALimit(t *testing.T) {
	next := memory{apis: map[string]knownAPI{}, size: knownLimit - 1}
	r := reader{next: &next}
	r.remember(wso2.API{ID: "1", UpdatedTime: "1"}, plan.API{Object: plan.Object{"id": "1"}})
	if len(next.apis) != 0 || next.size != knownLimit-1 {
		t.Errorf("%d APIs, %d bytes", len(next.apis), next.size)
	}
	next.size = 0
	r.remember(wso2.API{ID: "1", UpdatedTime: "1"}, plan.API{Object: plan.Object{"id": "1"}})
	if len(next.apis) != 1 || next.size == 0 {
		t.Errorf("%d APIs, %d bytes", len(next.apis), next.size)
	}
	r.remember(wso2.API{ID: "2"}, plan.API{}) // the list shows no time
	if len(next.apis) != 1 {
		t.Errorf("%d APIs", len(next.apis))
	}
}
