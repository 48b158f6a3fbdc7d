package artifact

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"wso2agent/internal/product"
	"wso2agent/internal/wso2sim"
)

func TestAHandlerCountsIfTheReleaseLoadsIt(t *testing.T) {
	for _, test := range []struct {
		version string
		loads   map[string]bool // by version of IS
	}{
		{"2.0.5", map[string]bool{"7.0.0": true, "7.1.0": true, "7.2.0": true}},
		{"2.0.11", map[string]bool{"7.0.0": true, "7.1.0": true, "7.2.0": true}},
		{"2.0.12", map[string]bool{"7.3.0": true}},
		{"2.1.1", map[string]bool{"7.3.0": true}},
		{"2.1.2", map[string]bool{"7.1.0": true, "7.2.0": true, "7.3.0": true}}, // IS 7.0 has Java 11
	} {
		folder := t.TempDir()
		jar, err := wso2sim.RevocationHandler(test.version)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(folder, filepath.Dir(handlers), "wso2is.notification.event.handlers-"+test.version+".jar")
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, jar, 0o644)); err != nil {
			t.Fatal(err)
		}
		for _, version := range []string{"7.0.0", "7.1.0", "7.2.0", "7.3.0"} {
			release, err := product.Of(product.IS, version)
			if err != nil {
				t.Fatal(err)
			}
			if got := HasRevocationHandler(release, t.TempDir(), folder); got != test.loads[version] {
				t.Errorf("handler %s counts for IS %s: %t, want %t", test.version, version, got, test.loads[version])
			}
		}
	}
}

func TestAFileThatIsNoJarIsNoHandler(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, filepath.Dir(handlers), "wso2is.notification.event.handlers-2.0.5.jar")
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte("<html>404</html>"), 0o644)); err != nil {
		t.Fatal(err)
	}
	if HasRevocationHandler(product.Default(product.IS), folder) {
		t.Error("the page of an error counts as handler")
	}
	if _, err := Resolves(path, product.Default(product.IS)); err == nil {
		t.Error("Resolves has no error for it")
	}
}
