// Package parse reads the compose files with the library of Compose's current version, which is newer than the engine's of
// the other tests. It is a module of its own, so that the agent's does not depend on that library.
package parse

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
)

func TestTheFilesParse(t *testing.T) {
	t.Chdir("../../..")
	passwords := []string{"AM_DB_PASSWORD=a", "IS_DB_PASSWORD=b", "PGPASSWORD=c"}
	for _, tc := range []struct {
		name  string
		files []string
		env   []string
		has   []string
	}{
		{"the products alone", []string{"compose.yml"}, nil, []string{"backend", "wso2am", "wso2is"}},
		{"with agents", []string{"compose.yml", "compose.override.yml"}, nil, []string{"am-agent", "am-init", "am-seed", "bootstrap", "is-agent", "is-init", "is-seed"}},
		{"with PostgreSQL", []string{"compose.yml", "compose.override.yml", "compose.postgres.yml"}, passwords, []string{"databases", "postgres"}},
		{"with secrets", []string{"compose.yml", "compose.override.yml", "compose.secrets.yml"}, nil, []string{"bootstrap"}},
		{"with all", []string{"compose.yml", "compose.override.yml", "compose.postgres.yml", "compose.secrets.yml"}, passwords, []string{"databases"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			options, err := cli.NewProjectOptions(tc.files, cli.WithEnv(tc.env))
			if err != nil {
				t.Fatal(err)
			}
			project, err := options.LoadProject(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			if project.Name != "innover" {
				t.Errorf("the project is %q", project.Name)
			}
			for _, name := range tc.has {
				if !slices.Contains(project.ServiceNames(), name) {
					t.Errorf("there is no service %s in %s", name, strings.Join(project.ServiceNames(), ", "))
				}
			}
		})
	}
}
