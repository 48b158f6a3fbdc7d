package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"wso2agent/internal/keystore"
)

// show goes through the steps and tells of them.
type show struct {
	ctx   context.Context
	out   io.Writer
	world *world
	ask   *asker
	began time.Time
	steps int

	before map[string]map[string]string // entries of the truststores, by server
	keys   keysFile
	token  string
}

// keysFile is what people read from application-keys.json.
type keysFile struct {
	Application string `json:"application"`
	Production  struct {
		ConsumerKey    string `json:"consumerKey"`
		ConsumerSecret string `json:"consumerSecret"`
		KeyManager     string `json:"keyManager"`
		TokenEndpoint  string `json:"tokenEndpoint"`
	} `json:"production"`
}

// all is the whole way. The first step that does not hold ends it.
func (s *show) all() error {
	fmt.Fprint(s.out, "The agent at work, with stand-ins for both servers: no WSO2 software runs here.\n"+
		"The stand-ins use the products' file formats and take a tenth of the time of real servers.\n")
	for _, step := range []struct {
		title string
		do    func() error
	}{
		{"Start both servers, each under `agent exec`", s.startServers},
		{"They do not trust each other", s.distrust},
		{"Start an agent beside each server (`agent run`)", s.startAgents},
		{"The agents import each other's certificate", s.imported},
		{"Each server is restarted, once, since it reads its truststore only at its start", s.restarted},
		{"Now they trust each other", s.trust},
		{"Identity Server is registered in API Manager as key manager", s.registered},
		{"The APIs are published, with an application, subscriptions and keys", s.published},
		{"A token from Identity Server", s.fetchToken},
		{"An API called through the gateway with that token", s.call},
		{"What must be refused is refused", s.refused},
		{"A token revoked at Identity Server is refused too", s.revoked},
		{"A second run of everything changes nothing", s.secondRun},
	} {
		s.steps++
		fmt.Fprintf(s.out, "\n%5.1f s  %d. %s\n", time.Since(s.began).Seconds(), s.steps, step.title)
		if err := step.do(); err != nil {
			return fmt.Errorf("step %d, %s: %w", s.steps, strings.ToLower(step.title), err)
		}
	}
	fmt.Fprintf(s.out, "\nAll %d steps held, in %.1f s: from two servers that did not trust each other to an API called with a token\n"+
		"from Identity Server, with one restart of each and no manual step.\n", s.steps, time.Since(s.began).Seconds())
	return nil
}

// say prints a line below the current step.
func (s *show) say(format string, args ...any) {
	fmt.Fprintf(s.out, "           "+format+"\n", args...)
}

func (s *show) startServers() (err error) {
	w := s.world
	if s.ask, err = newAsker(s.ctx, w.is, w.am); err != nil {
		return err
	}
	if _, err := w.start("backend", "wso2sim", []string{"backend", "--listen", strings.TrimPrefix(w.backend, "http://")}, nil); err != nil {
		return err
	}
	for _, server := range []side{w.is, w.am} {
		if _, err := w.startServer(server); err != nil {
			return err
		}
	}
	if err := w.until(s.ctx, "both servers answer", s.bothAnswer); err != nil {
		return err
	}
	s.say("Identity Server's stand-in answers at https://%s, API Manager's at https://%s", w.is.address, w.am.address)
	return nil
}

// bothAnswer asks what only a server that is wholly up can answer.
func (s *show) bothAnswer() bool {
	is, err := s.ask.get("https://"+s.world.is.address+"/oauth2/token/.well-known/openid-configuration", "")
	if err != nil || is.field("issuer") == "" {
		return false
	}
	am, err := s.ask.get("https://"+s.world.am.address+"/api/am/admin/v4/key-managers", basic("admin", "admin"))
	return err == nil && am.status == http.StatusOK
}

func (s *show) distrust() error {
	s.before = map[string]map[string]string{}
	for _, pair := range [][2]side{{s.world.am, s.world.is}, {s.world.is, s.world.am}} {
		leaf, err := leafOf(pair[1])
		if err != nil {
			return err
		}
		entries, err := entriesOf(pair[0])
		if err != nil {
			return err
		}
		for alias, what := range entries {
			if strings.HasSuffix(what, leaf.Fingerprint().String()) {
				return fmt.Errorf("%s's truststore holds the certificate of %s already, under %s", pair[0].name, pair[1].name, alias)
			}
		}
		s.before[pair[0].name] = entries
		s.say("%s's truststore has %d entries; the certificate of %s is not among them", pair[0].name, len(entries), pair[1].name)
	}
	a, err := s.ask.discover(s.world.am, s.world.is)
	if err != nil || a.status != http.StatusInternalServerError {
		return fmt.Errorf("API-M was expected to fail to reach IS over TLS: %w", unexpected(a, err))
	}
	s.say("API-M, asked to read Identity Server's settings over HTTPS, fails: HTTP %d", a.status)
	return nil
}

// entriesOf are the aliases in the truststore on a server's config volume, each with what stands there.
func entriesOf(s side) (map[string]string, error) {
	name := map[string]string{"is": "client-truststore.p12", "am": "client-truststore.jks"}[s.product]
	data, err := os.ReadFile(filepath.Join(s.volume, "repository/resources/security", name))
	if err != nil {
		return nil, err
	}
	store, err := keystore.Open(data, "wso2carbon")
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for _, e := range store.Entries() {
		all[e.Alias] = string(e.Kind)
		if len(e.Chain) > 0 {
			all[e.Alias] += " " + e.Chain[0].Fingerprint().String()
		}
	}
	return all, nil
}

func (s *show) startAgents() error {
	w := s.world
	for _, server := range []side{w.is, w.am} {
		if _, err := w.startAgent(server); err != nil {
			return err
		}
	}
	for _, server := range []side{w.is, w.am} {
		path := filepath.Join(w.exchange(), server.name, "certs.pem")
		published := func() bool { _, err := os.Stat(path); return err == nil }
		if err := w.until(s.ctx, "the certificate of "+server.name+" is on the exchange volume", published); err != nil {
			return err
		}
		leaf, err := leafOf(server)
		if err != nil {
			return err
		}
		s.say("%s published its certificate, SHA-256 %.23s…", server.name, leaf.Fingerprint())
	}
	return nil
}

func (s *show) imported() error {
	for _, pair := range [][2]side{{s.world.am, s.world.is}, {s.world.is, s.world.am}} {
		leaf, err := leafOf(pair[1])
		if err != nil {
			return err
		}
		want := maps.Clone(s.before[pair[0].name])
		want[pair[1].name] = "certificate " + leaf.Fingerprint().String()
		var failed error
		err = s.world.until(s.ctx, pair[0].name+"'s truststore has changed", func() bool {
			entries, err := entriesOf(pair[0])
			failed = err
			if err == nil && len(entries) != len(s.before[pair[0].name]) && !maps.Equal(entries, want) {
				failed = fmt.Errorf("%s's truststore is not as before with one entry more: %v", pair[0].name, entries)
			}
			return failed != nil || maps.Equal(entries, want)
		})
		if err = errors.Join(err, failed); err != nil {
			return err
		}
		s.say("%s's truststore has it under the alias %s; its %d other entries are as they were", pair[0].name, pair[1].name, len(want)-1)
	}
	return nil
}

func (s *show) restarted() error {
	w := s.world
	err := w.until(s.ctx, "both servers were started a second time and answer", func() bool {
		return w.is.starts() >= 2 && w.am.starts() >= 2 && s.bothAnswer()
	})
	if err != nil {
		return err
	}
	s.say("both answer again; by their own logs each was started %d times", w.is.starts())
	return nil
}

func (s *show) trust() error {
	a, err := s.ask.discover(s.world.am, s.world.is)
	if err != nil || a.status != http.StatusOK {
		return fmt.Errorf("API-M still cannot reach IS: %w", unexpected(a, err))
	}
	s.say("API-M, asked the same again, reads Identity Server's settings over HTTPS: HTTP %d", a.status)
	return nil
}

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
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "everything works" && entry.Changes != nil {
			changes = *entry.Changes
		}
	}
	if changes != 0 || w.is.starts() != 2 || w.am.starts() != 2 {
		return fmt.Errorf("`agent bootstrap` made %d changes, and the servers were started %d and %d times\n%s", changes, w.is.starts(), w.am.starts(), out)
	}
	s.say("`agent bootstrap`, run again: %d changes on the servers, and no further restart", changes)
	return nil
}

// invite tells what there is to try while everything keeps running.
func (s *show) invite() {
	w, p := s.world, s.keys.Production
	fmt.Fprintf(s.out, `
Everything keeps running until Ctrl-C. To try (-k, since the servers' certificates are self-signed and made for this demo):

  curl -k -u %s:%s -d grant_type=client_credentials %s
  curl -k -H "Authorization: Bearer $TOKEN" https://%s/payments/1.0.0/hello
  curl -k -u admin:admin https://%s/api/am/publisher/v4/apis
  curl http://%s/status
  tail -f %s/logs/*.log

`, p.ConsumerKey, p.ConsumerSecret, p.TokenEndpoint, w.gateway, w.am.address, w.am.health, w.dir)
}
