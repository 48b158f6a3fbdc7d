package test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"wso2agent/internal/testenv"
)

// row is a package of the module in the table of packages. It covers the packages below its folder.
type row struct {
	path    string   // without the module
	owns    string   // what the package owns
	not     string   // what it must not know
	bars    []string // imports that this rules out, also those that the order of the table allows
	tests   []string // what only its tests import, against the order
	planned bool     // the package does not exist yet
}

// packages is the table of docs/architecture.md. A package imports only packages above it.
var packages = []row{
	{path: "internal/sorting", owns: "one way to sort a list of any type", not: "what is sorted"},
	{path: "internal/suggest", owns: "the known name that a mistyped one may mean", not: "files, networks",
		bars: []string{"os", "net", "net/http"}},
	{path: "internal/remedy", owns: "errors that carry their remedy apart from their text", not: "files, networks",
		bars: []string{"os", "net", "net/http"}},
	{path: "internal/javacert", owns: "whether Java reads a certificate", not: "files, networks",
		bars: []string{"os", "io/fs", "net", "net/http"}, tests: []string{"internal/keystore"}},
	{path: "internal/keystore", owns: "bytes <-> entries of JKS and PKCS#12 stores: open, list, leaf of a key, set and delete a trusted certificate, encode", not: "files, networks",
		bars: []string{"os", "io/fs", "path/filepath", "net", "net/http"}},
	{path: "internal/deployment", owns: "`deployment.toml` as the servers read it: parse, refuse, edit in place", not: "what a setting is for",
		bars: []string{"os", "io/fs", "path/filepath", "net", "net/http", "crypto/x509"}},
	{path: "internal/file", owns: "atomic writes (temporary file, fsync, rename, fsync of the folder), stable reads of files that others rewrite, locks, watched folders", not: "what the bytes mean",
		bars: []string{"crypto/x509", "encoding/pem", "encoding/xml", "go.yaml.in/yaml/v3"}},
	{path: "internal/yamlfile", owns: "what all YAML files of users have in common: size, aliases, unknown keys, lines of mistakes", not: "what a key is for",
		bars: []string{"os", "net", "net/http"}},
	{path: "internal/desired", owns: "the desired state as people write it: model, reader, variables, shapes, rules that hold without a server, JSON Schema", not: "the servers",
		bars: []string{"internal/wso2", "net", "net/http", "log/slog"}},
	{path: "internal/plan", owns: "desired and actual state -> differences and the bodies of requests; one table of mappings for each kind of object. No I/O", not: "files, networks",
		bars: []string{"os", "io", "io/fs", "net", "net/http", "log", "log/slog", "context", "path/filepath", "internal/wso2", "internal/file"}},
	{path: "internal/owned", owns: "the record of what the agent has made on the servers, with keyed hashes of the secrets that it has sent", not: "networks",
		bars: []string{"net", "net/http", "log/slog", "internal/wso2"}},
	{path: "internal/product", owns: "facts about each supported product and version: home, store names, artifacts, REST versions, behaviour that differs", not: "how the facts are used",
		bars: []string{"os", "net", "net/http", "log/slog"}},
	{path: "internal/window", owns: "maintenance windows: the times of a week in which a server may restart", not: "what happens in one",
		bars: []string{"os", "net", "net/http", "log/slog"}},
	{path: "internal/config", owns: "every environment variable: one struct, defaults, `*_FILE` variants, all mistakes in one error, the generated settings table; the detected version of the server", not: "who uses a value",
		bars: []string{"net/http", "log/slog"}},
	{path: "internal/telemetry", owns: "logging, metrics, `/livez` `/readyz` `/metrics` `/status`, the status page", not: "what the steps do",
		bars: []string{"internal/deployment", "internal/keystore"}},
	{path: "internal/docker", owns: "the part of the Engine API that the agent uses, of Docker and Podman: inspect, restart, files in containers", not: "the servers",
		bars: []string{"internal/config", "internal/wso2", "internal/keystore", "os/exec"}},
	{path: "internal/wso2", owns: "REST clients, one type per API and files by topic; typed answers and errors; retry rules; TLS pinned to exchanged certificates", not: "YAML, plans",
		bars: []string{"internal/yamlfile", "go.yaml.in/yaml/v3"}},
	{path: "internal/keysfile", owns: "the files with the keys of applications: JSON, variables, a Kubernetes Secret; encode, read, write", not: "servers, settings",
		bars: []string{"internal/config", "net", "net/http", "log/slog"}},
	{path: "internal/tokens", owns: "how a person or a script gets a token by the grants of OAuth 2.0, and what a token says", not: "settings, files",
		bars: []string{"internal/config", "internal/keysfile", "internal/file", "os", "io/fs"}},
	{path: "internal/lease", owns: "the lease on API-M that lets one run at a time change the servers: acquire, renew, take over, release", not: "what a run does",
		bars: []string{"internal/config", "internal/plan", "internal/desired", "os", "net"}},
	{path: "internal/serviceuser", owns: "the user of IS with which API-M's key manager calls IS: choose, make with the least rights, record, change its password", not: "API-M, settings",
		bars: []string{"internal/config", "internal/plan", "internal/desired", "os", "net"}},
	{path: "internal/trust", owns: "the exchange volume, the truststore import, pins, store checks", not: "REST, restarts",
		bars: []string{"internal/wso2", "net/http", "os/exec"}},
	{path: "internal/identity", owns: "the TLS identity of the server: load, issue, read from PEM files, turn into a keystore", not: "the exchange",
		bars: []string{"internal/trust", "net/http"}},
	{path: "internal/history", owns: "the audit trail of an agent: events as JSON lines on the config volume", not: "what an event leads to",
		bars: []string{"net", "net/http", "log/slog"}},
	{path: "internal/rotation", owns: "pure decisions: `Decide(Snapshot) Decision`. No I/O, no clock, no logger", not: "files, networks",
		bars: []string{"internal/file", "internal/wso2", "os", "io", "io/fs", "path/filepath", "net", "net/http", "log/slog", "context", "crypto/rand", "math/rand/v2"}},
	{path: "internal/notify", owns: "every way to restart a server, and `agent exec`, the supervisor", not: "why a restart is due",
		bars: []string{"internal/trust", "internal/rotation", "internal/identity"}},
	{path: "internal/hook", owns: "programs and services of the user that hear of events: one message for each, the last one counts", not: "what makes an event",
		bars: []string{"internal/trust", "internal/rotation", "internal/identity"}},
	{path: "internal/artifact", owns: "files that stock images lack: list, download, check", not: "`deployment.toml`",
		bars: []string{"internal/deployment"}},
	{path: "internal/seed", owns: "stock files of a product image on the config volume, three-way merge after an image upgrade", not: "certificates",
		bars: []string{"internal/javacert", "internal/trust", "internal/identity", "crypto/x509", "crypto/tls", "encoding/pem"}},
	{path: "internal/server", owns: "the settings that each server needs in `deployment.toml`", not: "REST",
		bars: []string{"internal/wso2", "net/http"}},
	{path: "internal/undo", owns: "the aliases of peers back to an earlier point of the audit trail: plan, make, remember what was undone", not: "how an agent decides",
		bars: []string{"internal/wso2", "internal/agent", "net", "net/http", "log/slog"}},
	{path: "internal/place", owns: "the TLS keystore in the home of a running server: check, place, repair; what a start reads", not: "why and when",
		bars: []string{"internal/rotation", "internal/wso2", "net", "net/http"}},
	{path: "internal/scopes", owns: "which applications of API-M are authorized in IS for which scopes, and which roles of IS have them: read, decide, act", not: "YAML, files",
		bars: []string{"internal/yamlfile", "internal/file", "go.yaml.in/yaml/v3", "os", "io/fs", "path/filepath"}},
	{path: "internal/bootstrap", owns: "what a run next to API-M needs around its changes: wait for both servers, register and verify the key manager, know when a run is due", not: "the servers' files",
		bars: []string{"internal/deployment", "internal/server", "internal/keystore"}, tests: []string{"internal/apply"}},
	{path: "internal/actual", owns: "both servers -> what they have of what a file names, for `internal/plan`; the files that it names", not: "the servers' files",
		bars: []string{"internal/deployment", "internal/server", "internal/keystore", "log/slog"}},
	{path: "internal/apply", owns: "reads both servers, plans, and makes the changes, until the servers have what a file names; keeps the keys and the record", not: "the servers' files, YAML",
		bars: []string{"internal/deployment", "internal/server", "internal/keystore", "internal/yamlfile"}},
	{path: "internal/objects", owns: "what a person does with one object on the servers by a command: find it by its name, show what goes with it, make, change and delete it", not: "files of the desired state, flags",
		bars: []string{"internal/yamlfile", "go.yaml.in/yaml/v3", "github.com/spf13/cobra", "os", "io/fs", "path/filepath"}},
	{path: "internal/drift", owns: "what differs between both servers and the desired state while the agent runs: report, fix", not: "the servers' files",
		bars: []string{"internal/deployment", "internal/server", "internal/keystore", "internal/yamlfile"}},
	{path: "internal/dump", owns: "what both servers have -> a file of the desired state that a plan leaves as it is", not: "how to write files, or to change a server",
		bars: []string{"internal/deployment", "internal/server", "internal/keystore", "internal/apply", "internal/file", "os", "net/http"}},
	{path: "internal/verify", owns: "checks with verdict, evidence and remedy, over files and REST", not: "how to change anything but its own throw-away objects",
		bars: []string{"internal/notify", "internal/rotation"}},
	{path: "internal/doctor", owns: "known troubles, recognised from what the servers answer, files and logs, with evidence, remedy and the name of the fix", not: "how to change a server or a file of it",
		bars: []string{"internal/apply", "internal/drift", "internal/rotation", "internal/place", "log/slog"}, tests: []string{"internal/repair", "internal/agent"}},
	{path: "internal/up", owns: "servers that run already, from a laptop: read both and their stores, decide, make them trust each other, restart them, bring them to the desired state; take back what an agent has made in a server's files", not: "how an agent next to a server lives",
		bars: []string{"internal/rotation", "internal/place"}},
	{path: "internal/agent", owns: "the lives of an agent: `init`, `run`, `bootstrap`; takes the snapshot, executes the decision", not: "details of the packages above"},
	{path: "internal/repair", owns: "the fixes that diagnoses of `internal/doctor` name: plan, make", not: "when a fix is due"},
	{path: "cmd/agent", owns: "one file per command: flags in, exit code out; no logic"},
	{path: "internal/testenv", owns: "what tests of several packages need: programs, volumes, certificates, WSO2's own files", not: "the agent"},
	{path: "internal/wso2sim", owns: "stand-ins of both servers", not: "the agent: one misreading must not be made twice"},
	{path: "cmd/wso2sim", owns: "the command that runs one stand-in", not: "the agent"},
	{path: "cmd/demo", owns: "the demo, which runs the agent and both stand-ins as processes", not: "the agent's packages"},
	{path: "bench", owns: "measurements next to other programs"},
	{path: "deploy", owns: "tests of the scripts in the manifests"},
	{path: "test", owns: "tests of the whole: Compose, Kubernetes, kills, handshakes with Java, the table itself"},
}

// helpers are for tests of every package.
var helpers = []string{"internal/testenv", "internal/wso2sim"}

const module = "wso2agent/"

// listed is what go list prints of a package.
type listed struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
	Deps                               []string // of the package without its tests
	Error                              *struct{ Err string }
}

// listPackages lists the module's packages, with the files of all build tags. A circle of imports is an Error of a package.
func listPackages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), testenv.Command(t, "go"), "list", "-e", "-tags", "compose,kubernetes,killpoints",
		"-json=ImportPath,Imports,TestImports,XTestImports,Deps,Error", module+"...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v", cmd.Args, err)
	}
	var all []listed
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("%v: %v", cmd.Args, err)
		}
		all = append(all, p)
	}
}

// rowOf is the index of the row that covers a package, or -1.
func rowOf(table []row, importPath string) int {
	path := strings.TrimPrefix(importPath, module)
	return slices.IndexFunc(table, func(r row) bool { return path == r.path || strings.HasPrefix(path, r.path+"/") })
}

// wrongArrows names each import of the packages that the table rules out, each row without a package, and each package
// without a row.
func wrongArrows(table []row, all []listed) (wrong []string) {
	exists := map[int]bool{}
	for _, p := range all {
		at := rowOf(table, p.ImportPath)
		if at < 0 {
			wrong = append(wrong, fmt.Sprintf("%s is not in the table of packages", p.ImportPath))
			continue
		}
		if p.Error != nil {
			wrong = append(wrong, fmt.Sprintf("%s: %s", p.ImportPath, p.Error.Err))
		}
		exists[at] = true
		own := table[at]
		report := func(kind, imported, reason string) {
			wrong = append(wrong, fmt.Sprintf("%s%s -> %s: %s", p.ImportPath, kind, imported, reason))
		}
		for _, imported := range p.Imports {
			if slices.Contains(own.bars, strings.TrimPrefix(imported, module)) {
				report("", imported, own.path+" must not know "+own.not)
			}
			if isUpward(table, at, imported) {
				report("", imported, "it stands below "+own.path+" in the table")
			}
		}
		for _, imported := range slices.Concat(p.TestImports, p.XTestImports) {
			path := strings.TrimPrefix(imported, module)
			allowed := slices.Concat(helpers, own.tests)
			if isUpward(table, at, imported) && !slices.ContainsFunc(allowed, func(a string) bool { return path == a || strings.HasPrefix(path, a+"/") }) {
				report(" (tests)", imported, "it stands below "+own.path+" in the table")
			}
		}
	}
	for i, r := range table {
		switch {
		case !exists[i] && !r.planned:
			wrong = append(wrong, fmt.Sprintf("the table has %s, which is no package", r.path))
		case exists[i] && r.planned:
			wrong = append(wrong, fmt.Sprintf("%s exists: it is not planned any more", r.path))
		}
	}
	return wrong
}

// isUpward reports whether an import of the package in a row is one of the module's from a row below.
func isUpward(table []row, at int, imported string) bool {
	return strings.HasPrefix(imported, module) && rowOf(table, imported) > at
}

func TestAPackageImportsOnlyPackagesAboveIt(t *testing.T) {
	for _, wrong := range wrongArrows(packages, listPackages(t)) {
		t.Error(wrong)
	}
}

// TestWrongArrowsAreNamed holds the check itself against every mistake that it must find.
func TestWrongArrowsAreNamed(t *testing.T) {
	table := []row{{path: "internal/low", bars: []string{"os"}, not: "files", tests: []string{"internal/high"}}, {path: "internal/mid", bars: []string{"internal/low"}, not: "low"},
		{path: "internal/high"}, {path: "internal/testenv"}, {path: "internal/later", planned: true}}
	of := func(path string, imports, tests, outer []string) listed {
		return listed{ImportPath: module + path, Imports: imports, TestImports: tests, XTestImports: outer}
	}
	for _, c := range []struct {
		name string
		p    listed
		want string // a part of the only message; empty: none
	}{
		{"an import of a row above", of("internal/high", []string{"wso2agent/internal/mid", "os"}, nil, nil), ""},
		{"an import of a row below", of("internal/low", []string{"wso2agent/internal/mid"}, nil, nil), "wso2agent/internal/low -> wso2agent/internal/mid"},
		{"an import within a row", of("internal/mid/part", []string{"wso2agent/internal/mid"}, nil, nil), ""},
		{"an import of a part of a row below", of("internal/low", []string{"wso2agent/internal/mid/part"}, nil, nil), "-> wso2agent/internal/mid/part"},
		{"a barred package of the standard library", of("internal/low", []string{"os"}, nil, nil), "must not know files"},
		{"a barred package from a row above", of("internal/mid", []string{"wso2agent/internal/low"}, nil, nil), "must not know low"},
		{"a barred package in a test", of("internal/low", nil, []string{"os"}, nil), ""},
		{"a helper in a test", of("internal/low", nil, nil, []string{"wso2agent/internal/testenv"}), ""},
		{"a helper outside a test", of("internal/low", []string{"wso2agent/internal/testenv"}, nil, nil), "-> wso2agent/internal/testenv"},
		{"a row below in a test", of("internal/mid", nil, []string{"wso2agent/internal/high"}, nil), "internal/mid (tests) -> wso2agent/internal/high"},
		{"a row below in an outer test", of("internal/mid", nil, nil, []string{"wso2agent/internal/high"}), "internal/mid (tests) -> wso2agent/internal/high"},
		{"an exception for tests", of("internal/low", nil, nil, []string{"wso2agent/internal/high"}), ""},
		{"a package without a row", of("internal/new", nil, nil, nil), "wso2agent/internal/new is not in the table"},
		{"a package whose name begins like a row", of("internal/lower", nil, nil, nil), "wso2agent/internal/lower is not in the table"},
	} {
		t.Run(c.name, func(t *testing.T) {
			all := []listed{c.p}
			for _, r := range table[:4] {
				if module+r.path != c.p.ImportPath {
					all = append(all, of(r.path, nil, nil, nil))
				}
			}
			got := wrongArrows(table, all)
			if c.want == "" && len(got) > 0 || c.want != "" && (len(got) != 1 || !strings.Contains(got[0], c.want)) {
				t.Errorf("got %q, want one message with %q", got, c.want)
			}
		})
	}
	if got := wrongArrows(table[:2], []listed{of("internal/low", nil, nil, nil)}); len(got) != 1 || !strings.Contains(got[0], "internal/mid, which is no package") {
		t.Errorf("a row without a package: got %q", got)
	}
	circle := of("internal/low", nil, nil, nil)
	circle.Error = &struct{ Err string }{"import cycle not allowed"}
	if got := wrongArrows(table[:1], []listed{circle}); len(got) != 1 || !strings.Contains(got[0], "import cycle") {
		t.Errorf("a circle: got %q", got)
	}
	if got := wrongArrows(table[4:], []listed{of("internal/later", nil, nil, nil)}); len(got) != 1 || !strings.Contains(got[0], "internal/later exists") {
		t.Errorf("a planned package that exists: got %q", got)
	}
}

// TestStandInsAndAgentShareNoCode: a stand-in that reads a server's answer with the agent's own code proves nothing. Both
// read keystores with one package, which keytool checks in its own tests.
func TestStandInsAndAgentShareNoCode(t *testing.T) {
	standIns := []string{"internal/wso2sim", "cmd/wso2sim", "cmd/demo"}
	shared := []string{"internal/keystore", "internal/javacert", "internal/remedy", "internal/testenv"}
	found := 0
	for _, p := range listPackages(t) {
		path := strings.TrimPrefix(p.ImportPath, module)
		own := packages[max(rowOf(packages, p.ImportPath), 0)].path
		for _, dep := range slices.Concat(p.Deps, p.TestImports, p.XTestImports) {
			if !strings.HasPrefix(dep, module) {
				continue
			}
			of := packages[max(rowOf(packages, dep), 0)].path
			if slices.Contains(standIns, own) && !slices.Contains(slices.Concat(standIns, shared), of) {
				t.Errorf("the stand-in %s reaches %s of the agent", p.ImportPath, dep)
			}
		}
		if path == "cmd/agent" {
			found++
			for _, dep := range p.Deps {
				if slices.Contains(slices.Concat(standIns, helpers), packages[max(rowOf(packages, dep), 0)].path) {
					t.Errorf("the agent's program holds %s", dep)
				}
			}
		}
		if slices.Contains(standIns, path) {
			found++
		}
	}
	if found != len(standIns)+1 {
		t.Errorf("found %d of the programs and packages that are compared", found)
	}
}

func TestTheTableOfPackagesIsTheOneInTheDocs(t *testing.T) {
	want := "| package | owns | must not know |\n|---|---|---|\n"
	for _, r := range packages {
		name := "`" + r.path + "`"
		if r.planned {
			name += " (planned)"
		}
		want += fmt.Sprintf("| %s | %s | %s |\n", name, r.owns, r.not)
	}
	const path = "../docs/architecture.md"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(text), "\n"+want+"\n") != 1 {
		t.Errorf("%s does not have the table of this test; it should be:\n%s", path, want)
	}
}
