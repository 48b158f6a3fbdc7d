package config

import (
	"strings"
	"testing"
)

func TestSettingsAreShownWithoutSecrets(t *testing.T) {
	environment := map[string]string{"PRODUCT": "am", "AM_HOST": "wso2am"}
	for _, s := range settings() {
		if s.secret {
			environment[s.name] = "hidden-" + s.name
		}
	}
	delete(environment, "KM_SERVICE_PASS") // it needs KM_SERVICE_USER
	delete(environment, "IS_CLIENT_SECRET")
	delete(environment, "AM_CLIENT_SECRET")
	environment["RESTART_URL"] = "https://hidden.example.com/restart?token=hidden"
	environment["RESTART_COMMAND"] = " /bin/restart --token=hidden wso2am"
	environment["ENCRYPTION_KEY"] = strings.Repeat("5ec2e7", 8)
	c, err := read(func(name string) string { return environment[name] })
	if err != nil {
		t.Fatal(err)
	}
	text := c.Shown()
	if strings.Contains(text, "hidden") || strings.Contains(text, "5ec2e7") {
		t.Errorf("a secret is shown:\n%s", text)
	}
	for _, line := range []string{"AM_HOST=wso2am\n", "AM_ADMIN_PASS=*****\n", "AM_PORT=9443 (default)\n", "KM_SERVICE_PASS= (default)\n", "RESTART_URL=*****\n", "RESTART_COMMAND=/bin/restart *****\n"} {
		if !strings.Contains(text, line) {
			t.Errorf("%q is missing in\n%s", line, text)
		}
	}
	if n := strings.Count(text, "\n"); n != len(settings()) {
		t.Errorf("%d lines for %d settings", n, len(settings()))
	}
}
