package testenv

import (
	"os/exec"
	"testing"
)

// Maven returns a folder with the libraries that a pom.xml names. The test is skipped where Maven is not installed or
// cannot get them, and fails in CI.
func Maven(t testing.TB, pom string) string {
	t.Helper()
	dir := t.TempDir()
	out, err := exec.Command(Command(t, "mvn"), "-q", "-B", "-f", pom, "dependency:copy-dependencies", "-DoutputDirectory="+dir).CombinedOutput()
	if err != nil {
		missing(t, "needs libraries from Maven: "+err.Error()+"\n"+string(out))
	}
	return dir
}
