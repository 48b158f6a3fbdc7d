package objects

import (
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/actual"
	"wso2agent/internal/apply"
	"wso2agent/internal/bootstrap"
	"wso2agent/internal/desired"
	"wso2agent/internal/lease"
	"wso2agent/internal/wso2"
	"wso2agent/internal/wso2sim"
	"wso2agent/internal/wso2sim/pair"
)

func TestMain(m *testing.M) { os.Exit(pair.Main(m)) }

// servers are stand-ins, and what the functions of this package need of them.
type servers struct {
	*pair.Servers
	connected bootstrap.Servers
	settings  bootstrap.Settings
	single    apply.Single
}

func start(t *testing.T, change func(*wso2sim.Options)) servers {
	p := pair.Start(t, change)
	account := wso2.Credentials{User: "admin", Password: "admin", Source: "the test", Lockout: &wso2.Lockout{}}
	settings := bootstrap.Settings{AMURL: p.AM.URL(), GatewayURL: p.AM.GatewayURL(), ISURL: p.IS.URL(), KMName: "WSO2-IS", KeyManagerName: "WSO2-IS", AMCredentials: account, ISCredentials: account}
	single := apply.Single{Clients: actual.Connect(p.Client, settings), Log: slog.New(slog.DiscardHandler), KeyManager: "WSO2-IS"}
	return servers{p, bootstrap.Connect(p.Client, settings), settings, single}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestADeletionNamesTheClientsThatStay: as recorded, API-M deletes an application and answers 200 although IS refuses to delete its client.
// A person then deletes the client.
func TestADeletionNamesTheClientsThatStay(t *testing.T) {
	p := start(t, nil)
	s, ctx := p.single, t.Context()
	_, err := bootstrap.Register(ctx, s.Log, p.connected, p.settings, &desired.File{}, nil)
	must(t, err)
	app, err := CreateApplication(ctx, s.DevPortal, "Shop", "Unlimited", "")
	must(t, err)
	key, made, err := MakeKey(ctx, s, app, "WSO2-IS", desired.Key{Type: desired.Text{Set: true, Value: wso2.Production}})
	must(t, err)
	if again, madeAgain, err := MakeKey(ctx, s, app, "WSO2-IS", desired.Key{Type: desired.Text{Set: true, Value: wso2.Production}}); err != nil || !made || madeAgain || again.ConsumerKey != key.ConsumerKey || again.Secret != key.Secret {
		t.Errorf("made %t and %t, keys %q and %q, error %v", made, madeAgain, key.ConsumerKey, again.ConsumerKey, err)
	}

	if km, err := ReadKeyManager(ctx, s.Admin, "WSO2-IS"); err != nil || len(km.Applications) != 1 || km.Applications[0] != "Shop of admin" || len(km.APIs) > 0 || km.User != "admin" {
		t.Errorf("%+v, %v", km, err)
	}
	if changed, err := EnableKeyManager(ctx, s.Admin, "WSO2-IS", true); changed || err != nil {
		t.Errorf("enabled already: changed %t, %v", changed, err)
	}
	_, err = s.DevPortal.CreateApplication(ctx, lease.Application, "Unlimited", "")
	must(t, err)
	if list, err := Applications(ctx, s.DevPortal); err != nil || len(list) != 2 || list[0].Name != "DefaultApplication" || list[1].Name != "Shop" {
		t.Errorf("with a lease the applications are %+v, %v", list, err)
	}
	removal, err := RemoveApplication(ctx, s, "Shop")
	must(t, err)
	id, err := p.ISFaults.Add(wso2sim.Fault{Kind: wso2sim.FaultStatus, Method: "DELETE", Path: "/api/identity/oauth2/dcr/**", Status: 403})
	must(t, err)
	stays, err := removal.Do(ctx)
	must(t, err)
	if len(stays) != 1 || !strings.Contains(stays[0], "agent clients delete "+key.ConsumerKey) {
		t.Errorf("stays %q", stays)
	}
	p.ISFaults.Remove(id)

	clients := ClientServers{Applications: p.connected.Scopes, Registration: p.connected.IS, DevPortal: p.connected.DevPortal, User: "admin"}
	left, err := FindClient(ctx, clients, key.ConsumerKey)
	must(t, err)
	if left.Application != Deleted || left.Owner != "admin@carbon.super" {
		t.Errorf("%+v", left)
	}
	if _, err := RemoveClient(ctx, clients, left.Name, map[string]string{key.ConsumerKey: "IS_CLIENT_ID"}); err == nil || !strings.Contains(err.Error(), "set IS_CLIENT_ID to another client first") {
		t.Errorf("the client that the agent uses: %v", err)
	}
	removal, err = RemoveClient(ctx, clients, left.Name, nil)
	must(t, err)
	if stays, err := removal.Do(ctx); err != nil || len(stays) > 0 || removal.Warning != "" {
		t.Errorf("stays %q, warning %q, error %v", stays, removal.Warning, err)
	}
	if found, err := p.connected.IS.HasClient(ctx, key.ConsumerKey); err != nil || found {
		t.Errorf("the client is there: %t, %v", found, err)
	}
}

// TestAnAPIIsDeletedInTheStateThatItHas: the list of API-M is behind, and shows an API that somebody has just published as created.
func TestAnAPIIsDeletedInTheStateThatItHas(t *testing.T) {
	p := start(t, func(o *wso2sim.Options) { o.Delays.Index = wso2sim.Span{Min: time.Second, Max: time.Second} })
	s, ctx := p.single, t.Context()
	api, err := s.Publisher.CreateAPIObject(ctx, map[string]any{"name": "Orders", "version": "1", "context": "/orders", "policies": []any{"Unlimited"},
		"endpointConfig": map[string]any{"endpoint_type": "http", "production_endpoints": map[string]any{"url": "http://a:1"}}})
	must(t, err)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		_, err := FindAPI(ctx, s.Publisher, "Orders")
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	_, err = s.Publisher.ChangeLifecycle(ctx, api.ID, "Publish")
	must(t, err)
	_, err = CreateApplication(ctx, s.DevPortal, "Shop", "Unlimited", "")
	must(t, err)
	_, added, err := Subscribe(ctx, s, "Shop", "Orders", "")
	must(t, err)
	if _, err := RemoveAPI(ctx, s, "Orders", false); !added || !errors.Is(err, bootstrap.ErrPermanent) || !strings.Contains(err.Error(), "Shop of admin") {
		t.Errorf("added %t, and then %v", added, err)
	}
	t.Run("an API is not retired if another application has subscribed than a person knows", func(t *testing.T) {
		transition, err := FindTransition(ctx, s.Publisher, "Orders", "retired")
		must(t, err)
		_, err = CreateApplication(ctx, s.DevPortal, "Late", "Unlimited", "")
		must(t, err)
		_, _, err = Subscribe(ctx, s, "Late", "Orders", "")
		must(t, err)
		if err := transition.Make(ctx, s); err == nil || !strings.Contains(err.Error(), `application "Late" of admin has subscribed in the meantime`) {
			t.Errorf("%v", err)
		}
		now, err := s.Publisher.APIObject(ctx, api.ID)
		if must(t, err); now.Fields["lifeCycleStatus"] != "PUBLISHED" {
			t.Errorf("the state is %v", now.Fields["lifeCycleStatus"])
		}
	})
	removal, err := RemoveAPI(ctx, s, "Orders:1", true)
	must(t, err)
	_, err = removal.Do(ctx)
	must(t, err)
	if _, err := s.Publisher.APIObject(ctx, api.ID); !actual.IsGone(err) {
		t.Errorf("the API is there: %v", err)
	}
}
