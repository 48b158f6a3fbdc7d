package agent

import (
	"strings"
	"testing"

	"wso2agent/internal/trust"
	"wso2agent/internal/verify"
)

func TestWhatFollowsFromAnOpenIS(t *testing.T) {
	none, scopes, scim, both := verify.Exposure{}, verify.Exposure{Scopes: true}, verify.Exposure{SCIM11: true}, verify.Exposure{Scopes: true, SCIM11: true}
	said := func(c trust.Closing) circumstances { return circumstances{closing: c, said: true, container: "the-is"} }
	unsaid, all := circumstances{container: "the-is"}, circumstances{all: true, said: true, container: "the-is"}
	const kept, waits, due, byHand = trust.AllScopesKept, trust.AllScopesWaits, trust.RestartDue, trust.RestartByHand
	tests := []struct {
		name string
		e    verify.Exposure
		c    circumstances
		want verdict
		says string
	}{
		{"closed", none, said(trust.Closing{}), closed, "cannot administer IS"},
		{"closed, whatever was said", none, said(trust.Closing{AllScopes: waits, Restart: due}), closed, "cannot administer IS"},
		{"scopes, without an agent next to IS", scopes, unsaid, open, "authorize_all_scopes = false"},
		{"scopes, by SCOPES=all", scopes, all, accepted, "set SCOPES=authorize"},
		{"scopes, by a person's own setting", scopes, said(trust.Closing{AllScopes: kept, SCIM11: true}), accepted, "SETTINGS=override"},
		{"a person's own setting, RESTART=none", scopes, said(trust.Closing{AllScopes: kept, SCIM11: true, Restart: byHand}), accepted, "SETTINGS=override"},
		{"scopes, until all applications are authorized", scopes, said(trust.Closing{AllScopes: waits, SCIM11: true}), pending, "until all applications are authorized"},
		{"scopes, until the restart", scopes, said(trust.Closing{SCIM11: true, Restart: due}), pending, "until it is restarted"},
		{"scopes, until a restart by hand", scopes, said(trust.Closing{SCIM11: true, Restart: byHand}), open, "docker restart the-is"},
		{"scopes, though nothing is left to do", scopes, said(trust.Closing{SCIM11: true}), open, "authorize_all_scopes = false"},
		{"SCIM 1.1, without an agent next to IS", scim, unsaid, open, "docs/security.md"},
		{"SCIM 1.1 is not accepted with SCOPES=all", scim, all, open, "SCIM 1.1"},
		{"SCIM 1.1 is not accepted with a person's own setting", both, said(trust.Closing{AllScopes: kept}), open, "SCIM 1.1"},
		{"SCIM 1.1, until the restart, with SCOPES=all", both, circumstances{all: true, said: true, closing: trust.Closing{AllScopes: kept, SCIM11: true, Restart: due}}, pending, "until it is restarted"},
		{"SCIM 1.1, by settings that the agent leaves alone", scim, said(trust.Closing{}), open, "SETTINGS is not none"},
		{"SCIM 1.1, until a restart by hand", scim, said(trust.Closing{SCIM11: true, Restart: byHand}), open, "docker restart the-is"},
		{"SCIM 1.1, which no restart closes", scim, said(trust.Closing{Restart: byHand}), open, "is first and unchanged"},
		{"SCIM 1.1, which the restart that is due does not close", scim, said(trust.Closing{Restart: due}), open, "is first and unchanged"},
		{"both, until all applications are authorized", both, said(trust.Closing{AllScopes: waits, SCIM11: true, Restart: due}), pending, "until all applications are authorized, and SCIM 1.1"},
		{"both, of which one restart by hand ends both", both, said(trust.Closing{SCIM11: true, Restart: byHand}), open, "docker restart the-is"},
		{"both, without an agent next to IS", both, unsaid, open, "; and put the entry"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := judge(tt.e, tt.c)
			text := got.String()
			if got.verdict != tt.want || !strings.Contains(text, tt.says) || strings.Contains(text, "\n") || strings.Count(text, "docker restart") > 1 {
				t.Errorf("verdict %d, want %d; %s", got.verdict, tt.want, text)
			}
			if (tt.want != closed) != strings.HasPrefix(text, "any API subscriber can administer IS: ") {
				t.Errorf("%s", text)
			}
		})
	}
}
