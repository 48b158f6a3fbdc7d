package verify

import (
	"strings"
	"testing"

	"wso2agent/internal/trust"
)

func TestWhatFollowsFromAnOpenIS(t *testing.T) {
	none, scopes, scim, both := Exposure{}, Exposure{Scopes: true}, Exposure{SCIM11: true}, Exposure{Scopes: true, SCIM11: true}
	said := func(c trust.Closing) Circumstances { return Circumstances{Closing: c, Said: true, Container: "the-is"} }
	unsaid, all := Circumstances{Container: "the-is"}, Circumstances{All: true, Said: true, Container: "the-is"}
	const kept, waits, due, byHand = trust.AllScopesKept, trust.AllScopesWaits, trust.RestartDue, trust.RestartByHand
	tests := []struct {
		name string
		e    Exposure
		c    Circumstances
		want Openness
		says string
	}{
		{"closed", none, said(trust.Closing{}), Closed, "cannot administer IS"},
		{"closed, whatever was said", none, said(trust.Closing{AllScopes: waits, Restart: due}), Closed, "cannot administer IS"},
		{"scopes, without an agent next to IS", scopes, unsaid, Open, "authorize_all_scopes = false"},
		{"scopes, by SCOPES=all", scopes, all, Accepted, "set SCOPES=authorize"},
		{"scopes, by a person's own setting", scopes, said(trust.Closing{AllScopes: kept, SCIM11: true}), Accepted, "SETTINGS=override"},
		{"a person's own setting, RESTART=none", scopes, said(trust.Closing{AllScopes: kept, SCIM11: true, Restart: byHand}), Accepted, "SETTINGS=override"},
		{"scopes, until all applications are authorized", scopes, said(trust.Closing{AllScopes: waits, SCIM11: true}), Pending, "until all applications are authorized"},
		{"scopes, until the restart", scopes, said(trust.Closing{SCIM11: true, Restart: due}), Pending, "until it is restarted"},
		{"scopes, until a restart by hand", scopes, said(trust.Closing{SCIM11: true, Restart: byHand}), Open, "docker restart the-is"},
		{"scopes, though nothing is left to do", scopes, said(trust.Closing{SCIM11: true}), Open, "authorize_all_scopes = false"},
		{"SCIM 1.1, without an agent next to IS", scim, unsaid, Open, "docs/security.md"},
		{"SCIM 1.1 is not accepted with SCOPES=all", scim, all, Open, "SCIM 1.1"},
		{"SCIM 1.1 is not accepted with a person's own setting", both, said(trust.Closing{AllScopes: kept}), Open, "SCIM 1.1"},
		{"SCIM 1.1, until the restart, with SCOPES=all", both, Circumstances{All: true, Said: true, Closing: trust.Closing{AllScopes: kept, SCIM11: true, Restart: due}}, Pending, "until it is restarted"},
		{"SCIM 1.1, by settings that the agent leaves alone", scim, said(trust.Closing{}), Open, "SETTINGS is not none"},
		{"SCIM 1.1, until a restart by hand", scim, said(trust.Closing{SCIM11: true, Restart: byHand}), Open, "docker restart the-is"},
		{"SCIM 1.1, which no restart closes", scim, said(trust.Closing{Restart: byHand}), Open, "is first and unchanged"},
		{"SCIM 1.1, which the restart that is due does not close", scim, said(trust.Closing{Restart: due}), Open, "is first and unchanged"},
		{"both, until all applications are authorized", both, said(trust.Closing{AllScopes: waits, SCIM11: true, Restart: due}), Pending, "until all applications are authorized, and SCIM 1.1"},
		{"both, of which one restart by hand ends both", both, said(trust.Closing{SCIM11: true, Restart: byHand}), Open, "docker restart the-is"},
		{"both, without an agent next to IS", both, unsaid, Open, "; and put the entry"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Judge(tt.e, tt.c)
			text := got.String()
			if got.Openness != tt.want || !strings.Contains(text, tt.says) || strings.Contains(text, "\n") || strings.Count(text, "docker restart") > 1 {
				t.Errorf("openness %d, want %d; %s", got.Openness, tt.want, text)
			}
			if (tt.want != Closed) != strings.HasPrefix(text, "any API subscriber can administer IS: ") {
				t.Errorf("%s", text)
			}
		})
	}
}
