package server

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wso2agent/internal/config"
)

func TestWhetherAPIMsCallsToItselfUseAnotherPassword(t *testing.T) {
	for name, c := range map[string]struct {
		product, text string
		want          bool
	}{
		"the same":                       {config.AM, "[super_admin]\nusername = \"admin\"\npassword = \"right\"\n", false},
		"another":                        {config.AM, "[super_admin]\nusername = \"admin\"\npassword = \"hidden\"\n", true},
		"another, next to IS":            {config.IS, "[super_admin]\nusername = \"admin\"\npassword = \"hidden\"\n", false},
		"of another administrator":       {config.AM, "[super_admin]\nusername = \"ann\"\npassword = \"hidden\"\n", false},
		"of a variable that is unknown":  {config.AM, "[super_admin]\nusername = \"admin\"\npassword = \"$env{OTHER}\"\n", false},
		"a text that the server refuses": {config.AM, "[super_admin\n", false},
		"no file":                        {config.AM, "", false},
	} {
		cfg := config.Config{Server: config.Server{Product: c.product, ConfigDir: t.TempDir()}, AM: config.APIManager{AdminUser: "admin", AdminPass: "right"}}
		if c.text != "" {
			if err := os.MkdirAll(filepath.Dir(cfg.DeploymentTOML()), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(cfg.DeploymentTOML(), []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		got, err := OwnCalls(cfg)
		if (got != "") != c.want || err != nil || c.want && !strings.Contains(got, cfg.DeploymentTOML()) || strings.Contains(got, "hidden") {
			t.Errorf("%s: %q, %v, want a problem: %v", name, got, err, c.want)
		}
	}
}
