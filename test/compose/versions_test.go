//go:build compose

package compose

import (
	"strings"
	"testing"
)

// TestOneVariableForEachServerSelectsItsVersion uses the images of the newest versions that make stand-ins has built.
func TestOneVariableForEachServerSelectsItsVersion(t *testing.T) {
	standInsOnly(t, "images of other versions")
	w := newWorld(t)

	// The image alone: the volume would lie where the server does not look.
	w.env["IS_IMAGE"], w.env["AM_IMAGE"] = "wso2/wso2is:7.3.0", "wso2/wso2am:4.7.0"
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

	delete(w.env, "IS_IMAGE")
	delete(w.env, "AM_IMAGE")
	w.env["IS_VERSION"], w.env["AM_VERSION"] = "7.3.0", "4.7.0"
	w.up()
	w.works()
	w.complete()
	w.wantStarts(1, 1)
	for service, version := range map[string]string{"is-agent": "wso2is-7.3.0", "am-agent": "wso2am-4.7.0"} {
		if out := w.must("exec", "-T", service, "/agent", "version"); !strings.Contains(out, "runs next to "+version) {
			t.Errorf("%s: %s", service, out)
		}
	}

	// API-M makes a key at each start without one, and would lose what it has encrypted.
	key := w.encryptionKey()
	if key == "" {
		t.Fatal("API-M encrypts with no key")
	}
	w.must("down")
	w.up()
	w.works()
	w.complete()
	if again := w.encryptionKey(); again != key {
		t.Error("API-M encrypts with another key after down and up")
	}
}

// encryptionKey is the line with the key in the settings that API-M has read; empty if there is none.
func (w *world) encryptionKey() string {
	w.t.Helper()
	text := w.must("exec", "-T", "wso2am", "sed", "-n", `/^\[encryption\]/,/^key/s/^key//p`, "/home/wso2carbon/wso2am-4.7.0/repository/conf/deployment.toml")
	return strings.TrimSpace(text)
}
