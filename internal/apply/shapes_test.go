package apply

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wso2agent/internal/actual"
	"wso2agent/internal/bootstrap"
	"wso2agent/internal/desired"
	"wso2agent/internal/plan"
	"wso2agent/internal/wso2"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestThePlanOfEachShape holds the plan of an example of each shape, for servers that have nothing of it, against a golden file.
func TestThePlanOfEachShape(t *testing.T) {
	paths, err := filepath.Glob("../desired/testdata/shapes/[a-d].yaml")
	if err != nil || len(paths) != 4 {
		t.Fatalf("there are %d examples, %v", len(paths), err)
	}
	settings := bootstrap.Settings{AMURL: "https://wso2am:9443", GatewayURL: "https://wso2am:8243", ISURL: "https://wso2is:9443", KMName: "WSO2-IS", KeyManagerName: "WSO2-IS",
		ISCredentials: wso2.Credentials{User: "admin", Password: "admin"}}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			f, err := desired.Load(desired.FromSystem(func(name string) (string, bool) { return "Hunter2hunter", strings.HasSuffix(name, "_PASSWORD") }, nil), path)
			must(t, err)
			want, err := actual.Want(t.Context(), f, settings)
			must(t, err)
			changes, problems := plan.Make(want, plan.Have{})
			got := plan.Text(changes, len(problems))
			for _, p := range problems {
				got += p.Message + ": " + p.Hint + "\n"
			}
			golden := filepath.Join("testdata", "plans", strings.TrimSuffix(filepath.Base(path), ".yaml")+".golden")
			if *update {
				must(t, os.WriteFile(golden, []byte(got), 0o644))
			}
			text, err := os.ReadFile(golden)
			if err != nil || got != string(text) {
				t.Errorf("%v: the plan is not the one in %s; go test -update writes it:\n%s", err, golden, got)
			}
		})
	}
}
