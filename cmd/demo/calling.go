package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// The second half of the way: from two servers that trust each other to an API that answers.

func (s *show) registered() error {
	var last answer
	err := s.world.until(s.ctx, "API-M lists WSO2-IS as key manager", func() bool {
		last, _ = s.ask.get("https://"+s.world.am.address+"/api/am/admin/v4/key-managers", basic("admin", "admin"))
		return strings.Contains(string(last.body), `"WSO2-IS"`) && strings.Contains(string(last.body), `"WSO2-IS-7"`)
	})
	if err != nil {
		return fmt.Errorf("%w; API-M says: %s", err, last)
	}
	s.say("API-M lists WSO2-IS, of type WSO2-IS-7, beside its own Resident Key Manager")
	return nil
}

func (s *show) published() error {
	var why string
	err := s.world.until(s.ctx, "the agent beside API-M says that it is ready", func() bool {
		resp, err := http.Get("http://" + s.world.am.health + "/readyz")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		why = string(body)
		return resp.StatusCode == http.StatusOK
	})
	if err != nil {
		return fmt.Errorf("%w; it says: %s", err, why)
	}
	var list struct {
		List []struct{ Name, Context, Version, LifeCycleStatus string } `json:"list"`
	}
	var last answer
	err = s.world.until(s.ctx, "API-M's Publisher lists all APIs as published", func() bool { // its index lags behind
		last, _ = s.ask.get("https://"+s.world.am.address+"/api/am/publisher/v4/apis?limit=100", basic("admin", "admin"))
		list.List = nil
		if json.Unmarshal(last.body, &list) != nil || len(list.List) < 6 {
			return false
		}
		for _, api := range list.List {
			if api.LifeCycleStatus != "PUBLISHED" {
				return false
			}
		}
		return true
	})
	if err != nil {
		return fmt.Errorf("%w: %s", err, last)
	}
	for _, api := range list.List {
		s.say("%-18s %s/%s", api.Name, api.Context, api.Version)
	}
	return s.readKeys()
}

func (s *show) readKeys() error {
	info, err := os.Stat(s.world.keysFile())
	if err != nil {
		return err
	}
	data, err := os.ReadFile(s.world.keysFile())
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, &s.keys); err != nil {
		return err
	}
	if info.Mode().Perm() != 0o600 || s.keys.Production.ConsumerKey == "" || s.keys.Production.KeyManager != "WSO2-IS" {
		return fmt.Errorf("application-keys.json is not as it should be: mode %v, key manager %q", info.Mode().Perm(), s.keys.Production.KeyManager)
	}
	s.say("application-keys.json (mode 0600): application %q, keys by %s", s.keys.Application, s.keys.Production.KeyManager)
	return nil
}

func (s *show) fetchToken() error {
	p := s.keys.Production
	a, err := s.ask.form(p.TokenEndpoint, basic(p.ConsumerKey, p.ConsumerSecret), url.Values{"grant_type": {"client_credentials"}})
	if err != nil || a.status != http.StatusOK {
		return fmt.Errorf("%s: %w", p.TokenEndpoint, unexpected(a, err))
	}
	s.token = a.field("access_token")
	c, err := claims(s.token)
	if err != nil {
		return err
	}
	if want := "https://" + s.world.is.address + "/oauth2/token"; c["iss"] != want {
		return fmt.Errorf("the token's issuer is %v, not %s", c["iss"], want)
	}
	s.say("a JWT from %s; its issuer is Identity Server: %s", p.TokenEndpoint, c["iss"])
	return nil
}

// gateway calls a path of the gateway with a token and a new nonce, which the sample backend repeats.
func (s *show) gateway(path, token string) (answer, string, error) {
	nonce := rand.Text()
	authorization := ""
	if token != "" {
		authorization = "Bearer " + token
	}
	a, err := s.ask.get("https://"+s.world.gateway+path+"?nonce="+nonce, authorization)
	return a, nonce, err
}

func (s *show) call() error {
	a, nonce, err := s.gateway("/payments/1.0.0/hello", s.token)
	if err != nil || a.status != http.StatusOK || a.field("nonce") != nonce {
		return fmt.Errorf("the backend's answer with nonce %s was expected: %w", nonce, unexpected(a, err))
	}
	s.say("GET https://%s/payments/1.0.0/hello -> HTTP %d", s.world.gateway, a.status)
	s.say("sent the nonce %s, the backend behind the gateway repeats it: %s", nonce, a.field("nonce"))
	return nil
}

func (s *show) refused() error {
	if err := s.createUndeployed(); err != nil {
		return err
	}
	tampered := s.token[:len(s.token)-8] + "AAAAAAAA"
	for _, c := range []struct {
		what, path, token string
		status            int
		code              string
	}{
		{"no token", "/payments/1.0.0/hello", "", 401, "900902"},
		{"a token with a forged signature", "/payments/1.0.0/hello", tampered, 401, "900901"},
		{"an API without a subscription", "/payments-old/1.0.0/hello", s.token, 403, "900908"},
		{"an API with no deployed revision", "/undeployed/1.0.0/hello", s.token, 404, "404"},
	} {
		var a answer
		var failed error
		// The gateway learns of each API some time after it was deployed; until then it is 404 for every token.
		err := s.world.until(s.ctx, fmt.Sprintf("%s is answered with HTTP %d and code %s", c.what, c.status, c.code), func() bool {
			a, _, failed = s.gateway(c.path, c.token)
			return failed != nil || a.status == http.StatusOK || a.status == c.status && a.field("code") == c.code
		})
		if err != nil || failed != nil || a.status == http.StatusOK {
			return fmt.Errorf("%s: %w", c.what, errors.Join(err, unexpected(a, failed)))
		}
		s.say("%-33s HTTP %d, code %s", c.what, a.status, a.field("code"))
	}
	return s.notAdministrator()
}

// notAdministrator tries the two ways by which every key is an administrator of Identity Server with the settings of the
// integration guide.
func (s *show) notAdministrator() error {
	p := s.keys.Production
	a, err := s.ask.form(p.TokenEndpoint, basic(p.ConsumerKey, p.ConsumerSecret), url.Values{"grant_type": {"client_credentials"}, "scope": {"internal_user_mgt_list"}})
	if err != nil || a.status != http.StatusOK || a.field("scope") != "" {
		return fmt.Errorf("ask for a scope of Identity Server's administration: %w", unexpected(a, err))
	}
	s.say("%-33s HTTP %d, not granted", "a scope of IS's administration", a.status)
	for _, path := range []string{"/scim2/Users", "/wso2/scim/Users"} {
		b, err := s.ask.get("https://"+s.world.is.address+path, "Bearer "+a.field("access_token"))
		if err != nil || b.status != http.StatusForbidden {
			return fmt.Errorf("list the users of Identity Server with it: %w", unexpected(b, err))
		}
		s.say("%-33s HTTP %d", "IS's users, by "+path, b.status)
	}
	return nil
}

// createUndeployed makes an API by hand that nobody deploys.
func (s *show) createUndeployed() error {
	body, err := json.Marshal(map[string]any{
		"name": "Undeployed API", "version": "1.0.0", "context": "/undeployed", "policies": []string{"Unlimited"},
		"endpointConfig": map[string]any{"endpoint_type": "http", "production_endpoints": map[string]string{"url": s.world.backend}},
	})
	if err != nil {
		return err
	}
	a, err := s.ask.do(http.MethodPost, "https://"+s.world.am.address+"/api/am/publisher/v4/apis", basic("admin", "admin"), "application/json", body)
	if err != nil || a.status != http.StatusCreated {
		return fmt.Errorf("make an API that is not deployed: %w", unexpected(a, err))
	}
	return nil
}

func (s *show) revoked() error {
	p := s.keys.Production
	a, err := s.ask.form("https://"+s.world.is.address+"/oauth2/revoke", basic(p.ConsumerKey, p.ConsumerSecret), url.Values{"token": {s.token}})
	if err != nil || a.status != http.StatusOK {
		return fmt.Errorf("revoke: %w", unexpected(a, err))
	}
	at := time.Now()
	err = s.world.until(s.ctx, "the gateway refuses the revoked token", func() bool {
		a, _, err = s.gateway("/payments/1.0.0/hello", s.token)
		return err == nil && a.status == http.StatusUnauthorized
	})
	if err != nil {
		return err
	}
	s.say("revoked at Identity Server, which tells API-M over HTTPS; the gateway refuses it %d ms later: HTTP %d, code %s",
		time.Since(at).Milliseconds(), a.status, a.field("code"))
	return nil
}

func (s *show) secondRun() error {
	w := s.world
	cmd := exec.CommandContext(s.ctx, filepath.Join(w.bin, "agent"), "bootstrap")
	cmd.Env = append(w.settings(w.am), "LOG_FORMAT=json")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("agent bootstrap: %w\n%s", err, out)
	}
	changes := -1
	for line := range strings.Lines(string(out)) {
		var entry struct {
			Msg     string `json:"msg"`
			Changes *int   `json:"changes"`
		}
		if json.Unmarshal([]byte(line), &entry) == nil && strings.HasPrefix(entry.Msg, "everything works") && entry.Changes != nil {
			changes = *entry.Changes
		}
	}
	if changes != 0 || w.is.starts() != 2 || w.am.starts() != 2 {
		return fmt.Errorf("`agent bootstrap` made %d changes, and the servers were started %d and %d times\n%s", changes, w.is.starts(), w.am.starts(), out)
	}
	s.say("`agent bootstrap`, run again: %d changes on the servers, and no further restart", changes)
	return nil
}
