package actual

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/desired"
	"wso2agent/internal/plan"
	"wso2agent/internal/wso2"
	"wso2agent/internal/wso2sim"
)

// again reads with what earlier reads know. It fails the test unless a plan of the result is that of a whole read, and returns the
// requests for single APIs and certificates.
func (s *servers) again(k *Known, want plan.Wanted) map[string]int {
	s.t.Helper()
	s.amRequests.Reset()
	have, err := k.Read(s.t.Context(), Connect(s.client, s.settings), want)
	must(s.t, err)
	counts := maps.Clone(s.amRequests.Counts())
	if got, all := compared(s.t, want, have), compared(s.t, want, s.have(want)); got != all {
		s.t.Errorf("with what is known, the comparison is\n%s\nand with a whole read\n%s", got, all)
	}
	maps.DeleteFunc(counts, func(request string, _ int) bool {
		return !strings.Contains(request, "/apis/{id}") && !strings.Contains(request, "/endpoint-certificates/")
	})
	return counts
}

// compared returns all that a comparison finds.
func compared(t *testing.T, want plan.Wanted, have plan.Have) string {
	t.Helper()
	c := plan.Compare(want, have)
	text, err := plan.JSON("", c.Changes, c.Problems)
	must(t, err)
	return fmt.Sprintf("%s\n%v\n%v", text, c.Kept, c.Found)
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
	for range 2 {
		if counts := s.again(&k, want); !maps.Equal(counts, expected) {
			t.Errorf("an API that differs costs %v", counts)
		}
	}

	pem, err := os.ReadFile(filepath.Join(dir, "backend.pem"))
	must(t, err)
	must(t, p.DeleteEndpointCertificate(t.Context(), "orders"))
	must(t, p.AddEndpointCertificate(t.Context(), wso2.EndpointCertificate{Alias: "orders", Endpoint: "https://b:1"}, pem))
	if n := s.again(&k, want)["GET /api/am/publisher/v4/endpoint-certificates/{alias}/content"]; n != 1 {
		t.Errorf("a certificate of another endpoint costs %d requests", n)
	}
	must(t, p.DeleteEndpointCertificate(t.Context(), "orders"))
	must(t, p.AddEndpointCertificate(t.Context(), wso2.EndpointCertificate{Alias: "orders", Endpoint: "https://a:1"}, pem))
	s.again(&k, want)
	replacement := certificate(t)
	must(t, os.WriteFile(filepath.Join(dir, "backend.pem"), replacement, 0o600))
	want = s.read(everything, dir)
	must(t, p.ReplaceEndpointCertificate(t.Context(), "orders", replacement)) // as an apply does: the list shows the same
	s.again(&k, want)

	other := s.read(strings.Replace(everything, "Takes orders", "Takes all orders", 1), dir)
	if n := s.again(&k, other)["GET /api/am/publisher/v4/apis/{id}"]; n != 2 {
		t.Errorf("after a change of the file, %d APIs are read, and should be the one that it changes and the one that differs", n)
	}
}

// TestEveryTenthReadReadsEverything: no list shows that an API has lost its deployment.
func TestEveryTenthReadReadsEverything(t *testing.T) {
	s, want := start(t, nil), plan.Wanted{}
	s.bootstrap(oneAPI)
	want = s.read(oneAPI, t.TempDir())
	var k Known
	s.again(&k, want)
	p := Connect(s.client, s.settings).Publisher
	for name, api := range s.have(want).APIs {
		id, _ := api.Object["id"].(string)
		must(t, p.UndeployRevision(t.Context(), id, api.Revisions[0].ID, []wso2.Deployment{{Environment: "Default", VHost: "localhost"}}))
		if !undeployed(want, s.have(want)) {
			t.Fatalf("API %s is not undeployed", name)
		}
	}
	for i := range wholeEvery {
		have, err := k.Read(t.Context(), Connect(s.client, s.settings), want)
		must(t, err)
		if found := undeployed(want, have); found != (i == wholeEvery-1) {
			t.Errorf("read %d after the whole one: it finds that the API is not deployed: %t", i+1, found)
		}
	}
}

// undeployed reports whether an API needs a deployment.
func undeployed(want plan.Wanted, have plan.Have) bool {
	changes, _ := plan.Make(want, have)
	return slices.ContainsFunc(changes, func(c plan.Change) bool {
		return c.Kind == plan.KindAPI && len(c.Fields) == 1 && c.Fields[0].Path == "environments"
	})
}

// TestWhatIsKnownComesBack: a file of another server, of another form, or that is damaged counts as nothing.
func TestWhatIsKnownComesBack(t *testing.T) {
	k := &Known{reads: 3, memory: memory{
		apis: map[plan.APIName]knownAPI{
			{Name: "Orders", Version: "1"}: {"17", "abc", plan.Agreed{ID: "i1", Documents: map[string]string{"Guide": "d1"}, Served: plan.Served{
				Operations: []plan.ServedOperation{{Target: "/a", Verb: "GET"}}, Policies: []string{"Gold"}, Called: true, Backend: "http://b", Deployed: time.Unix(1700000000, 0).UTC(),
			}}},
			{Name: "Orders", Version: "2"}:  {"18", "def", plan.Agreed{ID: "i2"}},
			{Name: "Order", Version: "s 1"}: {"19", "ghi", plan.Agreed{ID: "i3"}},
		},
		certificates: map[string]plan.EndpointCertificate{"a": {Object: plan.Object{"alias": "a", "endpoint": "https://b:1"}, Fingerprint: "f"}},
	}}
	path := filepath.Join(t.TempDir(), "unchanged.json")
	must(t, k.Save(path, "https://am"))
	if got := LoadKnown(path, "https://am"); !reflect.DeepEqual(got, k) {
		t.Errorf("the file gives %+v, and should give %+v", got, k)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the mode of the file: %v, %v", info, err)
	}
	saved, err := os.ReadFile(path)
	must(t, err)
	nothing := func(what, server, text string) {
		t.Helper()
		must(t, os.WriteFile(path, []byte(text), 0o600))
		if got := LoadKnown(path, server); !reflect.DeepEqual(got, &Known{}) {
			t.Errorf("%s gives %+v", what, got)
		}
	}
	nothing("a file of another server", "https://other", string(saved))
	nothing("half a file", "https://am", string(saved[:len(saved)/2]))
	nothing("a file of another form", "https://am", strings.Replace(string(saved), `"version":2`, `"version":3`, 1))
	must(t, os.Remove(path))
	if got := LoadKnown(path, "https://am"); !reflect.DeepEqual(got, &Known{}) {
		t.Errorf("no file gives %+v", got)
	}
}

// TestWhatCannotBeSavedIsForgotten: a file that stays would make each later run count from the same read.
func TestWhatCannotBeSavedIsForgotten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "unchanged.json")
	k := &Known{reads: 3}
	must(t, k.Save(path, "https://am"))
	k.apis = map[plan.APIName]knownAPI{{Name: "Orders", Version: "1"}: {Desired: strings.Repeat("a", knownLimit)}}
	if err := k.Save(path, "https://am"); err == nil {
		t.Error("a file that is too large is written")
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the former file is there: %v", err)
	}
}

// TestWhatChangesIsForgotten: a change of one version of an API may change the others.
func TestWhatChangesIsForgotten(t *testing.T) {
	for _, c := range []struct {
		change plan.Change
		left   string
	}{
		{plan.Change{Kind: plan.KindAPI, Name: "Orders 2"}, "[Chat 1] [a]"},
		{plan.Change{Kind: plan.KindDocument, Name: "Guide", Of: "API Orders 1"}, "[Chat 1 Orders 2] [a]"},
		{plan.Change{Kind: plan.KindCertificate, Name: "a"}, "[Chat 1 Orders 1 Orders 2] []"},
		{plan.Change{Kind: plan.KindApplication, Name: "Orders 1"}, "[Chat 1 Orders 1 Orders 2] [a]"},
	} {
		k := Known{memory: memory{certificates: map[string]plan.EndpointCertificate{"a": {}},
			apis: map[plan.APIName]knownAPI{{Name: "Orders", Version: "1"}: {}, {Name: "Orders", Version: "2"}: {}, {Name: "Chat", Version: "1"}: {}}}}
		k.Forget([]plan.Change{c.change})
		var names []string
		for name := range k.apis {
			names = append(names, name.String())
		}
		slices.Sort(names)
		if left := fmt.Sprint(names, slices.Collect(maps.Keys(k.certificates))); left != c.left {
			t.Errorf("after a change of %s %s, %s are known, and should be %s", c.change.Kind, c.change.Name, left, c.left)
		}
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

// TestAnotherAPIOfTheNameIsRead, also if the list shows it with the same time.
func TestAnotherAPIOfTheNameIsRead(t *testing.T) {
	f, err := desired.Parse(desired.Source{}, desired.Input{Name: "f.yaml", Data: []byte("apis: [{name: Orders, version: '1', context: /orders, backend_url: 'http://a:1'}]")})
	must(t, err)
	want, item, name := plan.Wanted{File: f}, f.APIs.Value[0], plan.APIName{Name: "Orders", Version: "1"}
	before := memory{apis: map[plan.APIName]knownAPI{name: {"17", want.APIHash(item), plan.Agreed{ID: "i1"}}}}
	for _, c := range []struct {
		id, updated string
		unrestored  map[string]plan.Object
		known       bool
	}{{"i1", "17", nil, true}, {"i2", "17", nil, false}, {"i1", "18", nil, false}, {"i1", "17", map[string]plan.Object{name.String(): {}}, false}} {
		want.Unrestored = c.unrestored
		r := reader{want: want, before: before, next: &memory{apis: map[plan.APIName]knownAPI{}}}
		if _, known := r.known(item, wso2.API{ID: c.id, Name: "Orders", Version: "1", UpdatedTime: c.updated}); known != c.known || known != (len(r.next.apis) == 1) {
			t.Errorf("%+v: known %t, and %d APIs are kept", c, known, len(r.next.apis))
		}
	}
}
