package doctor_test

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wso2agent/internal/agent"
	"wso2agent/internal/config"
	"wso2agent/internal/doctor"
	"wso2agent/internal/owned"
	"wso2agent/internal/plan"
	"wso2agent/internal/repair"
	"wso2agent/internal/wso2sim"
)

// repairer returns what makes the fixes, next to API-M.
func (s *site) repairer(t *testing.T) *repair.Repairer {
	t.Helper()
	cfg, log := s.config(t, config.AM, nil), slog.New(slog.DiscardHandler)
	load := func() (config.Config, error) { return cfg, nil }
	return &repair.Repairer{Reader: s.reader(cfg), Agent: agent.New(cfg, load, log), Log: log}
}

// writes returns the requests that have changed something on a server since the log was reset.
func writes(logs ...*wso2sim.RequestLog) (list []string) {
	for _, log := range logs {
		for _, r := range log.List() {
			if r.Method != http.MethodGet && r.Method != http.MethodHead && !strings.HasSuffix(r.Path, "/apis/validate") {
				list = append(list, r.Method+" "+r.Path)
			}
		}
	}
	return list
}

// content returns a digest of the files of the servers on the config volumes; the agent's own folder is left out.
func (s *site) content(t *testing.T) string {
	t.Helper()
	h := sha256.New()
	for _, volume := range []string{s.volumeIS, s.volumeOfAM} {
		must(t, filepath.WalkDir(filepath.Join(volume, "repository"), func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			data, err := os.ReadFile(path)
			fmt.Fprintf(h, "%s %x\n", path, sha256.Sum256(data))
			return err
		}))
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// A healthy system stays as it is, whatever somebody has the agent fix.
func TestNoFixChangesAHealthySystem(t *testing.T) {
	s := newSite(t)
	before := s.content(t)
	r := s.repairer(t)
	all := []doctor.Fix{doctor.FixTrust, doctor.FixKeyManager, doctor.FixScopes}
	found, _ := s.diagnose(t, config.AM, nil)
	if fixes := doctor.Fixes(found); len(fixes) > 0 {
		t.Errorf("fixes for a healthy system: %q", fixes)
	}
	s.requests.Reset()
	s.isRequests.Reset()
	if _, err := r.Plan(t.Context(), all, nil); err != nil {
		t.Fatal(err)
	}
	for _, fix := range all {
		must(t, r.Do(t.Context(), fix))
	}
	if list := writes(s.requests, s.isRequests); len(list) > 0 {
		t.Errorf("the fixes changed the servers: %q", list)
	}
	if s.content(t) != before {
		t.Error("the fixes changed files of the servers")
	}
	if found, _ := s.diagnose(t, config.AM, nil); len(found) > 0 {
		t.Errorf("after the fixes: %+v", found)
	}
}

// fixOf returns the fix that the row of a trouble names.
func fixOf(id string) doctor.Fix {
	rows := doctor.Troubles()
	return rows[slices.IndexFunc(rows, func(row doctor.Trouble) bool { return row.ID == id })].Fix
}

// Whatever combination of troubles a system has, the fixes leave none that they name, and bring no other one. No check of agent verify that
// passed before them fails after them, and to make them again changes nothing. Each fix is made at least once.
func TestFixesNeverMakeASystemWorse(t *testing.T) {
	s := newSite(t)
	restore := s.keep(t)
	var may []trouble
	for _, c := range troubles {
		// Those that stop the doctor or the fix: a server that does not answer, or a setting that the doctor runs with.
		if c.env == nil && c.product == "" && !strings.HasPrefix(c.id, "server.") && !slices.Contains([]string{
			"settings.refused", "settings.lost-key", "trust.store", "volume.only-dots", "volume.owner", "trust.expired", "trust.unpublished", "clock.skew", "password.own-calls", "keys.half-made"}, c.id) {
			may = append(may, c)
		}
	}
	chance := rand.New(rand.NewPCG(1, 28))
	made := map[doctor.Fix]bool{}
	all := []doctor.Fix{doctor.FixTrust, doctor.FixKeyManager, doctor.FixScopes}
	for n := range 15 {
		var broken []string
		taken := map[string]bool{}
		var chosen []trouble
		if n < len(all) { // chance may leave a fix out
			chosen = append(chosen, may[slices.IndexFunc(may, func(c trouble) bool { return fixOf(c.id) == all[n] })])
		}
		for range chance.IntN(5) {
			chosen = append(chosen, may[chance.IntN(len(may))])
		}
		for _, c := range chosen {
			if part, _, _ := strings.Cut(c.id, "."); taken[part] { // two changes of one thing may undo each other
				continue
			} else {
				taken[part] = true
			}
			c.breaks(t, s)
			broken = append(broken, c.id)
		}
		t.Run(fmt.Sprintf("%d %q", n, broken), func(t *testing.T) {
			defer restore(t)
			before, _ := s.diagnose(t, config.AM, nil)
			failed := s.failing(t)
			r := s.repairer(t)
			fixes := doctor.Fixes(before)
			plan, err := r.Plan(t.Context(), fixes, before)
			must(t, err)
			s.requests.Reset()
			s.isRequests.Reset()
			for _, fix := range fixes {
				if !strings.Contains(plan, string(fix)+":") {
					t.Errorf("the plan does not name the fix %s:\n%s", fix, plan)
				}
				must(t, r.Do(t.Context(), fix))
				made[fix] = true
			}
			if list := writes(s.requests, s.isRequests); len(fixes) == 0 && len(list) > 0 {
				t.Errorf("changes without a fix: %q", list)
			}
			for _, id := range s.failing(t) {
				if !slices.Contains(failed, id) {
					t.Errorf("after the fixes %q the check %s fails", fixes, id)
				}
			}
			again, files := s.repairer(t), s.content(t)
			_, err = again.Plan(t.Context(), fixes, nil)
			must(t, err)
			s.requests.Reset()
			s.isRequests.Reset()
			for _, fix := range fixes {
				must(t, again.Do(t.Context(), fix))
			}
			if list := writes(s.requests, s.isRequests); len(list) > 0 || s.content(t) != files {
				t.Errorf("the fixes %q, made again, change the servers: %q", fixes, list)
			}
			after, _ := s.diagnose(t, config.AM, nil)
			for _, d := range after {
				if !slices.Contains(ids(before), d.ID) {
					t.Errorf("the fixes %q have brought %+v", fixes, d)
				}
				if d.Fix != doctor.ByHand && d.ID != "trust.restart" { // nobody restarts a server here
					t.Errorf("the fix %s has left %+v", d.Fix, d)
				}
			}
		})
	}
	for _, row := range doctor.Troubles() {
		if row.Fix != doctor.ByHand && !made[row.Fix] {
			t.Errorf("the fix %s of %s was never made", row.Fix, row.ID)
		}
	}
}

// A fix makes what a person has seen, or nothing.
func TestAKeyManagerThatChangesAfterThePlanStays(t *testing.T) {
	s := newSite(t)
	keyManager(map[string]any{"enabled": false})(t, s)
	r := s.repairer(t)
	plan, err := r.Plan(t.Context(), []doctor.Fix{doctor.FixKeyManager}, nil)
	must(t, err)
	if !strings.Contains(plan, "update key manager WSO2-IS") || !strings.Contains(plan, "enabled: false -> true") {
		t.Errorf("the plan is\n%s", plan)
	}
	keyManager(map[string]any{"userInfoEndpoint": "https://wso2is:9443/oauth2/userinfo"})(t, s)
	s.requests.Reset()
	if err := r.Do(t.Context(), doctor.FixKeyManager); err == nil || !strings.Contains(err.Error(), repair.ErrChanged.Error()) {
		t.Errorf("error %v, want %v", err, repair.ErrChanged)
	}
	if list := writes(s.requests); len(list) > 0 {
		t.Errorf("changed %q", list)
	}
}

// A secret of the key manager that has changed since the agent sent it is part of the plan, as it is for agent apply. Otherwise the fix
// would find another plan each time, and make nothing.
func TestTheFixOfAKeyManagerSendsAChangedSecret(t *testing.T) {
	s := newSite(t)
	must(t, os.WriteFile(s.apiConfig, []byte("key_managers: [{name: WSO2-IS, username: admin, password: admin}]\n"), 0o600))
	r := s.repairer(t)
	path := owned.Path(r.Config.Bootstrap.KeysFile)
	record, _, err := owned.Load(path)
	must(t, err)
	record.Note(plan.KindKeyManager, "WSO2-IS", "", map[string]string{"password": "former"})
	must(t, record.Save(path))
	text, err := r.Plan(t.Context(), []doctor.Fix{doctor.FixKeyManager}, nil)
	must(t, err)
	if !strings.Contains(text, "password") {
		t.Errorf("the plan is\n%s", text)
	}
	must(t, r.Do(t.Context(), doctor.FixKeyManager))
}
