package compose

import (
	"errors"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"wso2agent/internal/config"
)

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile("../../" + path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// perServer matches settings that the two servers cannot share. .env has them with the prefixes IS_ and AM_.
var perServer = regexp.MustCompile(`^(SERVER_NAME|PEERS|SERVER_HOME|KEYSTORE_.*|TRUSTSTORE_.*|TLS_NAMES|TLS_FILES_DIR|PROXY_PORT|ENCRYPTION_KEY|RESTART_COMMAND|RESTART_FILE)$`)

func TestEverySettingCanBeSetFromEnvAndStandsInItsExample(t *testing.T) {
	override, example := read(t, "compose.override.yml"), read(t, ".env.example")
	rows := regexp.MustCompile("(?m)^\\| `([A-Z_]+)`.*\\| (.*) \\|$").FindAllStringSubmatch(config.Table(), -1)
	if len(rows) < 50 {
		t.Fatalf("the table of settings has %d rows", len(rows))
	}
	for _, row := range rows {
		name, sentence := row[1], row[2]
		if name == "PRODUCT" { // distinguishes the services
			continue
		}
		in := []string{name}
		if perServer.MatchString(name) {
			in = []string{"IS_" + name, "AM_" + name}
		}
		for _, variable := range in {
			if passed := regexp.MustCompile(`(?m)^ +` + name + `:$|^ +` + name + `: .*\$\{` + variable + `[:}]`); !passed.MatchString(override) {
				t.Errorf("compose.override.yml does not pass %s to the agents", variable)
			}
			if !strings.Contains(example, "\n#"+variable+"=") {
				t.Errorf(".env.example lacks %s", variable)
			}
		}
		if !strings.Contains(example, "\n# "+sentence+"\n") {
			t.Errorf(".env.example does not describe %s with: %s", name, sentence)
		}
	}
}

func TestEveryVariableOfTheComposeFilesStandsInTheExample(t *testing.T) {
	example := read(t, ".env.example")
	for _, file := range []string{"compose.yml", "compose.override.yml", "compose.postgres.yml", "compose.secrets.yml"} {
		for _, m := range regexp.MustCompile(`\$\{([A-Z_]+)`).FindAllStringSubmatch(read(t, file), -1) {
			name := m[1]
			if !strings.Contains(example, "\n#"+name+"=") && !strings.Contains(example, "\n#IS_"+name+"=") {
				t.Errorf("%s uses %s, which .env.example lacks", file, name)
			}
		}
	}
}

// agent exec waits for the database of the server, checks its port and restores its truststore, so it needs these settings.
func TestTheServersContainersGetWhatAgentExecNeeds(t *testing.T) {
	var file struct {
		Services map[string]struct{ Environment map[string]string }
	}
	if err := yaml.Unmarshal([]byte(read(t, "compose.override.yml")), &file); err != nil {
		t.Fatal(err)
	}
	for service, prefix := range map[string]string{"wso2is": "IS", "wso2am": "AM"} {
		environment := file.Services[service].Environment
		for _, name := range []string{"DATABASE", "PGHOST", "PGPORT", "DATABASE_TIMEOUT", "START_TIMEOUT", "MAX_RESTARTS", "RESTART_WINDOW", "RESTART", prefix + "_PORT"} {
			if value, there := environment[name]; !there || value != "" {
				t.Errorf("%s does not get %s from .env: %q", service, name, value)
			}
		}
		if got, want := environment["TRUSTSTORE_FILE"], "${"+prefix+"_TRUSTSTORE_FILE:-}"; got != want {
			t.Errorf("%s has TRUSTSTORE_FILE: %s, want %s", service, got, want)
		}
		if environment["PRODUCT"] != strings.ToLower(prefix) {
			t.Errorf("%s has PRODUCT: %s", service, environment["PRODUCT"])
		}
	}
}

// A probe with a shorter limit kills a server that waits for its database.
func TestNoStartupProbeEndsAServerThatAgentExecStillWaitsFor(t *testing.T) {
	t.Setenv("PRODUCT", "is")
	cfg, err := config.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"base/wso2is.yaml", "base/wso2am.yaml", "components/beside-charts/wso2is.yaml", "components/beside-charts/wso2am.yaml"} {
		found := false
		for decoder := yaml.NewDecoder(strings.NewReader(read(t, "deploy/kubernetes/"+path))); ; {
			var object struct {
				Spec struct {
					Template struct {
						Spec struct {
							Containers []struct {
								StartupProbe struct {
									PeriodSeconds    int `yaml:"periodSeconds"`
									FailureThreshold int `yaml:"failureThreshold"`
								} `yaml:"startupProbe"`
								LivenessProbe any `yaml:"livenessProbe"`
							}
						}
					}
				}
			}
			if err := decoder.Decode(&object); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(path, err)
			}
			for _, c := range object.Spec.Template.Spec.Containers {
				found = true
				probe := c.StartupProbe
				if given, need := time.Duration(probe.PeriodSeconds*probe.FailureThreshold)*time.Second, cfg.Database.Timeout+cfg.Restart.StartTimeout+5*time.Minute; given < need {
					t.Errorf("%s: the startup probe gives the server %s, agent exec %s and more", path, given, cfg.Database.Timeout+cfg.Restart.StartTimeout)
				}
				if c.LivenessProbe != nil {
					t.Errorf("%s: a liveness probe kills a server that waits for its database", path)
				}
			}
		}
		if !found {
			t.Errorf("%s has no server", path)
		}
	}
}
