// Package testenv finds what tests need but the project does not ship: the products' own files and Java's keytool.
//
// A developer without them skips the tests concerned, each saying why. In CI (CI=true) nothing is skipped: a missing
// prerequisite fails the test, so that a green run has run everything.
package testenv

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// Shared returns the path of a file or folder of the products' reference material, given relative to it, such as
// "keystores/is-7.1.0/wso2carbon.p12". It lies beside the checkout in a folder "shared", or where WSO2_SHARED says.
// The test is skipped where it is not there, and fails in CI.
func Shared(t testing.TB, elem ...string) string {
	t.Helper()
	path := shared(t, elem)
	if _, err := os.Stat(path); err != nil {
		missing(t, noShared(err))
	}
	return path
}

// Find is Shared for tests that can do without, and only check less then: where the path is not there the test goes on
// with a line in its log. In CI it fails all the same.
func Find(t testing.TB, elem ...string) (path string, ok bool) {
	t.Helper()
	path = shared(t, elem)
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("CI") == "true" {
			missing(t, noShared(err))
		}
		t.Log("checks less: " + noShared(err))
		return "", false
	}
	return path, true
}

func shared(t testing.TB, elem []string) string {
	t.Helper()
	root := os.Getenv("WSO2_SHARED")
	if root == "" {
		root = filepath.Join(ModuleRoot(t), "..", "shared")
	}
	return filepath.Join(append([]string{root}, elem...)...)
}

func noShared(err error) string {
	return "needs the products' reference material: " + err.Error() + " (set WSO2_SHARED to its folder)"
}

// Command returns the path of a program that a test runs, such as "keytool". The test is skipped where it is not
// installed, and fails in CI.
func Command(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		missing(t, "needs "+name+" on the PATH: "+err.Error())
	}
	return path
}

func missing(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal("in CI nothing is skipped: " + why)
	}
	t.Skip(why)
}

// ModuleRoot is the folder with go.mod, two above this file.
func ModuleRoot(t testing.TB) string {
	t.Helper()
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		t.Fatal("the test binary does not know its own source files")
	}
	return filepath.Join(filepath.Dir(file), "..", "..")
}
