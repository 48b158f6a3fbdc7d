package apply

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"maps"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/actual"
	"wso2agent/internal/desired"
	"wso2agent/internal/owned"
	"wso2agent/internal/plan"
	"wso2agent/internal/remedy"
	"wso2agent/internal/wso2"
	"wso2agent/internal/wso2sim"
)

// every has an object of each kind. Nothing of it needs a password of a real server.
const every = `
key_managers:
  - {name: Cloak, type: KeyCloak, well_known_endpoint: "https://kc.example/w", token_endpoint: "https://kc.example/t", revoke_endpoint: "https://kc.example/r",
     introspection_endpoint: "https://kc.example/i", client_registration_endpoint: "https://kc.example/c", issuer: "https://kc.example", username: c, password: throwAway1}
scopes: [{name: "orders:read", display_name: Read orders}]
identity_server:
  users: [{username: Ann, password: throwAway1}]
  groups: [{name: Staff}]
  roles: [{name: Clerk}]
apis:
  - name: Orders
    version: 1.0.0
    context: /orders
    backend_url: "http://a:1"
    documents: [{name: Guide, summary: How, url: "https://docs.example/orders"}]
    endpoint_certificates: [{alias: orders-backend, endpoint: "https://a:1", file: backend.pem}]
  - {name: Keep, version: "1", context: /keep, backend_url: "http://a:1"}
applications:
  - {name: Shop, subscriptions: [Orders, Keep], keys: [{type: PRODUCTION, key_manager: Resident Key Manager}]}
`

// fewer is what stays of it: one API, and the application without its keys and its other subscription.
const fewer = `
apis: [{name: Keep, version: "1", context: /keep, backend_url: "http://a:1"}]
applications: [{name: Shop, subscriptions: [Keep], keys: []}]
`

// none names nothing.
const none = "gateway: {host: gw.example}\n"

func (s *servers) clients() actual.Clients { return actual.Connect(s.client, s.settings) }

// startWith starts stand-ins, and makes what the file names. A test of removals needs no maker of the package.
func startWith(t *testing.T, file string) (*servers, string) {
	t.Helper()
	s := start(t, nil)
	s.settings.KeyManagerName = "Resident Key Manager"
	folder := t.TempDir()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(folder, "backend.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	want := s.read(file, folder)
	changes, problems := plan.Make(want, s.have(want))
	must(t, problems.Err())
	for _, c := range changes {
		s.create(want, c)
	}
	s.planned(want)
	s.amRequests.Reset()
	s.isRequests.Reset()
	return s, folder
}

// create makes one object. Subscriptions and what else belongs to another object find it by a read.
func (s *servers) create(want plan.Wanted, c plan.Change) {
	s.t.Helper()
	ctx, on, have := s.t.Context(), s.clients(), s.have(want)
	app := func() string {
		return textOf(have.Applications[strings.TrimPrefix(c.Of, "application ")].Object, "applicationId")
	}
	var err error
	switch w := c.Want.(type) {
	case desired.KeyManager:
		_, err = on.Admin.CreateKeyManagerObject(ctx, plan.KeyManagerBody(w, nil))
	case desired.Scope:
		_, err = on.Publisher.CreateSharedScope(ctx, plan.ScopeBody(w, nil))
	case desired.EndpointCertificate:
		var data []byte
		data, err = os.ReadFile(desired.PathOf(w.File))
		must(s.t, err)
		err = on.Publisher.AddEndpointCertificate(ctx, wso2.EndpointCertificate{Alias: c.Name, Endpoint: w.Endpoint.Value}, data)
	case desired.API:
		var made wso2.Object
		made, err = on.Publisher.CreateAPIObject(ctx, plan.APIBody(w, nil, nil))
		must(s.t, err)
		var revision string
		revision, err = on.Publisher.CreateRevision(ctx, made.ID, "")
		must(s.t, err)
		must(s.t, on.Publisher.DeployRevision(ctx, made.ID, revision, wso2.Deployment{Environment: "Default", VHost: want.VHost, DisplayOnDevPortal: true}))
		_, err = on.Publisher.ChangeLifecycle(ctx, made.ID, "Publish")
	case desired.Document:
		_, err = on.Publisher.CreateDocument(ctx, textOf(have.APIs[plan.APIName{Name: "Orders", Version: "1.0.0"}].Object, "id"), plan.DocumentBody(w, nil))
	case desired.User:
		_, err = on.SCIM.Create(ctx, wso2.SCIMUsers, plan.UserBody(w, nil, nil))
	case desired.Users:
		_, err = on.SCIM.Create(ctx, wso2.SCIMGroups, map[string]any{"displayName": c.Name})
	case desired.Role:
		_, err = on.SCIM.Create(ctx, wso2.SCIMRoles, map[string]any{"displayName": c.Name})
	case desired.Application:
		_, err = on.DevPortal.CreateApplicationObject(ctx, plan.ApplicationBody(w, nil))
	case plan.WantedSubscription:
		i := slices.IndexFunc(have.Versions, func(v plan.APIVersion) bool { return v.Name == w.API.Name })
		_, err = on.DevPortal.Subscribe(ctx, app(), have.Versions[i].ID, "Unlimited")
	case desired.Key:
		_, err = on.DevPortal.GenerateKeys(ctx, app(), textOf(have.KeyManagers["Resident Key Manager"], "id"))
	}
	must(s.t, err)
}

// recordOf returns a record that has adopted what the file names.
func (s *servers) recordOf(file, folder string) *owned.Record {
	s.t.Helper()
	record := owned.New()
	s.run(file, folder, record, false)
	s.amRequests.Reset()
	s.isRequests.Reset()
	return record
}

// run applies a file. change may be nil.
func (s *servers) run(file, folder string, record Record, prune bool, change ...func(*plan.Wanted)) Report {
	s.t.Helper()
	want := s.read(file, folder)
	want.Prune = prune
	for _, c := range change {
		c(&want)
	}
	return s.apply(want, Options{Record: record})
}

// changed returns the requests that change something, in their order.
func (s *servers) changed() (all []string) {
	for _, log := range []*wso2sim.RequestLog{s.amRequests, s.isRequests} {
		for _, r := range log.List() {
			// A client logs in by POST, and IS is asked for a role by POST.
			read := r.Method == http.MethodGet || r.Method == http.MethodHead || strings.HasSuffix(r.Path, "/.search") || strings.Contains(r.Path, "/oauth2/") || strings.HasSuffix(r.Path, "/validate")
			if !read {
				all = append(all, r.Method+" "+r.Path)
			}
		}
	}
	return all
}

func (s *servers) noWrites(why string) {
	s.t.Helper()
	if all := s.changed(); len(all) > 0 {
		s.t.Errorf("%s: %q", why, all)
	}
}

func lines(r Report) (all []string) {
	for _, o := range r.Outcomes {
		line := string(o.Change.Action) + " " + o.Change.Kind + " " + o.Change.Name
		if o.Err != nil {
			line += ": " + o.Err.Error()
		}
		all = append(all, line)
	}
	return all
}

func names(objects []plan.OwnedObject) (all []string) {
	for _, o := range objects {
		all = append(all, o.Kind+" "+o.Name)
	}
	return all
}

func same(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n  %s\nand should be\n  %s", what, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// everyRemoval are the objects of the file every that go with their last names, in the order of their removal.
var everyRemoval = []string{
	"application Shop", "role Clerk", "group Staff", "user Ann", "API Keep 1", "API Orders 1.0.0",
	"endpoint certificate orders-backend", "shared scope orders:read", "key manager Cloak", "key manager WSO2-IS",
}

// TestOnlyPruneRemoves: whatever leaves the file, no object is deleted unless somebody wants that, and the report names what stays.
// Then each goes, in the reverse order of its creation.
func TestOnlyPruneRemoves(t *testing.T) {
	s, folder := startWith(t, every)
	record := s.recordOf(every, folder)
	before := record.Owned()
	if len(before) != 14 {
		t.Fatalf("the record has %q", names(before))
	}
	skip := func(w *plan.Wanted) { w.Own = desired.KeyManager{} }

	report := s.run(none, folder, record, false, skip)
	s.noWrites("without PRUNE something was written")
	same(t, "kept", names(report.Kept), everyRemoval...)
	if after := record.Owned(); !slices.Equal(before, after) {
		t.Errorf("the record has %q, and had %q", names(after), names(before))
	}

	report = s.run(none, folder, record, true, skip)
	var deleted []string
	for _, name := range everyRemoval {
		deleted = append(deleted, "delete "+name)
	}
	same(t, "removed", lines(report), deleted...)
	if len(report.Problems) > 0 || len(report.Kept) > 0 || len(record.Owned()) > 0 {
		t.Errorf("problems %v, kept %v, owned %q", report.Problems, report.Kept, names(record.Owned()))
	}
	want := s.read(every, folder)
	have := s.have(want)
	if len(have.KeyManagers)-1+len(have.Scopes)+len(have.Certificates)+len(have.APIs)+len(have.Users)+len(have.Groups)+len(have.Roles)+len(have.Applications) > 0 {
		t.Errorf("the servers still have %+v", have)
	}
	s.amRequests.Reset()
	s.isRequests.Reset()
	if report := s.run(none, folder, record, true, skip); len(report.Outcomes) > 0 {
		t.Errorf("a second run removes %q", lines(report))
	}
	s.noWrites("a second run")
}

// TestWhatBelongsToAnObjectThatStaysGoesAlone: documents, subscriptions and keys of objects that the file still names.
func TestWhatBelongsToAnObjectThatStaysGoesAlone(t *testing.T) {
	s, folder := startWith(t, every)
	record := s.recordOf(every, folder)
	withOrders := strings.ReplaceAll(fewer, "apis: [", `apis: [{name: Orders, version: 1.0.0, context: /orders, backend_url: "http://a:1"}, `)
	report := s.run(withOrders, folder, record, false)
	kept := []string{"key production of key manager Resident Key Manager", "subscription to API Orders 1.0.0", "role Clerk", "group Staff", "user Ann",
		"document Guide", "endpoint certificate orders-backend", "shared scope orders:read", "key manager Cloak"}
	same(t, "kept", names(report.Kept), kept...)
	s.noWrites("without PRUNE something was written")

	report = s.run(withOrders, folder, record, true)
	if report.Failed() > 0 || len(report.Outcomes) != len(kept) {
		t.Errorf("%q", lines(report))
	}
	same(t, "owned", names(record.Owned()), "API Keep 1", "API Orders 1.0.0", "application Shop", "key manager WSO2-IS", "subscription to API Keep 1")
	s.planned(s.read(withOrders, folder))
}

// TestARecordThatKnowsTheServersOtherwiseOwnsNothing: neither a lost record nor that of another database removes what people have made.
func TestARecordThatKnowsTheServersOtherwiseOwnsNothing(t *testing.T) {
	s, folder := startWith(t, every)
	other := owned.New()
	for _, o := range s.recordOf(every, folder).Owned() {
		other.Settle([]plan.Found{{OwnedObject: plan.OwnedObject{Kind: o.Kind, Name: o.Name, Of: o.Of, ID: "id of another database"}}}, nil)
	}
	for name, record := range map[string]*owned.Record{"lost": owned.New(), "of other servers": other} {
		report := s.run(none, folder, record, true)
		s.noWrites(name)
		if len(report.Outcomes)+len(report.Kept)+len(report.Problems) > 0 {
			t.Errorf("%s: %q, kept %q, problems %v", name, lines(report), names(report.Kept), report.Problems)
		}
		// The file still names the agent's own key manager. Whether a key exists, nobody can say while its key manager is silent.
		left := slices.DeleteFunc(record.Owned(), func(o plan.OwnedObject) bool { return o.Kind == plan.KindKey })
		same(t, name+": owned", names(left), "key manager WSO2-IS")
	}
}

// TestSubscribersOfAnAPIThatGoesAreNamed: an API to which an application of somebody has subscribed stays, until somebody decides
// otherwise, with what it may need. The other removals go on. Subscriptions of the agent that also go are no reason.
func TestSubscribersOfAnAPIThatGoesAreNamed(t *testing.T) {
	s, folder := startWith(t, every)
	record := s.recordOf(every, folder)
	on, have := s.clients(), s.have(s.read(every, folder))
	theirs, err := on.DevPortal.CreateApplication(t.Context(), "Theirs", "Unlimited", "")
	must(t, err)
	id := textOf(have.APIs[plan.APIName{Name: "Orders", Version: "1.0.0"}].Object, "id")
	_, err = on.DevPortal.Subscribe(t.Context(), theirs.ID, id, "Unlimited")
	must(t, err)

	report := s.run(fewer, folder, record, true)
	if len(report.Problems) != 1 || !strings.Contains(report.Problems[0].String(), `API Orders 1.0.0 is no longer in the file, and these applications have subscribed to it: "Theirs" of admin: `) {
		t.Errorf("problems %v", report.Problems)
	}
	if !record.Owns(plan.KindAPI, "Orders 1.0.0", "") || report.Failed() > 0 || len(report.Outcomes) == 0 {
		t.Errorf("%q", lines(report))
	}
	if got := plan.KeptText(report.Kept); got != "not in the file, and kept: API Orders 1.0.0, endpoint certificate orders-backend, shared scope orders:read, key manager Cloak\n" {
		t.Error(got)
	}
	if _, err := on.Publisher.APIObject(t.Context(), id); err != nil {
		t.Errorf("the API is gone: %v", err)
	}

	report = s.run(fewer, folder, record, true, func(w *plan.Wanted) { w.PruneSubscribed = true })
	same(t, "removed", lines(report), "delete API Orders 1.0.0", "delete endpoint certificate orders-backend", "delete shared scope orders:read", "delete key manager Cloak")
	if len(report.Problems) > 0 {
		t.Errorf("problems %v", report.Problems)
	}
	if list, err := on.DevPortal.Subscriptions(t.Context(), theirs.ID); err != nil || len(list) > 0 {
		t.Errorf("their subscriptions: %v, %v", list, err)
	}
	if _, err := on.DevPortal.Application(t.Context(), theirs.ID); err != nil {
		t.Errorf("their application: %v", err)
	}
}

// TestAnApplicationThatSubscribesLateKeepsItsAPI: it subscribes after the plan was made. Then the next plan names it.
func TestAnApplicationThatSubscribesLateKeepsItsAPI(t *testing.T) {
	s, folder := startWith(t, every)
	record := s.recordOf(every, folder)
	on := s.clients()
	id := textOf(s.have(s.read(every, folder)).APIs[plan.APIName{Name: "Orders", Version: "1.0.0"}].Object, "id")
	subscribe := func(name string) {
		app, err := on.DevPortal.CreateApplication(t.Context(), name, "Unlimited", "")
		must(t, err)
		_, err = on.DevPortal.Subscribe(t.Context(), app.ID, id, "Unlimited")
		must(t, err)
	}
	want := s.read(fewer, folder)
	want.Prune = true
	report := s.apply(want, Options{Record: record, Check: func(plan.Wanted, []plan.Change) error {
		subscribe("Late")
		return nil
	}})
	if len(report.Problems) != 1 || !strings.Contains(report.Problems[0].Message, `"Late" of admin`) {
		t.Errorf("problems %v, %q", report.Problems, lines(report))
	}
	// The plan has Late, which may go, and Later comes.
	want.Owned, want.Sent, want.PruneSubscribed = record.Owned(), record.Sent, true
	have := s.have(want)
	changes, _ := plan.Make(want, have)
	subscribe("Later")
	err := newRound(slog.New(slog.DiscardHandler), on, want, have, 1).remove(t.Context(), changes[0])
	if err == nil || permanent(err) || !strings.Contains(err.Error(), `application "Later" of admin has subscribed in the meantime`) {
		t.Errorf("%v", err)
	}
	api, err := on.Publisher.APIObject(t.Context(), id)
	if err != nil || api.Fields["lifeCycleStatus"] != "PUBLISHED" {
		t.Errorf("the API is %v, %v", api.Fields["lifeCycleStatus"], err)
	}
}

// TestARemovalWhoseAnswerIsLostIsDone: each DELETE breaks after the server has done it, and an API or an object that somebody else has
// removed in the meantime is no failure.
func TestARemovalWhoseAnswerIsLostIsDone(t *testing.T) {
	s, folder := startWith(t, every)
	record := s.recordOf(every, folder)
	for range 3 {
		_, err := s.amFaults.Add(wso2sim.Fault{Kind: wso2sim.FaultReset, After: true, Method: "DELETE", Path: "**", Probability: 0.5})
		must(t, err)
	}
	report := s.run(none, folder, record, true, func(w *plan.Wanted) { w.Own = desired.KeyManager{} })
	if report.Failed() > 0 || len(report.Outcomes) != len(everyRemoval) || len(record.Owned()) > 0 {
		t.Errorf("%q, owned %q", lines(report), names(record.Owned()))
	}
}

// TestNothingGoesBeforeTheRestIsMade: the replacement of an API cannot be made, so the old one stays.
func TestNothingGoesBeforeTheRestIsMade(t *testing.T) {
	s, folder := startWith(t, every)
	record := s.recordOf(every, folder)
	_, err := s.amFaults.Add(wso2sim.Fault{Kind: wso2sim.FaultStatus, Method: "POST", Path: "/api/am/publisher/v4/apis", Status: 400})
	must(t, err)
	report := s.run(strings.ReplaceAll(fewer, "apis: [", `apis: [{name: New, version: "2", context: /new, backend_url: "http://a:1"}, `), folder, record, true)
	removals := 0
	for _, o := range report.Outcomes {
		if o.Change.Action == plan.Delete {
			removals++
			if o.Err == nil || !strings.Contains(o.Err.Error(), "the agent removes nothing before it has made all other changes") {
				t.Errorf("%s %s: %v", o.Change.Kind, o.Change.Name, o.Err)
			}
		}
	}
	if removals == 0 {
		t.Errorf("no removal was planned: %q", lines(report))
	}
	for _, w := range s.changed() {
		if strings.HasPrefix(w, "DELETE ") {
			t.Error(w)
		}
	}
}

// TestARemovalThatAServerRefusesSaysWhy: a shared scope that an API of somebody else uses, and a key manager with keys.
func TestARemovalThatAServerRefusesSaysWhy(t *testing.T) {
	s, folder := startWith(t, every)
	record := s.recordOf(every, folder)
	_, err := s.clients().Publisher.CreateAPIObject(t.Context(), map[string]any{
		"name": "Theirs", "version": "9", "context": "/theirs", "operations": []any{map[string]any{"target": "/a", "verb": "GET", "scopes": []any{"orders:read"}}},
		"scopes": []any{map[string]any{"scope": map[string]any{"name": "orders:read"}, "shared": true}},
	})
	must(t, err)
	report := s.run(fewer, folder, record, true)
	failed := map[string]string{}
	for _, o := range report.Outcomes {
		if o.Err != nil {
			_, hints := remedy.Split(o.Err)
			failed[o.Change.Kind] = o.Err.Error() + strings.Join(hints, " ")
		}
	}
	if text := failed[plan.KindScope]; len(failed) != 1 || !strings.Contains(text, "take the scope out of these APIs, or put it back into the file: Theirs 9") {
		t.Errorf("%q", slices.Collect(maps.Values(failed)))
	}
}
