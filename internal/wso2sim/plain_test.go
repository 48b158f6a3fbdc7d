package wso2sim

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestThePlainPortServesTheSameInClearText(t *testing.T) {
	p := newPair(t)
	is, err := StartIS(t.Context(), Options{Home: p.isHome, Listen: "127.0.0.1:0", Plain: "127.0.0.1:0", Wrap: p.wrap})
	if err != nil {
		t.Fatal(err)
	}
	defer is.Close()
	p.wait(is)
	am, err := StartAM(t.Context(), Options{Home: p.amHome, Listen: "127.0.0.1:0", Gateway: "127.0.0.1:0", Plain: "127.0.0.1:0", Wrap: p.wrap})
	if err != nil {
		t.Fatal(err)
	}
	defer am.Close()
	p.wait(am)
	for _, tc := range []struct {
		name, path string
		server     Server
		who        auth
		say        string
	}{
		{"discovery of IS, whose issuer is that of the TLS port", "/oauth2/token/.well-known/openid-configuration", is, anonymous, is.Issuer()},
		{"a client that IS does not have", registerPath + "?client_name=none", is, admin, ""},
		{"the version of API Manager", "/services/Version", am, anonymous, "WSO2 API Manager-4.5.0"},
		{"the health check of API Manager", "/api/am/gateway/v2/server-startup-healthcheck", am, anonymous, ""},
		{"a REST API of API Manager", publisherPath + "/apis", am, admin, `"count":0`},
		{"a REST API of API Manager without credentials", publisherPath + "/apis", am, anonymous, "Unauthenticated request"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if !strings.HasPrefix(tc.server.PlainURL(), "http://") {
				t.Fatalf("the address is %q", tc.server.PlainURL())
			}
			plain := send(t, "GET", tc.server.PlainURL()+tc.path, tc.who, nil)
			secure := send(t, "GET", tc.server.URL()+tc.path, tc.who, nil)
			if plain.status != secure.status || plain.text != secure.text || !strings.Contains(plain.text, tc.say) {
				t.Errorf("in clear text %d %s\nover TLS %d %s", plain.status, plain.text, secure.status, secure.text)
			}
		})
	}
	t.Run("a token from there is one of the same issuer", func(t *testing.T) {
		client := send(t, "POST", is.PlainURL()+registerPath, admin, object{
			"client_name": "c", "grant_types": []string{"client_credentials"}, "token_type_extension": "JWT",
		}).want(t, 201)
		got := token(t, is.PlainURL(), reply{body: map[string]any{"consumerKey": client.str("client_id"), "consumerSecret": client.str("client_secret")}})
		if parsed, err := parseJWT(got); err != nil || parsed.claims.Issuer != is.Issuer() {
			t.Errorf("the issuer is %q: %v", parsed.claims.Issuer, err)
		}
	})
}

func TestThePlainPortComesUpWithTheOther(t *testing.T) {
	p := newPair(t)
	p.startAM()
	if at := p.am.PlainURL(); at != "" {
		t.Errorf("nobody asked for a plain port, and it is %s", at)
	}
	i, err := Launch(t.Context(), ProductIS, Options{Home: p.isHome, Listen: "127.0.0.1:0", Plain: "127.0.0.1:0",
		Delays: Delays{ISBoot: Span{time.Second, time.Second}}})
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	at := i.Server().PlainURL()
	if _, err := insecure().Get(at + "/oauth2/jwks"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("while the server boots the plain port answers with %v, want a refused connection", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := i.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	send(t, "GET", at+"/oauth2/jwks", anonymous, nil).want(t, 200)
	i.Faults().SetOutage(true)
	if _, err := insecure().Get(at + "/oauth2/jwks"); err == nil {
		t.Error("the plain port answers in an outage")
	}
	i.Faults().SetOutage(false)
	send(t, "GET", at+"/oauth2/jwks", anonymous, nil).want(t, 200)
}
