//go:build compose

package compose

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// later makes the world use images of both stand-ins whose homes have the names of other versions.
func (w *world) later(versions map[string]string) {
	w.t.Helper()
	for _, p := range []product{is, am} {
		version, dir := versions[p.service], w.t.TempDir()
		text := "FROM " + p.image + "\nUSER root\nRUN mv " + strings.TrimSuffix(p.home, "/") + " /home/wso2carbon/" + p.service + "-" + version + "\nUSER " + p.user + "\n"
		if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(text), 0o644); err != nil {
			w.t.Fatal(err)
		}
		image := "wso2agent-test/" + p.service + ":" + version
		w.docker("build", "-q", "-t", image, dir)
		w.env[strings.ToUpper(strings.TrimPrefix(p.service, "wso2"))+"_IMAGE"] = image
	}
}

func TestOneVariableForEachServerSelectsItsVersion(t *testing.T) {
	standInsOnly(t, "images of other versions")
	w := newWorld(t)
	w.later(map[string]string{"wso2is": "7.3.0", "wso2am": "4.7.0"})

	// The image alone: the volume would lie where the server does not look.
	w.try("up", "is-init", "--no-build", "--exit-code-from", "is-init")
	log := w.compose("logs", "--no-color", "is-init")
	for _, part := range []string{"the versions of the server differ", "wso2is-7.3.0", "wso2is-7.1.0", "IS_VERSION"} {
		if !strings.Contains(log, part) {
			t.Errorf("is-init does not say %q:\n%s", part, log)
		}
	}
	if code := w.inspect("is-init", "{{.State.ExitCode}}"); code != "1" {
		t.Errorf("is-init ends with %s, want 1", code)
	}
	w.down()

	w.env["IS_VERSION"], w.env["AM_VERSION"] = "7.3.0", "4.7.0"
	w.up()
	w.works()
	w.wantStarts(1, 1)
	for service, version := range map[string]string{"is-agent": "wso2is-7.3.0", "am-agent": "wso2am-4.7.0"} {
		if out := w.must("exec", "-T", service, "/agent", "version"); !strings.Contains(out, "runs next to "+version) {
			t.Errorf("%s: %s", service, out)
		}
	}
}
