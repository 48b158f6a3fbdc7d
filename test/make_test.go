package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"wso2agent/internal/testenv"
	"wso2agent/internal/testenv/pages"
)

// The targets of make that the README shows are what CI runs, as whole parts of it: one of them runs this test.
func TestTheDocumentedTargetsOfMake(t *testing.T) {
	ci, err := os.ReadFile(filepath.Join(testenv.ModuleRoot(t), ".ci/run"))
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range pages.Commands(t) {
		ran := regexp.MustCompile(`(?m)^(part '[^']*' | +)` + regexp.QuoteMeta(command.Line) + `$`)
		if !strings.HasPrefix(command.Line, "make ") || !ran.Match(ci) {
			t.Errorf(".ci/run does not run this command of the README: %s", command.Line)
		}
	}
}

// Pages name targets in their text, too. Those that no block shows would run for long, or need Docker, so make only says here
// what it would do.
func TestEveryTargetOfMakeThatAPageNamesIsThere(t *testing.T) {
	makeProgram := testenv.Command(t, "make")
	var commands []string
	for _, page := range pages.All(t) {
		for _, m := range regexp.MustCompile("`(make [^`]+)`").FindAllStringSubmatch(page.Text, -1) {
			commands = append(commands, m[1])
		}
	}
	slices.Sort(commands)
	commands = slices.Compact(commands)
	if len(commands) < 5 {
		t.Errorf("the pages name the targets %q, want more", commands)
	}
	for _, command := range commands {
		cmd := exec.CommandContext(t.Context(), makeProgram, append([]string{"-n"}, strings.Fields(command)[1:]...)...)
		cmd.Dir = testenv.ModuleRoot(t)
		for _, variable := range os.Environ() {
			if !strings.HasPrefix(variable, "MAKE") && !strings.HasPrefix(variable, "MFLAGS") { // those of the make that runs this test
				cmd.Env = append(cmd.Env, variable)
			}
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", command, err, out)
		}
	}
}
