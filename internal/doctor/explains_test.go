package doctor_test

import (
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"wso2agent/internal/actual"
	"wso2agent/internal/config"
	"wso2agent/internal/doctor"
	"wso2agent/internal/verify"
)

// A trouble names only checks that there are. The checks that no trouble names need a token.
func TestTroublesExplainTheChecksOfVerify(t *testing.T) {
	explained := map[string]bool{}
	for _, row := range doctor.Troubles() {
		for _, id := range row.Explains {
			explained[id] = true
			if !slices.ContainsFunc(verify.Checks(), func(d verify.Definition) bool { return d.ID == id }) {
				t.Errorf("%s explains %s, which is no check", row.ID, id)
			}
		}
	}
	for _, d := range verify.Checks() {
		if !explained[d.ID] && !d.Write {
			t.Errorf("no trouble explains %s", d.ID)
		}
	}
}

// failing returns the checks of agent verify that fail, of those that change nothing.
func (s *site) failing(t *testing.T, only ...string) (failed []string) {
	t.Helper()
	cfg := s.config(t, config.AM, nil)
	settings, err := s.settings(cfg).Normalised()
	must(t, err)
	subject := verify.Subject{Config: cfg, Settings: settings, Servers: s.servers(cfg)}
	subject.Want, err = actual.Want(t.Context(), s.reader(cfg).Desired, settings)
	must(t, err)
	checks, err := verify.All(t.Context(), slog.New(slog.DiscardHandler), subject, verify.Selection{Only: only, Wait: time.Second})
	if err != nil && !errors.Is(err, verify.ErrFailed) {
		t.Fatal(err)
	}
	for _, c := range checks {
		if c.Verdict == verify.Fail {
			failed = append(failed, c.ID)
		}
	}
	return failed
}

// The checks that change nothing fail for the troubles that explain them, and pass without them.
func TestWhatATroubleExplainsFails(t *testing.T) {
	s := newSite(t)
	restore := s.keep(t)
	for id, checks := range map[string][]string{ // what the truststores of the stand-ins and the agent next to IS decide is left out
		"server.starting": {"am.ready"}, "km.disabled": {"km.enabled"}, "km.issuer": {"km.issuer"}, "km.user-info": {"km.userinfo"}, "keys.lost-client": {"keys.accepted"},
		"scopes.unauthorized": {"scopes.authorized"}, "scopes.absent": {"scopes.reached"}, "api.undeployed": {"api.loaded"},
	} {
		t.Run(id, func(t *testing.T) {
			defer restore(t)
			if failed := s.failing(t, checks...); len(failed) > 0 {
				t.Fatalf("without the trouble %q fail", failed)
			}
			at := slices.IndexFunc(troubles, func(c trouble) bool { return c.id == id })
			troubles[at].breaks(t, s)
			found, _ := s.diagnose(t, config.AM, nil)
			failed := s.failing(t, checks...)
			for _, check := range checks {
				row := slices.IndexFunc(found, func(d doctor.Diagnosis) bool { return d.ID == id && slices.Contains(d.Explains, check) })
				if row < 0 || !slices.Contains(failed, check) {
					t.Errorf("%s: failed are %q, found is %+v", check, failed, found)
				}
			}
		})
	}
}
