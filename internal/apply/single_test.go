package apply

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"wso2agent/internal/desired"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/keysfile"
	"wso2agent/internal/owned"
	"wso2agent/internal/plan"
	"wso2agent/internal/wso2"
	"wso2agent/internal/wso2sim"
)

// single returns what makes single changes.
func (s *servers) single() Single {
	return Single{Clients: s.clients(), Log: slog.New(slog.DiscardHandler), KeyManager: s.settings.KMName, EventWait: time.Millisecond}
}

// TestSingleChanges: one installation, and the changes that a person can order one after the other.
func TestSingleChanges(t *testing.T) {
	s, folder := startWith(t, every)
	single, ctx := s.single(), t.Context()
	have := s.have(s.read(every, folder))
	orders := have.APIs[plan.APIName{Name: "Orders", Version: "1.0.0"}].Object
	id, shopID := textOf(orders, "id"), textOf(have.Applications["Shop"].Object, "applicationId")
	var sandbox Credentials

	t.Run("a deployment at the limit of revisions makes room", func(t *testing.T) {
		for range 8 { // API-M allows fewer
			revisions, err := single.Publisher.Revisions(ctx, id)
			must(t, err)
			must(t, single.Deploy(ctx, orders, revisions, revisions[len(revisions)-1].Deployments))
		}
		revisions, err := single.Publisher.Revisions(ctx, id)
		must(t, err)
		if last := revisions[len(revisions)-1]; len(last.Deployments) != 1 || last.Description != plan.Stamp(orders) || len(revisions) > 5 {
			t.Errorf("%d revisions, the last one %+v", len(revisions), last)
		}
	})

	t.Run("a key whose first try fails is made", func(t *testing.T) {
		_, err := s.isFaults.Add(wso2sim.Fault{Kind: wso2sim.FaultStatus, Method: "POST", Path: "/api/identity/oauth2/dcr/v1.1/register", Status: 500, Count: 1})
		must(t, err)
		app, err := single.DevPortal.ApplicationObject(ctx, shopID)
		must(t, err)
		manager, err := single.Admin.KeyManagerObject(ctx, textOf(have.KeyManagers["WSO2-IS"], "id"))
		must(t, err)
		key, err := single.MakeKey(ctx, app, manager, desired.Key{Type: desired.Text{Set: true, Value: wso2.Sandbox}})
		must(t, err)
		found, err := single.IS.HasClient(ctx, key.ConsumerKey)
		if err != nil || !found || key.ConsumerSecret == "" {
			t.Errorf("client %q: %t, %v, secret %t", key.ConsumerKey, found, err, key.ConsumerSecret != "")
		}
		sandbox = key
	})

	t.Run("a key whose answer is lost is the key", func(t *testing.T) {
		_, err := s.amFaults.Add(wso2sim.Fault{Kind: wso2sim.FaultReset, After: true, Method: "POST", Path: "/api/am/devportal/v3/applications/*/generate-keys", Count: 1})
		must(t, err)
		must(t, single.DevPortal.DeleteKeys(ctx, shopID, sandbox.MappingID))
		app, err := single.DevPortal.ApplicationObject(ctx, shopID)
		must(t, err)
		manager, err := single.Admin.KeyManagerObject(ctx, textOf(have.KeyManagers["WSO2-IS"], "id"))
		must(t, err)
		short, stop := context.WithTimeout(ctx, 30*time.Second)
		defer stop()
		key, err := single.MakeKey(short, app, manager, desired.Key{Type: desired.Text{Set: true, Value: wso2.Sandbox}})
		must(t, err)
		found, err := single.IS.HasClient(ctx, key.ConsumerKey)
		if err != nil || !found || key.ConsumerSecret == "" {
			t.Errorf("client %q: %t, %v, secret %t", key.ConsumerKey, found, err, key.ConsumerSecret != "")
		}
	})

	t.Run("a lifecycle without a legal way is for a person", func(t *testing.T) {
		must(t, single.ChangeLifecycle(ctx, orders, "DEPRECATED", nil))
		now, err := single.Publisher.APIObject(ctx, id)
		must(t, err)
		if err := single.ChangeLifecycle(ctx, now.Fields, "PUBLISHED", nil); now.Fields["lifeCycleStatus"] != "DEPRECATED" || !errors.Is(err, bootstrap.ErrPermanent) {
			t.Errorf("the state is %v, and then %v", now.Fields["lifeCycleStatus"], err)
		}
	})

	t.Run("an API stays if another application has subscribed than a person knows", func(t *testing.T) {
		left := plan.Left{OwnedObject: plan.OwnedObject{Kind: plan.KindAPI, Name: "Orders 1.0.0", ID: id}, State: "DEPRECATED", Subscribers: []plan.Subscriber{{Subscription: "other"}}}
		if err := single.Remove(ctx, left); err == nil || !strings.Contains(err.Error(), `application "Shop" of admin has subscribed in the meantime`) {
			t.Errorf("%v", err)
		}
		subscribers, err := single.Publisher.Subscribers(ctx, id)
		must(t, err)
		left.Subscribers = []plan.Subscriber{{Subscription: subscribers[0].Subscription}}
		must(t, single.Remove(ctx, left))
		must(t, single.Remove(ctx, plan.Left{OwnedObject: plan.OwnedObject{Kind: plan.KindAPI, ID: id}})) // it is gone
	})

	t.Run("a refusal is for a person", func(t *testing.T) {
		left := plan.Left{OwnedObject: plan.OwnedObject{Kind: plan.KindKeyManager, Name: "WSO2-IS", ID: textOf(have.KeyManagers["WSO2-IS"], "id")}}
		if err := single.Remove(ctx, left); !errors.Is(err, bootstrap.ErrPermanent) || !wso2.HasCode(err, wso2.CodeKeyManagerInUse) {
			t.Errorf("%v", err)
		}
	})
}

// TestForget: only the record of the object itself counts, not of another one with its name.
func TestForget(t *testing.T) {
	files := bootstrap.Files{Keys: keysfile.Files{JSON: filepath.Join(t.TempDir(), "keys.json")}}
	shop := plan.OwnedObject{Kind: plan.KindApplication, Name: "Shop", ID: "1"}
	if known, err := Forget(files, shop); known || err != nil {
		t.Fatalf("without a record: %t, %v", known, err)
	}
	path := owned.Path(files.Keys.JSON)
	record := owned.New()
	record.Settle([]plan.Found{{OwnedObject: shop}, {OwnedObject: plan.OwnedObject{Kind: plan.KindKey, Name: "production of key manager K", Of: "application Shop", ID: "k"}},
		{OwnedObject: plan.OwnedObject{Kind: plan.KindAPI, Name: "Shop", ID: "1"}}}, nil)
	must(t, os.MkdirAll(filepath.Dir(path), 0o700))
	must(t, record.Save(path))
	must(t, files.Keys.Write([]keysfile.Key{{Application: "Shop", ApplicationID: "1"}, {Application: "Desk", ApplicationID: "2"}}))

	other := shop
	other.ID = "another database"
	for _, tc := range []struct {
		o     plan.OwnedObject
		known bool
		left  int // objects in the record
		keys  string
	}{{other, false, 3, "[Shop Desk]"}, {shop, true, 1, "[Desk]"}, {shop, false, 1, "[Desk]"}} {
		known, err := Forget(files, tc.o)
		must(t, err)
		record, _, err := owned.Load(path)
		must(t, err)
		data, err := os.ReadFile(files.Keys.JSON)
		must(t, err)
		keys, err := keysfile.Decode(data)
		must(t, err)
		var names []string
		for _, k := range keys {
			names = append(names, k.Application)
		}
		if left := len(record.Owned()); known != tc.known || left != tc.left || fmt.Sprint(names) != tc.keys {
			t.Errorf("%+v: known %t, %d objects, keys of %v, want %t, %d, %s", tc.o, known, left, names, tc.known, tc.left, tc.keys)
		}
	}
}
