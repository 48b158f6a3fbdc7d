package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"wso2agent/internal/keystore"
)

// The first half of the way: from two servers that do not know each other to two that do.

func (s *show) startServers() error {
	w := s.world
	s.ask = newAsker(s.ctx, w.is, w.am)
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
	var err error
	if s.settings, err = os.ReadFile(filepath.Join(s.world.is.volume, deploymentTOML)); err != nil {
		return err
	}
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
	data, err := os.ReadFile(filepath.Join(s.volume, "repository/resources/security", s.behaviour.Truststore))
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

// settingsMade looks for what Identity Server needs to say to API-M, and for the file's own beginning.
func (s *show) settingsMade() error {
	is, before := s.world.is, s.settings
	listener := "https://" + s.world.am.address + "/internal/data/v1/notify"
	var after []byte
	err := s.world.until(s.ctx, "the settings of "+is.name+" are made", func() bool {
		after, _ = os.ReadFile(filepath.Join(is.volume, deploymentTOML))
		return bytes.Contains(after, []byte(listener))
	})
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(after, bytes.TrimRight(before, "\n")) {
		return fmt.Errorf("%s's deployment.toml has lost something that was in it", is.name)
	}
	s.say("%d lines more in its deployment.toml, all others as they were; revoked tokens will be told to", bytes.Count(after, []byte("\n"))-bytes.Count(before, []byte("\n")))
	s.say("%s", listener)
	return nil
}

// deploymentTOML is the settings file below a home and below a config volume.
const deploymentTOML = "repository/conf/deployment.toml"

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
