package objects

import (
	"log/slog"
	"os"
	"strings"
	"testing"

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

// TestADeletionNamesTheClientsThatStay: as recorded, API-M deletes an application and answers 200 although IS refuses to delete its client.
// A person then deletes the client.
func TestADeletionNamesTheClientsThatStay(t *testing.T) {
	p := pair.Start(t, nil)
	account := wso2.Credentials{User: "admin", Password: "admin", Source: "the test", Lockout: &wso2.Lockout{}}
	settings := bootstrap.Settings{AMURL: p.AM.URL(), GatewayURL: p.AM.GatewayURL(), ISURL: p.IS.URL(), KMName: "WSO2-IS", KeyManagerName: "WSO2-IS", AMCredentials: account, ISCredentials: account}
	ctx, servers := t.Context(), bootstrap.Connect(p.Client, settings)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	log := slog.New(slog.DiscardHandler)
	_, err := bootstrap.Register(ctx, log, servers, settings, &desired.File{})
	must(err)
	s := apply.Single{Clients: actual.Connect(p.Client, settings), Log: log, KeyManager: "WSO2-IS"}
	app, err := CreateApplication(ctx, s.DevPortal, "Shop", "Unlimited", "")
	must(err)
	key, made, err := MakeKey(ctx, s, app, "WSO2-IS", wso2.Production)
	must(err)
	if again, madeAgain, err := MakeKey(ctx, s, app, "WSO2-IS", wso2.Production); err != nil || !made || madeAgain || again.ConsumerKey != key.ConsumerKey || again.Secret != key.Secret {
		t.Errorf("made %t and %t, keys %q and %q, error %v", made, madeAgain, key.ConsumerKey, again.ConsumerKey, err)
	}

	_, err = s.DevPortal.CreateApplication(ctx, lease.Application, "Unlimited", "")
	must(err)
	if list, err := Applications(ctx, s.DevPortal); err != nil || len(list) != 2 || list[0].Name != "DefaultApplication" || list[1].Name != "Shop" {
		t.Errorf("with a lease the applications are %+v, %v", list, err)
	}
	removal, err := RemoveApplication(ctx, s, "Shop")
	must(err)
	id, err := p.ISFaults.Add(wso2sim.Fault{Kind: wso2sim.FaultStatus, Method: "DELETE", Path: "/api/identity/oauth2/dcr/**", Status: 403})
	must(err)
	stays, err := removal.Do(ctx)
	must(err)
	if len(stays) != 1 || !strings.Contains(stays[0], "agent clients delete "+key.ConsumerKey) {
		t.Errorf("stays %q", stays)
	}
	p.ISFaults.Remove(id)

	clients := ClientServers{Applications: servers.Scopes, Registration: servers.IS, DevPortal: servers.DevPortal, User: "admin"}
	left, err := FindClient(ctx, clients, key.ConsumerKey)
	must(err)
	if left.Application != Deleted || left.Owner != "admin@carbon.super" {
		t.Errorf("%+v", left)
	}
	if _, err := RemoveClient(ctx, clients, left.Name, map[string]string{key.ConsumerKey: "IS_CLIENT_ID"}); err == nil || !strings.Contains(err.Error(), "set IS_CLIENT_ID to another client first") {
		t.Errorf("the client that the agent uses: %v", err)
	}
	removal, err = RemoveClient(ctx, clients, left.Name, nil)
	must(err)
	if stays, err := removal.Do(ctx); err != nil || len(stays) > 0 || removal.Warning != "" {
		t.Errorf("stays %q, warning %q, error %v", stays, removal.Warning, err)
	}
	if found, err := servers.IS.HasClient(ctx, key.ConsumerKey); err != nil || found {
		t.Errorf("the client is there: %t, %v", found, err)
	}
}
