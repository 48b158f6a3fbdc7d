package apply

import (
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"wso2agent/internal/actual"
	"wso2agent/internal/desired"
	"wso2agent/internal/owned"
	"wso2agent/internal/plan"
	"wso2agent/internal/wso2sim"
)

// TestTheRecordGetsTheIDsThatARunKnows: without another read, and with an empty one where only the next read shows it.
func TestTheRecordGetsTheIDsThatARunKnows(t *testing.T) {
	text := func(v string) desired.Text { return desired.Text{Set: true, Value: v} }
	want := plan.Wanted{Fingerprints: map[string]string{desired.PathOf(text("/c.pem")): "AB12"}}
	record := owned.New()
	r := newRound(slog.New(slog.DiscardHandler), actual.Clients{}, want, plan.Have{}, 1)
	r.record = record
	r.ids.KeyManagers["IS"], r.ids.Applications["Shop"], r.ids.APIs[plan.APIName{Name: "Orders", Version: "1"}] = "k1", "a1", "i1"
	user := plan.Change{Action: plan.Create, Kind: plan.KindUser, Name: "Ann", Want: desired.User{Password: desired.Password{Set: true, Value: desired.NewSecret("first", "")}}}
	r.noteID(user, "u1")
	certificate := desired.EndpointCertificate{Alias: text("c"), File: text("/c.pem")}
	secret := plan.Difference{Path: "client_secret"}
	for _, c := range []plan.Change{
		user,
		{Action: plan.Create, Kind: plan.KindKeyManager, Name: "IS", Want: desired.KeyManager{}},
		{Action: plan.Create, Kind: plan.KindAPI, Name: "Orders 1", Want: desired.API{}},
		{Action: plan.Create, Kind: plan.KindApplication, Name: "Shop", Want: desired.Application{}},
		{Action: plan.Create, Kind: plan.KindCertificate, Name: "c", Want: certificate},
		{Action: plan.Update, Kind: plan.KindCertificate, Name: "d", Want: certificate, Have: plan.EndpointCertificate{Object: plan.Object{"alias": "d"}, Fingerprint: "old"}},
		{Action: plan.Create, Kind: plan.KindRole, Name: "Clerk", Want: desired.Role{}},
		{Action: plan.Update, Kind: plan.KindKey, Name: "same", Of: "application Shop", Want: desired.Key{}, Have: plan.Object{"keyMappingId": "m1"}},
		{Action: plan.Update, Kind: plan.KindKey, Name: "replaced", Of: "application Shop", Want: desired.Key{}, Have: plan.Object{"keyMappingId": "m2"}, Fields: []plan.Difference{secret}},
	} {
		r.done(c)
	}
	var got []string
	for _, o := range record.Owned() {
		got = append(got, o.Kind+" "+o.Name+" = "+o.ID)
	}
	same(t, "the record", got, "API Orders 1 = i1", "application Shop = a1", "endpoint certificate c = c ab12", "endpoint certificate d = c ab12",
		"key replaced = ", "key same = m1", "key manager IS = k1", "role Clerk = ", "user Ann = u1")
	if sent := record.Sent(plan.KindUser, "Ann", ""); !sent("password", "first") || sent("password", "second") {
		t.Error("the password that was sent is not known")
	}
}

// TestARunKeepsItsRecord after what it has made and removed; a failure to keep it ends no run.
func TestARunKeepsItsRecord(t *testing.T) {
	s, folder := startWith(t, every)
	path := filepath.Join(t.TempDir(), ".agent", "applied.json")
	run := func(file string, prune bool, save func(*owned.Record) error) {
		t.Helper()
		record, _, err := owned.Load(path)
		must(t, err)
		want := s.read(file, folder)
		want.Prune = prune
		if report := s.apply(want, Options{Record: record, Save: func() error { return save(record) }}); report.Failed() > 0 {
			t.Errorf("%q", lines(report))
		}
	}
	onDisk := func() []plan.OwnedObject {
		record, _, err := owned.Load(path)
		must(t, err)
		return record.Owned()
	}
	run(every, false, func(*owned.Record) error { return errors.New("the volume is full") })
	if len(onDisk()) > 0 {
		t.Error("there is a record")
	}
	save := func(r *owned.Record) error { return r.Save(path) }
	run(every, false, save)
	if n := len(onDisk()); n != 14 {
		t.Errorf("the record has %d objects", n)
	}
	changed := strings.Replace(every, "username: Ann, password: throwAway1", "username: Ann, password: another-Secret1", 1)
	record, _, err := owned.Load(path)
	must(t, err)
	want := s.read(changed, folder)
	want.Owned, want.Sent = record.Owned(), record.Sent
	s.planned(want, "update user Ann: password null -> \"*****\"")
	run(fewer, true, save)
	same(t, "the record", names(onDisk()), "API Keep 1", "application Shop", "key manager WSO2-IS", "subscription to API Keep 1")
}

// TestAFailureAfterARevisionMakesNoOtherOne: a new secret, which no server shows, is a difference until its change has succeeded.
func TestAFailureAfterARevisionMakesNoOtherOne(t *testing.T) {
	s, record := onlyAPIs(t), owned.New()
	file := func(password, state string) plan.Wanted {
		return s.read(`apis: [{name: Orders, version: "1", context: /orders, lifecycle: `+state+`, endpoints: {production: {url: "http://a:1", security: {type: BASIC, username: u, password: `+password+`}}}}]`, t.TempDir())
	}
	s.allMade(s.apply(file("throwAway1", "PUBLISHED"), Options{Record: record}))
	for _, f := range []wso2sim.Fault{
		{Kind: wso2sim.FaultStatus, Status: 503, Method: "POST", Path: "/api/am/publisher/v4/apis/*/deploy-revision", Count: 1},
		{Kind: wso2sim.FaultReset, After: true, Method: "POST", Path: "/api/am/publisher/v4/apis/*/deploy-revision", Count: 1},
		{Kind: wso2sim.FaultStatus, Status: 503, Method: "POST", Path: "/api/am/publisher/v4/apis/change-lifecycle", Count: 2},
	} {
		_, err := s.amFaults.Add(f)
		must(t, err)
	}
	s.amRequests.Reset()
	s.allMade(s.apply(file("throwAway2", "BLOCKED"), Options{Record: record}))
	if n := s.amRequests.Counts()["POST /api/am/publisher/v4/apis/{id}/revisions"]; n != 1 {
		t.Errorf("%d revisions", n)
	}
	for _, f := range s.amFaults.List() {
		if f.Hits != f.Count {
			t.Errorf("%s: %d of %d faults", f.Path, f.Hits, f.Count)
		}
	}
}
