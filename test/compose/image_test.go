//go:build compose

package compose

import (
	"bytes"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// run is a command in the repository that must succeed, and what it prints on standard output.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = "../.."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, stderr.String())
	}
	return strings.TrimSpace(string(out))
}

func TestTheImageIsSmallAndNamesWhatItIs(t *testing.T) {
	size, err := strconv.Atoi(run(t, "docker", "image", "inspect", "-f", "{{.Size}}", "wso2agent:latest"))
	if err != nil || size > 14<<20 {
		t.Errorf("it has %d bytes, %v", size, err)
	}
	t.Logf("image: %d bytes", size)
	label := func(name string) string {
		return run(t, "docker", "image", "inspect", "-f", `{{index .Config.Labels "org.opencontainers.image.`+name+`"}}`, "wso2agent:latest")
	}
	if revision := label("revision"); !regexp.MustCompile(`^[0-9a-f]{40}$`).MatchString(revision) {
		t.Errorf("its revision is %q", revision)
	}
	if said := run(t, "docker", "run", "--rm", "wso2agent:latest", "version"); !strings.HasPrefix(said, "agent "+label("version")+" (") {
		t.Errorf("it says %q, its label %q", said, label("version"))
	}
	if user := run(t, "docker", "image", "inspect", "-f", "{{.Config.User}}", "wso2agent:latest"); user != "65532:65532" {
		t.Errorf("its user is %q", user)
	}
}

func TestTwoBuildsOfOneCommitAreEqual(t *testing.T) {
	var ids []string
	for _, build := range []struct{ tag, options string }{{"wso2agent-test:first", "--quiet"}, {"wso2agent-test:second", "--no-cache --quiet"}} { // the first may be an earlier day's
		tag := build.tag
		run(t, "make", "image", "IMAGE="+tag, "VERSION=test", "EPOCH=1700000000", "IMAGE_OPTIONS="+build.options)
		ids = append(ids, run(t, "docker", "image", "inspect", "-f", "{{.Id}}", tag))
		run(t, "docker", "image", "rm", tag)
	}
	if ids[0] != ids[1] {
		t.Errorf("the images are %s and %s", ids[0], ids[1])
	}
}

func TestTheImageForARMHoldsAProgramForIt(t *testing.T) {
	run(t, "make", "image", "IMAGE=wso2agent-test:arm64", "PLATFORM=linux/arm64", "IMAGE_OPTIONS=--quiet")
	id := run(t, "docker", "create", "--platform", "linux/arm64", "wso2agent-test:arm64")
	program := filepath.Join(t.TempDir(), "agent")
	run(t, "docker", "cp", id+":/agent", program)
	run(t, "docker", "rm", id)
	run(t, "docker", "image", "rm", "wso2agent-test:arm64")
	f, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Machine != elf.EM_AARCH64 {
		t.Errorf("it is for %s", f.Machine)
	}
	if info, err := os.Stat(program); err != nil || info.Size() > 14<<20 {
		t.Errorf("it has %d bytes, %v", info.Size(), err)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("it wants an interpreter: it is not static")
		}
	}
}
