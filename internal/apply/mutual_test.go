package apply

import (
	"strings"
	"testing"

	"wso2agent/internal/remedy"
)

// TestAKeyManagerByMutualTLSIsRefusedWithTheReason: the stand-in is an API-M 4.5, whose connector has no mutual TLS.
func TestAKeyManagerByMutualTLSIsRefusedWithTheReason(t *testing.T) {
	s := start(t, nil)
	report := s.apply(s.read("key_managers: [{name: WSO2-IS, additional_properties: {Authentication: MutualTLS, MutualTLSOptions: ServerWide, IdentityUser: apim}}]\n", t.TempDir()), Options{})
	if len(report.Outcomes) != 1 {
		t.Fatalf("%+v", report.Outcomes)
	}
	text, remedies := remedy.Split(report.Outcomes[0].Err)
	if !permanent(report.Outcomes[0].Err) || !strings.Contains(text, "Authentication=MutualTLS") || len(remedies) != 1 || !strings.Contains(remedies[0], "API-M 4.6") {
		t.Errorf("%s, remedies %q", text, remedies)
	}
}
