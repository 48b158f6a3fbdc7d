package agent

import (
	"strings"
	"testing"

	"wso2agent/internal/trust"
	"wso2agent/internal/verify"
)

func TestWhatFollowsFromAnOpenIS(t *testing.T) {
	scopes, scim, both := verify.Exposure{Scopes: true}, verify.Exposure{SCIM11: true}, verify.Exposure{Scopes: true, SCIM11: true}
	tests := []struct {
		name string
		e    verify.Exposure
		c    trust.Closing
		said bool
		all  bool
		want judgement // without the message
		says string
	}{
		{"closed", verify.Exposure{}, trust.Closing{}, true, false, judgement{}, "are kept out"},
		{"closed, whatever was said", verify.Exposure{}, trust.Closing{AllScopes: trust.AllScopesWaits, Restart: trust.RestartDue}, true, true, judgement{}, "are kept out"},
		{"scopes, without an agent beside IS", scopes, trust.Closing{}, false, false, judgement{open: true}, "authorize_all_scopes = false"},
		{"scopes, by SCOPES=all", scopes, trust.Closing{}, false, true, judgement{open: true, accepted: true}, "SCOPES=authorize ends it"},
		{"scopes, by a person's own setting", scopes, trust.Closing{AllScopes: trust.AllScopesKept}, true, false, judgement{open: true, accepted: true}, "SETTINGS=override"},
		{"scopes, until all applications are authorized", scopes, trust.Closing{AllScopes: trust.AllScopesWaits}, true, false, judgement{open: true, pending: true}, "until its agent has authorized all applications"},
		{"scopes, until the restart", scopes, trust.Closing{Restart: trust.RestartDue}, true, false, judgement{open: true, pending: true}, "until its restart"},
		{"scopes, until a restart by hand", scopes, trust.Closing{Restart: trust.RestartByHand}, true, false, judgement{open: true}, "docker restart the-is"},
		{"scopes, though nothing is left to do", scopes, trust.Closing{}, true, false, judgement{open: true}, "authorize_all_scopes = false"},
		{"SCIM 1.1, without an agent beside IS", scim, trust.Closing{}, false, false, judgement{open: true}, "[[resource.access_control]] for (.*)/wso2/scim(.*)"},
		{"SCIM 1.1 is accepted by nobody's SCOPES=all", scim, trust.Closing{}, false, true, judgement{open: true}, "SCIM 1.1"},
		{"SCIM 1.1 is accepted by nobody's own setting", both, trust.Closing{AllScopes: trust.AllScopesKept}, true, false, judgement{open: true}, "SCIM 1.1"},
		{"SCIM 1.1, until the restart, with SCOPES=all", both, trust.Closing{AllScopes: trust.AllScopesKept, SCIM11: true, Restart: trust.RestartDue}, true, true, judgement{open: true, pending: true}, "until its restart"},
		{"SCIM 1.1, by settings that the agent leaves alone", scim, trust.Closing{}, true, false, judgement{open: true}, "SETTINGS is none"},
		{"SCIM 1.1, until a restart by hand", scim, trust.Closing{SCIM11: true, Restart: trust.RestartByHand}, true, false, judgement{open: true}, "docker restart the-is"},
		{"SCIM 1.1, which no restart closes", scim, trust.Closing{Restart: trust.RestartByHand}, true, false, judgement{open: true}, "SETTINGS is none"},
		{"SCIM 1.1, which the restart that is due does not close", scim, trust.Closing{Restart: trust.RestartDue}, true, false, judgement{open: true}, "SETTINGS is none"},
		{"both, until all applications are authorized", both, trust.Closing{AllScopes: trust.AllScopesWaits, SCIM11: true}, true, false, judgement{open: true, pending: true}, "until its agent has authorized"},
		{"both, without an agent beside IS", both, trust.Closing{}, false, false, judgement{open: true}, "and set [oauth] authorize_all_scopes = false"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := judge(tt.e, tt.c, tt.said, tt.all, "the-is")
			if !strings.Contains(got.message, tt.says) || strings.Contains(got.message, "\n") {
				t.Errorf("message %q, want one line with %q", got.message, tt.says)
			}
			if tt.want.open != strings.HasPrefix(got.message, "any API subscriber can administer IS") {
				t.Errorf("message %q", got.message)
			}
			if got.message = ""; got != tt.want {
				t.Errorf("%+v, want %+v", got, tt.want)
			}
		})
	}
}
