package verify_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/actual"
	"wso2agent/internal/config"
	"wso2agent/internal/desired"
	"wso2agent/internal/verify"
	"wso2agent/internal/wso2sim"
)

// subject is the site as somebody sees it who has the addresses and the passwords, and no volume.
func (s *site) subject(t *testing.T, d *desired.File) verify.Subject {
	t.Helper()
	settings := s.settings("WSO2-IS")
	want, err := actual.Want(t.Context(), d, settings)
	must(t, err)
	var cfg config.Config
	hostPort := func(address string) (string, int) {
		var n int
		h, p, _ := strings.Cut(host(t, address), ":")
		fmt.Sscan(p, &n)
		return h, n
	}
	cfg.IS.Host, cfg.IS.Port = hostPort(s.is.URL())
	cfg.AM.Host, cfg.AM.Port = hostPort(s.am.URL())
	cfg.Gateway.Host, cfg.Gateway.Port = hostPort(s.am.GatewayURL())
	cfg.IS.Container, cfg.Scopes.Mode = "wso2is-1", "authorize"
	cfg.Trust.ExchangeDir = filepath.Join(filepath.Dir(s.isHome), "exchange")
	cfg.Bootstrap.KeysFile = filepath.Join(filepath.Dir(s.isHome), "keys.json")
	return verify.Subject{Config: cfg, Settings: settings, Client: s.client, Want: want}
}

// inspect runs the checks, and returns the results by id.
func (s *site) inspect(t *testing.T, subject verify.Subject, o verify.Selection) map[string]verify.Check {
	t.Helper()
	checks, err := verify.All(t.Context(), testLog(t), subject, o)
	if err != nil && !errors.Is(err, verify.ErrFailed) {
		t.Fatal(err)
	}
	byID := map[string]verify.Check{}
	failed := false
	for _, c := range checks {
		if other, again := byID[c.ID]; !again || other.Verdict != verify.Fail {
			byID[c.ID] = c
		}
		failed = failed || c.Verdict == verify.Fail
		t.Logf("%s %s: %s | %s", c.Verdict, c.ID, c.Evidence, c.Remedy)
	}
	if failed != (err != nil) {
		t.Errorf("error %v", err)
	}
	return byID
}

func TestEveryCheckOfAWorkingSitePasses(t *testing.T) {
	s := open(t, wso2sim.Delays{})
	d := s.desired(t)
	s.run(t, s.settings("WSO2-IS"), d)
	subject := s.subject(t, d)
	s.requests.take()
	s.inspect(t, subject, verify.Selection{})
	if requests := s.requests.take(); !slices.Equal(requests, []string{"POST /api/am/admin/v4/key-managers/discover", "POST /oauth2/token"}) {
		t.Errorf("a run without --write sends %q", requests)
	}
	got := s.inspect(t, subject, verify.Selection{Write: true, Wait: 10 * time.Second})
	for _, id := range []string{"trust.am", "km.jwks", "api.called", "token.password", "gateway.subscription", "gateway.revoked", "notify.endpoint"} {
		if got[id].Verdict != verify.Pass {
			t.Errorf("%s: %+v", id, got[id])
		}
	}
}
