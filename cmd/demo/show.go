package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"
)

// show goes through the steps and tells of them.
type show struct {
	ctx   context.Context
	out   io.Writer
	world *world
	ask   *asker
	began time.Time
	steps int

	before   map[string]map[string]string // entries of the truststores, by server
	settings []byte                       // of Identity Server, as they were
	keys     keysFile
	token    string
	starts   [2]int // of both servers, before certificates rotate
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
		"The stand-ins use the products' file formats and take a fortieth of the time of real servers.\n"+
		"They look for a new certificate fifty times as often.\n")
	for _, step := range []struct {
		title string
		do    func() error
	}{
		{"Start both servers, each under `agent exec`", s.startServers},
		{"They do not trust each other", s.distrust},
		{"Start an agent beside each server (`agent run`)", s.startAgents},
		{"The agents import each other's certificate", s.imported},
		{"The settings that Identity Server needs are made", s.settingsMade},
		{"Each server is restarted, once, since it reads its files only at its start", s.restarted},
		{"Now they trust each other", s.trust},
		{"Identity Server is registered in API Manager as key manager", s.registered},
		{"The APIs are published, with an application, subscriptions and keys", s.published},
		{"A token from Identity Server", s.fetchToken},
		{"An API called through the gateway with that token", s.call},
		{"What must be refused is refused", s.refused},
		{"A token revoked at Identity Server is refused too", s.revoked},
		{"A second run of everything changes nothing", s.secondRun},
		{"Somebody changes an API by hand: the agent finds that, and `agent apply` takes it back", s.drifted},
		{"Another file: `agent plan` shows what differs, `agent apply` makes it", s.planned},
		{"With TLS_MODE=issue, both start with certificates of their agents (`agent init`)", s.issued},
		{"Both certificates rotate, and nothing restarts", s.rotated},
		{"Whether everything works is a command: `agent verify`", s.verified},
	} {
		s.steps++
		fmt.Fprintf(s.out, "\n%5.1f s  %d. %s\n", time.Since(s.began).Seconds(), s.steps, step.title)
		if err := step.do(); err != nil {
			return fmt.Errorf("step %d, %s: %w", s.steps, strings.ToLower(step.title), err)
		}
	}
	fmt.Fprintf(s.out, "\nAll %d steps held, in %.1f s: from two servers that did not trust each other to an API called with a token\n"+
		"from Identity Server, with one restart of each and no manual step. The rotation needed no restart.\n", s.steps, time.Since(s.began).Seconds())
	return nil
}

// say prints a line below the current step.
func (s *show) say(format string, args ...any) {
	fmt.Fprintf(s.out, "           "+format+"\n", args...)
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
