package testenv

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// ReadTOML asks the parser of WSO2's servers, cava-toml, what it makes of texts: for each its values by their paths, in a
// form that cava/Read.java makes, or why it refuses. The test is skipped where Java or Maven is missing, and fails in CI.
func ReadTOML(t testing.TB, texts []string) (values []map[string]string, refused []string) {
	t.Helper()
	java, jars := Command(t, "java"), Maven(t, filepath.Join(ModuleRoot(t), "internal/testenv/cava/pom.xml"))
	dir := t.TempDir()
	args := []string{"-cp", filepath.Join(jars, "*"), filepath.Join(ModuleRoot(t), "internal/testenv/cava/Read.java")}
	for i, text := range texts {
		name := filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, name)
	}
	// An argument file, since a command line is limited.
	list := filepath.Join(dir, "args")
	if err := os.WriteFile(list, []byte(strings.Join(args, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(java, "@"+list).CombinedOutput()
	if err != nil {
		t.Fatalf("java: %v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSuffix(line, "\n")
		why, isRefused := strings.CutPrefix(line, "refused ")
		switch path, value, isValue := strings.Cut(line, "\t"); {
		case strings.HasPrefix(line, "file "):
			values, refused = append(values, map[string]string{}), append(refused, "")
		case isRefused:
			refused[len(refused)-1] = why
		case isValue:
			values[len(values)-1][path] = value
		}
	}
	if len(values) != len(texts) {
		t.Fatalf("%d of %d files were read:\n%s", len(values), len(texts), out)
	}
	return values, refused
}
