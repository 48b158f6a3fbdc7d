package agent

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/file"
	"wso2agent/internal/identity"
	"wso2agent/internal/notify"
	"wso2agent/internal/server"
	"wso2agent/internal/trust"
)

// TestTheProspectIsWhatTheFilesSay reads the pool, the statements of the peers and the report of agent exec.
func TestTheProspectIsWhatTheFilesSay(t *testing.T) {
	p := newPlace(t)
	for _, product := range []string{config.IS, config.AM} {
		p.set(product, func(c *config.Config) {
			c.Settings.Mode, c.TLS.Mode, c.TLS.Successors, c.AM.Host, c.IS.Host = "merge", "issue", 3, "wso2am", "wso2is"
			c.TLS.Reload = "auto"
		})
	}
	p.initBoth()
	cfg := p.agent(config.IS).cfg
	read := func() (server.Prospect, []error) {
		t.Helper()
		prospect, unreadable, err := server.ReadProspect(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		return prospect, unreadable
	}
	spec := identity.Spec{Names: []string{"wso2is"}, Key: identity.KeyKind(cfg.TLS.Key), Validity: cfg.TLS.Validity, RenewBefore: cfg.TLS.RenewBefore}
	files := identity.FilesOf(cfg, "wso2carbon")
	held, err := files.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range held.Successors { // that init has made
		if err := files.DropSuccessor(*i); err != nil {
			t.Fatal(err)
		}
	}
	var fingerprints []string
	for turn, names := range [][]string{{"wso2is"}, {"wso2is"}, {"elsewhere"}} {
		spec.Names = append(names, cfg.TLS.Names...)
		i, err := identity.Issue(spec, time.Now(), turn+1)
		if err := errors.Join(err, files.AddSuccessor(i)); err != nil {
			t.Fatal(err)
		}
		fingerprints = append(fingerprints, i.Leaf().Fingerprint().String())
	}
	good, stale := fingerprints[:2], fingerprints[2]
	am := trust.ExchangeOf(p.agent(config.AM).cfg)
	if _, err := am.Acknowledge(trust.Trusts{Generation: "g", Fingerprints: append(slices.Clone(good), stale)}); err != nil {
		t.Fatal(err)
	}
	started := filepath.Join(notify.ControlOf(cfg).Dir, "started.json")
	if _, err := file.SaveJSON(started, notify.Started{Generation: "g", PID: 1, Trusts: good[1:], Reloads: true}, 0o644, ControlDir(cfg)); err != nil {
		t.Fatal(err)
	}
	prospect, unreadable := read()
	if len(unreadable) > 0 || !prospect.Started || !prospect.Reloads || !prospect.Supervised || prospect.ReloadOff || prospect.NoPool != "" || prospect.CA != "" {
		t.Errorf("read %+v, %v", prospect, unreadable)
	}
	next, _ := prospect.Pool.Next()
	if len(prospect.Pool.Successors) != 2 || prospect.Pool.Rotations != 1 || next.Fingerprint != good[1] {
		t.Errorf("the pool is %+v", prospect.Pool)
	}
	if cost := prospect.Cost(); len(cost) != 0 {
		t.Errorf("it costs %v", cost)
	}

	// What cannot be read is left out and named.
	if err := errors.Join(os.WriteFile(started, []byte("rubbish"), 0o644), os.WriteFile(filepath.Join(am.Dir, am.Name, "trusts.json"), []byte("rubbish"), 0o644),
		os.WriteFile(filepath.Join(ControlDir(cfg), "identity", "successors", "damaged.p12"), []byte("rubbish"), 0o600)); err != nil {
		t.Fatal(err)
	}
	prospect, unreadable = read()
	all := errors.Join(unreadable...)
	if len(unreadable) != 3 || !strings.Contains(all.Error(), "started.json") || !strings.Contains(all.Error(), "wso2am") || !strings.Contains(all.Error(), "damaged.p12") {
		t.Errorf("left out are %v", all)
	}
	if len(prospect.Cost()) != 2 || len(prospect.Pool.Successors) != 2 {
		t.Errorf("it costs %v, with the pool %+v", prospect.Cost(), prospect.Pool)
	}
	signer := t.TempDir()
	authority(t, signer)
	for _, c := range []struct {
		change func(*config.Config)
		noPool string
	}{
		{func(c *config.Config) { c.TLS.Successors = 0 }, "TLS_SUCCESSORS is 0"},
		{func(c *config.Config) { c.TLS.Mode = "none" }, "TLS_MODE is none"},
		{func(c *config.Config) {
			c.TLS.CACertFile, c.TLS.CAKeyFile = filepath.Join(signer, "ca.crt"), filepath.Join(signer, "ca.key")
		}, "TRUST is leaf, and the agent makes no successors of a certificate that a CA signs"},
	} {
		cfg = p.agent(config.IS).cfg
		c.change(&cfg)
		if prospect, _ := read(); prospect.NoPool != c.noPool || len(prospect.Pool.Successors) != 0 {
			t.Errorf("no pool because %q, and %d in it; want %q", prospect.NoPool, len(prospect.Pool.Successors), c.noPool)
		}
	}
}
