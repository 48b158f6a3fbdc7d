package agent

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/config"
	"wso2agent/internal/file"
	"wso2agent/internal/trust"
	"wso2agent/internal/wso2"
	"wso2agent/internal/wso2sim"
)

func TestASidecarNamesWhatHasChanged(t *testing.T) {
	p := newPlace(t)
	p.initBoth()
	p.startServers()
	health := p.run()
	p.until("everything is ready", health.Ready)
	p.configure(apiConfig + "# changed\n")
	p.until("the file is named", func() bool {
		return strings.Contains(p.log.String(), fmt.Sprintf("because=\"changed: %s\"", p.cfg[config.AM].Bootstrap.File))
	})
	p.until("everything works again", func() bool { return strings.Count(p.log.String(), "everything works") == 2 }) // an attempt takes notice of what comes before it
	p.started(config.AM, "another start")
	p.until("the start is named", func() bool { return strings.Contains(p.log.String(), "changed: a start of wso2am") })
	p.until("everything is ready again", func() bool { return p.ok(health, bootstrapCondition) })
}

func TestAnAttemptThatIsOvertakenNamesWhatHasChanged(t *testing.T) {
	p := newPlace(t)
	p.initBoth()
	p.startServers()
	port := p.cfg[config.AM].AM.Port
	p.set(config.AM, func(c *config.Config) { c.AM.Port = 1 }) // nobody answers there: the attempt goes on
	health := p.run()
	p.until("an attempt is under way", func() bool {
		return strings.Contains(p.log.String(), "API-M to answer to the administrator's password")
	})
	p.set(config.AM, func(c *config.Config) { c.AM.Port = port })
	p.configure(apiConfig + "# changed\n")
	p.until("the file is named", func() bool {
		return strings.Contains(p.log.String(), fmt.Sprintf("msg=\"starting over\" because=\"what the desired state is reached from has changed: %s\"", p.cfg[config.AM].Bootstrap.File))
	})
	p.until("everything is ready", health.Ready)
}

// A peer that restarts all the time, or says so, changes its generation. Whether it trusts this server is what counts.
func TestAPeersGenerationCausesNoProof(t *testing.T) {
	p := newPlace(t)
	p.set(config.AM, func(c *config.Config) { c.Bootstrap.Look = 100 * time.Millisecond })
	p.initBoth()
	p.startServers()
	p.acknowledge()
	a := p.agent(config.AM)
	k, _ := a.bootstrapper(false, nil)
	input := func() bootstrap.Input { return k.Input(t.Context(), a.cfg) }
	before := input()
	peer := trust.Exchange{Dir: filepath.Join(p.dir, "exchange"), Name: "wso2is"}
	said, err := peer.Trusts(t.Context(), "wso2is")
	if err != nil {
		t.Fatal(err)
	}
	said.Generation = "another one"
	if _, err := peer.Acknowledge(said); err != nil {
		t.Fatal(err)
	}
	if own, peers := before.Changes(input()); len(own)+len(peers) != 0 {
		t.Errorf("changed: %q, %q", own, peers)
	}
	said.Fingerprints = nil
	if _, err := peer.Acknowledge(said); err != nil {
		t.Fatal(err)
	}
	if own, peers := before.Changes(input()); len(own) != 0 || strings.Join(peers, ", ") != "whether the running wso2is trusts wso2am" {
		t.Errorf("changed: %q, %q", own, peers)
	}
}

func TestAPeerThatFlapsCausesOneProofInAnInterval(t *testing.T) {
	p := newPlace(t)
	p.set(config.AM, func(c *config.Config) { c.Bootstrap.Look = time.Hour })
	p.initBoth()
	p.startServers()
	health := p.run()
	p.until("everything is ready", health.Ready)
	proofs := func() int { return strings.Count(p.log.String(), "everything works") }
	path := filepath.Join(p.dir, "exchange", "wso2is", "trusts.json")
	said, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		text := said
		if i%2 == 0 {
			var doc map[string]any
			json.Unmarshal(said, &doc)
			doc["fingerprints"], doc["trusts"] = []string{}, []string{}
			text, _ = json.Marshal(doc)
		}
		if _, err := file.Write(path, text, 0o644, filepath.Join(p.dir, "exchange")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	if n := proofs(); n != 1 {
		t.Errorf("%d proofs", n)
	}
}

func TestARestartOfISIsNoticedAndToldInOneLine(t *testing.T) {
	p := newPlace(t)
	p.set(config.AM, func(c *config.Config) { c.Bootstrap.Look = 100 * time.Millisecond })
	p.initBoth()
	p.startServers()
	health := p.run()
	p.until("everything is ready", health.Ready)
	keys, _ := os.ReadFile(p.keysFile())
	p.is.Close()
	p.until("it is missed", func() bool {
		return strings.Contains(p.message(health, bootstrapCondition), "IS is not usable")
	})
	if health.Ready() {
		t.Error("ready without IS")
	}
	p.restartIS("")
	p.until("everything is ready again", health.Ready)
	for _, line := range []string{"IS is not usable", "IS came back"} {
		if n := strings.Count(p.log.String(), `msg="`+line+`"`); n != 1 {
			t.Errorf("%q stands %d times in the log", line, n)
		}
	}
	if after, _ := os.ReadFile(p.keysFile()); !bytes.Equal(keys, after) {
		t.Error("the keys have changed")
	}
}

func TestOneLostAnswerIsNoRestart(t *testing.T) {
	p := newPlace(t)
	p.set(config.AM, func(c *config.Config) { c.Bootstrap.Look = 100 * time.Millisecond })
	p.faults = wso2sim.NewFaults()
	p.initBoth()
	p.startServers()
	p.acknowledge()
	a := p.agent(config.AM)
	if err := a.Bootstrap(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := p.faults.Add(wso2sim.Fault{Kind: wso2sim.FaultStatus, Status: 503, Path: "/oauth2/token/.well-known/**", Count: 1}); err != nil {
		t.Fatal(err)
	}
	hc, err := new(servers).connect(a.cfg)
	if err != nil {
		t.Fatal(err)
	}
	look := bootstrap.Watch{Log: a.log}
	again := look.Look(t.Context(), hc, bootstrap.SettingsOf(a.cfg, a.accounts), bootstrap.FilesOf(a.cfg).Made())
	if again || look.Trouble() != nil || p.faults.List()[0].Hits != 1 {
		t.Errorf("again %v, trouble %v, %d faults", again, look.Trouble(), p.faults.List()[0].Hits)
	}
}

func TestAnISWithANewDatabaseIsHealedWithoutARestartOfTheAgent(t *testing.T) {
	p := newPlace(t)
	p.set(config.AM, func(c *config.Config) { c.Bootstrap.Look = 100 * time.Millisecond })
	p.initBoth()
	p.startServers()
	var empty bytes.Buffer
	if err := p.is.SaveState(&empty); err != nil {
		t.Fatal(err)
	}
	health := p.run()
	p.until("everything is ready", health.Ready)
	lost := p.made().ConsumerKey
	if err := p.is.LoadState(&empty); err != nil { // between two looks: it was never seen to be down
		t.Fatal(err)
	}
	p.until("it is noticed", func() bool {
		return strings.Contains(p.log.String(), "IS no longer knows the consumer key "+lost+": its database is new")
	})
	p.until("there are new keys", func() bool { return p.made().ConsumerKey != lost })
	p.until("everything is ready again", health.Ready)
	cfg := p.agent(config.AM).cfg
	keys, err := bootstrap.FilesOf(cfg).Clients()
	if err != nil {
		t.Fatal(err)
	}
	k := keys[0]
	if _, err := wso2.FetchToken(t.Context(), wso2.NewHTTPClient(trust.PinsOf(cfg), nil), k.TokenEndpoint, k.ConsumerKey, k.ConsumerSecret); err != nil {
		t.Error(err)
	}
	if log := p.log.String(); !strings.Contains(log, `msg="the application has another consumer key than before`) || !strings.Contains(log, "was="+lost) {
		t.Errorf("the change of the key is not told")
	}
}

func TestAnAPIMWithANewDatabaseIsHealed(t *testing.T) {
	p := newPlace(t)
	p.set(config.AM, func(c *config.Config) { c.Bootstrap.Look = 100 * time.Millisecond })
	p.initBoth()
	p.startServers()
	var empty bytes.Buffer
	if err := p.am.SaveState(&empty); err != nil {
		t.Fatal(err)
	}
	health := p.run()
	p.until("everything is ready", health.Ready)
	if err := p.am.LoadState(&empty); err != nil {
		t.Fatal(err)
	}
	p.until("it is noticed", func() bool { return strings.Contains(p.log.String(), "API-M no longer knows application") })
	p.until("everything is ready again", func() bool { return strings.Count(p.log.String(), "everything works") == 2 && health.Ready() })
}

func TestARemovedAPIAndOldKeysAreToldOncePerChange(t *testing.T) {
	p := newPlace(t)
	p.initBoth()
	p.startServers()
	p.acknowledge()
	two := strings.Replace(apiConfig, "application:", "  - {name: Order API, context: /orders, version: 1.0.0, backend_url: \"BACKEND\"}\napplication:", 1)
	apis := func() int {
		return len(p.lines("APIs are no longer in the file, and still published; a bootstrap removes none", `APIs="\"Order API\" 1.0.0"`))
	}
	keys := func() int {
		return len(p.lines("the application also has keys of another key manager, which still work", `application="Agent Application" "key managers"=WSO2-IS`))
	}
	steps := []struct {
		name, config, manager string
		apis, keys            int // told so far
		last                  string
	}{
		{"two APIs", two, "WSO2-IS", 0, 0, "0"},
		{"one is removed", apiConfig, "WSO2-IS", 1, 0, "1"},
		{"again", apiConfig, "WSO2-IS", 1, 0, "1"},
		{"it is back", two, "WSO2-IS", 1, 0, "0"},
		{"and removed", apiConfig, "WSO2-IS", 2, 0, "1"},
		{"another key manager", two, config.ResidentKeyManager, 2, 1, "0"},
		{"again", two, config.ResidentKeyManager, 2, 1, "0"},
	}
	for _, step := range steps {
		p.configure(step.config)
		p.set(config.AM, func(c *config.Config) { c.KeyManager.KeysFrom = step.manager })
		if err := p.agent(config.AM).Bootstrap(t.Context()); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if apis() != step.apis || keys() != step.keys {
			t.Errorf("%s: told of APIs %d times and of keys %d times", step.name, apis(), keys())
		}
		lines := strings.Split(p.log.String(), `msg="everything works"`)
		if !strings.Contains(lines[len(lines)-1], `"no longer in the file"=`+step.last) {
			t.Errorf("%s: the last line is %s", step.name, lines[len(lines)-1])
		}
	}
}

// made is what the keys file says.
func (p *place) made() bootstrap.Made {
	p.t.Helper()
	data, err := os.ReadFile(p.keysFile())
	if err != nil {
		p.t.Fatal(err)
	}
	return bootstrap.MadeBefore(data)
}
