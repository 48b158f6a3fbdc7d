package pages

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wso2agent/internal/testenv"
)

// documented says which test runs the shell blocks below a heading of a page. Every block of the pages has one, and
// TestEveryShellBlockOfThePagesIsRun holds that.
var documented = []struct {
	page, heading string
	test          string // folder and name
}{
	{"README.md", "wso2agent", "test.TestTheDocumentedTargetsOfMake"},
	{"README.md", "With Docker Compose: `docker compose up`", "test/compose.TestTheREADMEsSectionOnCompose"},
	{"README.md", "On Kubernetes: `kubectl apply -k`", "test/kubernetes.TestANewcomersWalk"},
	{"README.md", "Next to a server: `agent run`", "cmd/agent.TestDocumentedCommands"},
	{"README.md", "Before a server: `agent init`", "cmd/agent.TestDocumentedCommands"},
	{"README.md", "Around a server: `agent exec`", "cmd/agent.TestDocumentedCommands"},
	{"README.md", "Once: `agent bootstrap`", "cmd/agent.TestDocumentedCommands"},
	{"README.md", "For people: `agent certs`", "cmd/agent.TestDocumentedCommands"},
	{"README.md", "For people: `agent scopes`", "cmd/agent.TestDocumentedCommands"},
	{"README.md", "For people: `agent verify`", "cmd/agent.TestDocumentedCommands"},
	{"README.md", "For people: `agent km`", "cmd/agent.TestDocumentedCommands"},
	{"README.md", "For people: `agent doctor`", "cmd/agent.TestDocumentedCommands"},
	{"docs/api-configuration.md", "Check a file", "cmd/agent.TestDocumentedCommands"},
	{"docs/api-configuration.md", "Plan", "cmd/agent.TestDocumentedCommands"},
	{"docs/api-configuration.md", "Apply", "cmd/agent.TestDocumentedCommands"},
	{"docs/api-configuration.md", "Dump", "cmd/agent.TestDocumentedCommands"},
	{"docs/kubernetes.md", "From nothing to an API that answers", "test/kubernetes.TestANewcomersWalk"},
	{"docs/kubernetes.md", "To look at it", "test/kubernetes.TestApplyAndWhatSurvives"},
	{"docs/kubernetes.md", "On a cluster of yours", "test/kubernetes.TestPostgreSQL"},
	{"docs/kubernetes.md", "Security", "test/kubernetes.TestApplyAndWhatSurvives"},
	{"docs/laptop.md", "Two containers", "test/compose.TestServersInPlainContainersAreConnectedFromALaptop"},
	{"docs/laptop.md", "Take it back", "test/compose.TestServersInPlainContainersAreConnectedFromALaptop"},
	{"docs/operating.md", "What runs", "test/compose.TestUpAndWhatSurvives"},
	{"docs/operating.md", "Certificates", "test/compose.TestATLSKeystoreThatIsReplacedByHand"},
	{"docs/operating.md", "Files of the servers", "test/compose.TestSettingsOfOnesOwnAndUpgrades"},
	{"docs/postgres.md", "Tables of your own", "deploy/postgres.TestDatabases"},
	{"docs/security.md", "How applications get scopes", "cmd/agent.TestDocumentedCommands"},
	{"docs/security.md", "The key manager's user", "cmd/agent.TestDocumentedCommands"},
	{"docs/settings.md", "The servers' settings", "cmd/agent.TestDocumentedCommands"},
	{"docs/toolkit.md", "Key managers", "cmd/agent.TestDocumentedCommands"},
	{"docs/toolkit.md", "APIs", "cmd/agent.TestDocumentedCommands"},
	{"docs/toolkit.md", "Applications and subscriptions", "cmd/agent.TestDocumentedCommands"},
	{"docs/toolkit.md", "Clients of IS", "cmd/agent.TestDocumentedCommands"},
	{"docs/tokens.md", "Get a token", "cmd/agent.TestDocumentedCommands"},
	{"docs/tokens.md", "Look at a token", "cmd/agent.TestDocumentedCommands"},
	{"docs/tokens.md", "Call an API", "cmd/agent.TestDocumentedCommands"},
	{"docs/tokens.md", "Users", "cmd/agent.TestDocumentedCommands"},
	{"docs/tokens.md", "Roles", "cmd/agent.TestDocumentedCommands"},
	{"docs/verification.md", "`agent verify`", "cmd/agent.TestDocumentedCommands"},
	{"docs/stand-ins.md", "Run one alone", "cmd/wso2sim.TestTheDocumentedStandInsStart"},
}

// Blocks are the shell blocks that the running test has to run, all of them, in the order of the pages.
func Blocks(t testing.TB) (blocks []Block) {
	t.Helper()
	here, err := os.Getwd()
	if err == nil {
		here, err = filepath.Rel(testenv.ModuleRoot(t), here)
	}
	if err != nil {
		t.Fatal(err)
	}
	name, _, _ := strings.Cut(t.Name(), "/")
	for _, b := range allBlocks(t) {
		for _, d := range documented {
			if d.page == b.Page && d.heading == b.Heading && d.test == filepath.ToSlash(here)+"."+name {
				blocks = append(blocks, b)
			}
		}
	}
	if len(blocks) == 0 {
		t.Fatalf("no shell block of the pages belongs to %s.%s", here, name)
	}
	return blocks
}

// Commands are the commands of [Blocks].
func Commands(t testing.TB) (commands []Command) {
	t.Helper()
	for _, b := range Blocks(t) {
		commands = append(commands, b.Commands...)
	}
	return commands
}

// A Page is one Markdown page of the repository.
type Page struct {
	Path string // from the top of the repository
	Text string
}

// All are the Markdown pages of the repository in the order of their paths, but for those of test data.
func All(t testing.TB) (pages []Page) {
	t.Helper()
	root := testenv.ModuleRoot(t)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && (d.Name() == "testdata" || d.Name()[0] == '.') {
			return fs.SkipDir
		}
		if d.IsDir() || filepath.Ext(path) != ".md" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, path)
		pages = append(pages, Page{Path: filepath.ToSlash(relative), Text: string(text)})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return pages
}

func allBlocks(t testing.TB) (blocks []Block) {
	t.Helper()
	for _, page := range All(t) {
		found, err := Parse(page.Path, page.Text)
		if err != nil {
			t.Fatal(err)
		}
		blocks = append(blocks, found...)
	}
	return blocks
}
