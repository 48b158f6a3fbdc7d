package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// newNotReady returns the address of a server that answers that it is not ready.
func newNotReady(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintln(w, "not ok trust")
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// eachCommand calls f for every command that help shows, with its path without the program's name.
func eachCommand(c *cobra.Command, path []string, f func(c *cobra.Command, path []string)) {
	f(c, path)
	for _, below := range c.Commands() {
		if !below.Hidden {
			eachCommand(below, append(slices.Clone(path), below.Name()), f)
		}
	}
}

func TestHelpOfEveryCommand(t *testing.T) {
	seen := 0
	eachCommand(rootCommand(io.Discard, io.Discard), nil, func(c *cobra.Command, path []string) {
		seen++
		t.Run(strings.Join(append([]string{"agent"}, path...), " "), func(t *testing.T) {
			for _, flag := range []string{"-h", "--help"} {
				var stdout, stderr bytes.Buffer
				if code := run(t.Context(), append(slices.Clone(path), flag), &stdout, &stderr); code != 0 || stderr.Len() > 0 {
					t.Errorf("%s: exit code %d, stderr %q", flag, code, &stderr)
				}
				usage := "Usage:\n  " + c.CommandPath()
				if isGroup(c) {
					usage += " [command]\n\n" // it takes nothing else
				}
				if !strings.Contains(stdout.String(), usage) {
					t.Errorf("%s: no usage in\n%s", flag, &stdout)
				}
			}
			if c.Short == "" || strings.HasSuffix(c.Short, ".") {
				t.Errorf("the summary is %q", c.Short)
			}
		})
	})
	if seen < 20 {
		t.Errorf("only %d commands", seen)
	}
}

func TestCompletion(t *testing.T) {
	for shell, marks := range map[string][]string{
		"bash":       {"__start_agent", "complete -o default"},
		"zsh":        {"#compdef agent", "_agent()"},
		"fish":       {"complete -c agent"},
		"powershell": {"Register-ArgumentCompleter -CommandName 'agent'"},
	} {
		t.Run(shell, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			if code := run(t.Context(), []string{"completion", shell}, &stdout, &stderr); code != 0 || stderr.Len() > 0 {
				t.Fatalf("exit code %d, stderr %q", code, &stderr)
			}
			for _, mark := range marks {
				if !strings.Contains(stdout.String(), mark) {
					t.Errorf("no %q in the script", mark)
				}
			}
			if path, err := exec.LookPath(shell); err == nil && shell != "powershell" {
				check := exec.Command(path, "-n")
				check.Stdin = &stdout
				if out, err := check.CombinedOutput(); err != nil {
					t.Errorf("%s does not read its script: %v\n%s", shell, err, out)
				}
			}
		})
	}
	for _, tc := range []struct{ typed, want string }{
		{"", "bootstrap"}, {"certs ", "import"}, {"certs list --", "--keystore"}, {"config diff --product ", "am"}, {"help ", "exit-codes"}, {"help certs ", "list"},
		{"help settings AM_", "AM_PORT"}, {"completion ", "fish"},
	} {
		t.Run("agent "+tc.typed, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			if code := run(t.Context(), append([]string{"__complete"}, strings.Split(tc.typed, " ")...), &stdout, &stderr); code != 0 {
				t.Fatalf("exit code %d, stderr %q", code, &stderr)
			}
			var offered []string
			for line := range strings.Lines(stdout.String()) {
				word, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
				offered = append(offered, word)
			}
			if !slices.Contains(offered, tc.want) {
				t.Errorf("no %q in %q", tc.want, offered)
			}
		})
	}
}

// manDir is where TestManPages leaves the pages: make man sets it. cobra's generator is part of the tests, not of the agent.
var manDir = flag.String("man", "", "folder for the man pages")

// The generator of man pages would weigh as much as cobra itself.
func TestTheAgentDoesNotHoldTheGeneratorOfManPages(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := strings.Fields(string(out))
	if !slices.Contains(packages, "github.com/spf13/cobra") {
		t.Fatalf("cobra is not among %d packages", len(packages))
	}
	for _, p := range packages {
		if strings.HasSuffix(p, "cobra/doc") || strings.Contains(p, "md2man") || strings.Contains(p, "blackfriday") {
			t.Errorf("the agent holds %s", p)
		}
	}
}

func TestManPages(t *testing.T) {
	dir := *manDir
	if dir == "" {
		dir = t.TempDir()
	}
	if err := doc.GenManTree(rootCommand(io.Discard, io.Discard), &doc.GenManHeader{Section: "1", Source: "wso2agent", Manual: "wso2agent"}, dir); err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob(filepath.Join(dir, "agent*.1"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, page := range pages {
		names = append(names, strings.TrimSuffix(filepath.Base(page), ".1"))
	}
	eachCommand(rootCommand(io.Discard, io.Discard), nil, func(c *cobra.Command, path []string) {
		if name := strings.ReplaceAll(c.CommandPath(), " ", "-"); c.IsAvailableCommand() && !slices.Contains(names, name) {
			t.Errorf("no page for %s", c.CommandPath())
		}
	})
	for name, marks := range map[string][]string{
		"agent":              {".TH \"AGENT\" \"1\"", "\n64   the command line or a setting is wrong\n", "agent help settings"},
		"agent-certs-import": {"PEM \\fBFILE\\fR", "--replace"},
		"agent-certs":        {"\\fBagent certs [command]\\fP\n"},
	} {
		text, err := os.ReadFile(filepath.Join(dir, name+".1"))
		if err != nil {
			t.Fatal(err)
		}
		plain := strings.NewReplacer(`\-`, "-", `\&`, "").Replace(string(text))
		for _, mark := range marks {
			if !strings.Contains(plain, mark) {
				t.Errorf("no %q in the page of %s:\n%s", mark, name, plain)
			}
		}
		if strings.Contains(plain, "Auto generated") {
			t.Errorf("the page of %s has the day on which it was made", name)
		}
	}
}
