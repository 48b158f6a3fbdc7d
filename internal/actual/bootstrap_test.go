package actual

import (
	"os"
	"strings"
	"testing"
)

// TestABootstrapLeavesNoDifference compares the servers with the example of the project that agent bootstrap has applied. The key manager
// that the agent registers by itself has no difference either.
func TestABootstrapLeavesNoDifference(t *testing.T) {
	text, err := os.ReadFile("../../examples/api-config.yaml")
	must(t, err)
	s := start(t, nil)
	want := s.read(string(text), t.TempDir())
	if before := s.plan(want); len(before) != 14 || before[0] != "create key manager WSO2-IS" || strings.Contains(strings.Join(before, "\n"), "update") {
		t.Errorf("before the bootstrap the plan is\n  %s", strings.Join(before, "\n  "))
	}
	s.bootstrap(string(text))
	s.planned(want)

	s.settings.ISPublicURL, s.settings.ISCredentials.User = "https://other.example", "agent"
	s.planned(s.read(string(text), t.TempDir()),
		`update key manager WSO2-IS: display_token_endpoint "https://login.example/oauth2/token" -> "https://other.example/oauth2/token", `+
			`display_revoke_endpoint "https://login.example/oauth2/revoke" -> "https://other.example/oauth2/revoke", username "admin" -> "agent"`)
}
