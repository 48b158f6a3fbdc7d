package compose

import (
	"os"
	"regexp"
	"strings"
	"testing"

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

// perServer are settings that the two servers cannot have in common: .env has them with IS_ and AM_ in front.
var perServer = regexp.MustCompile(`^(SERVER_NAME|PEERS|SERVER_HOME|KEYSTORE_.*|TRUSTSTORE_.*|TLS_NAMES|TLS_FILES_DIR|PROXY_PORT)$`)

func TestEverySettingCanBeSetFromEnvAndStandsInItsExample(t *testing.T) {
	override, example := read(t, "compose.override.yml"), read(t, ".env.example")
	rows := regexp.MustCompile("(?m)^\\| `([A-Z_]+)`.*\\| (.*) \\|$").FindAllStringSubmatch(config.Table(), -1)
	if len(rows) < 50 {
		t.Fatalf("the table of settings has %d rows", len(rows))
	}
	for _, row := range rows {
		name, sentence := row[1], row[2]
		if name == "PRODUCT" { // is what tells the services apart
			continue
		}
		in := []string{name}
		if perServer.MatchString(name) {
			in = []string{"IS_" + name, "AM_" + name}
		}
		for _, variable := range in {
			if passed := regexp.MustCompile(`(?m)^ +` + name + `:$|^ +` + name + `: .*\$\{` + variable + `[:}]`); !passed.MatchString(override) {
				t.Errorf("compose.override.yml does not pass %s on", variable)
			}
			if !strings.Contains(example, "\n#"+variable+"=") {
				t.Errorf(".env.example lacks %s", variable)
			}
		}
		if !strings.Contains(strings.ToLower(example), strings.ToLower("# "+sentence+".\n")) {
			t.Errorf(".env.example does not say of %s: %s", name, sentence)
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
