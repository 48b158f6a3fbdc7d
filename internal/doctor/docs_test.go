package doctor_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"wso2agent/internal/doctor"
)

var update = flag.Bool("update", false, "write docs/troubleshooting.md")

const page = "../../docs/troubleshooting.md"

// introduction is what the page says before the table.
const introduction = `# Troubleshooting

` + "`agent doctor`" + ` reads what both servers answer, the files of the server next to it, the exchange volume, and the servers' log files. It recognizes the
troubles below, and prints for each one the evidence and the remedy. It changes nothing, except that the first request of a user to the Developer Portal
makes API-M create DefaultApplication.

- It runs next to a server (` + "`PRODUCT`" + ` is set), or anywhere. Without ` + "`PRODUCT`" + ` it examines only what the servers answer, and says so.
- ` + "`--logs DIR`" + ` names a folder with log files (` + "`wso2carbon.log`" + `, also in folders below) or one file, several times if need be. Each such folder must have one. Next to a server it also reads ` + "`repository/logs`" + ` below
  ` + "`SERVER_HOME`" + ` and ` + "`CONFIG_DIR`" + `. Of each file the last 8 MiB count, and in them what follows the last start of the server.
  If no log is mounted, save what ` + "`docker compose logs`" + ` or ` + "`kubectl logs`" + ` prints, and name that file.
- A diagnosis is *sure* if nothing else explains the evidence, and *likely* if it is the usual reason.
- ` + "`--fix`" + ` repairs the troubles whose row names a fix. It shows what it is about to do, and asks; without a terminal it needs ` + "`--yes`" + `. Then it examines everything again. It changes the key manager only if it can read
  ` + "`API_CONFIG`" + `, which has the last word.
- ` + "`agent doctor bundle FILE.tar.gz`" + ` writes an archive for support: versions, facts, diagnoses, settings, ` + "`deployment.toml`" + `, lists of stores, public files of the exchange volume, the status of the sidecar, ends of logs.
  Secrets are masked. The file has mode 0600, and an existing file stays.
- ` + "`agent verify`" + ` shows what does not work, and ` + "`agent doctor`" + ` why. Each row names the checks of [verification.md](verification.md) that fail because of its trouble. Checks that no row names need a token or a write.
- It exits with 0 if it finds nothing, and with 1 if it finds something or could not read something of the servers, and with 3 if ` + "`--timeout`" + ` has passed. ` + "`--json`" + ` prints JSON.

| fix | what it does |
|---|---|
| ` + "`trust`" + ` | what the sidecar of the own server does: it imports the certificates of the peers, makes the settings, and requests a restart that is due |
| ` + "`key-manager`" + ` | what ` + "`agent apply`" + ` does for the key manager of the settings, and nothing else |
| ` + "`scopes`" + ` | what ` + "`agent scopes sync`" + ` does |

`

// titles are the parts of the table, by what their IDs begin with.
var titles = []struct{ prefix, title string }{
	{"server.", "Servers"}, {"password.", "Passwords"}, {"clock.", "Clocks"}, {"trust.", "Certificates"}, {"km.", "The key manager"}, {"keys.", "Keys"}, {"tokens.", "Tokens"}, {"subscriptions.", "Subscriptions"},
	{"setup.", "Setup scripts"}, {"settings.", "Settings of the servers"}, {"revocation.", "Revoked tokens"}, {"scopes.", "Scopes and roles"}, {"claims.", "Claims"},
	{"api.", "APIs and the gateway"}, {"volume.", "Volumes"},
}

// pageOf returns the page as it should be.
func pageOf(rows []doctor.Trouble) string {
	var b strings.Builder
	b.WriteString(introduction)
	cell := strings.NewReplacer("|", `\|`, "<", "&lt;", ">", "&gt;", "*", `\*`)
	written := 0
	for _, part := range titles {
		fmt.Fprintf(&b, "## %s\n| id | what is wrong | what people see | remedy | fix | fails in `agent verify` |\n|---|---|---|---|---|---|\n", part.title)
		for _, row := range rows {
			if !strings.HasPrefix(row.ID, part.prefix) {
				continue
			}
			written++
			fix := ""
			if row.Fix != doctor.ByHand {
				fix = "`" + string(row.Fix) + "`"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", row.ID, cell.Replace(row.Name), cell.Replace(row.Symptom), cell.Replace(row.Remedy), fix, strings.Join(row.Explains, ", "))
		}
		b.WriteString("\n")
	}
	if written != len(rows) {
		panic("a row belongs to no part of the page")
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// The page is made from the table: go test ./internal/doctor -run Page -update.
func TestThePageIsMadeFromTheTable(t *testing.T) {
	want := pageOf(doctor.Troubles())
	if *update {
		must(t, os.WriteFile(page, []byte(want), 0o644))
	}
	text, err := os.ReadFile(page)
	must(t, err)
	if string(text) != want {
		t.Errorf("%s is not what the table makes; run go test ./internal/doctor -run Page -update", page)
	}
}

// The names of rows are stable, and each row says all that people need.
func TestEveryRowIsComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, row := range doctor.Troubles() {
		if seen[row.ID] || row.Name == "" || row.Symptom == "" || row.Remedy == "" || strings.HasSuffix(row.Name, ".") || strings.HasSuffix(row.Remedy, ".") {
			t.Errorf("the row %q is there twice, or not complete: %+v", row.ID, row)
		}
		seen[row.ID] = true
	}
}
