//go:build compose

package compose

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestWhatAPersonMustMendEndsUpWithALineThatSaysSo(t *testing.T) {
	for _, tc := range []struct {
		name    string
		env     map[string]string
		args    []string
		service string
		code    int
		says    []string
	}{
		{"there is no api-config.yaml", map[string]string{"FILES_DIR": "EMPTY"}, nil, "bootstrap", 4, []string{"/config/api-config.yaml", "put it there"}},
		{"a setting is wrong", map[string]string{"IS_PORT": "none"}, nil, "is-init", 64, []string{"IS_PORT", "must be a port"}},
		{"IS's init never ran", map[string]string{"INIT_TIMEOUT": "8s"}, []string{"wso2am"}, "am-init", 3, []string{"timed out after 8s", "the certificate of wso2is", "start the agent next to it"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			for name, value := range tc.env {
				if value == "EMPTY" {
					value = t.TempDir()
				}
				w.env[name] = value
			}
			w.upEndsAt(tc.service, tc.code, tc.says, tc.args...)
		})
	}
}

func TestPasswordsOfNewServersAreThoseOfTheSettings(t *testing.T) {
	w := newParallelWorld(t, "passwords")
	w.env["AM_ADMIN_PASS"], w.env["IS_ADMIN_PASS"] = "of-api-m", "of-is"
	w.up()
	w.works()
	w.wantStarts(1, 1)
}

func TestWhatWasMendedWorksAfterAnotherUp(t *testing.T) {
	w := newParallelWorld(t, "mended")
	w.env["FILES_DIR"] = t.TempDir()
	if out, err := w.try("up", "--wait", "--no-build"); err == nil {
		t.Fatalf("up succeeds without an API configuration:\n%s", out)
	}
	example, err := os.ReadFile(filepath.Join(w.dir, "examples/api-config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(w.env["FILES_DIR"], 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.env["FILES_DIR"], "api-config.yaml"), example, 0o644); err != nil {
		t.Fatal(err)
	}
	w.up()
	w.works()
	w.wantStarts(1, 1)
}

// slow builds the stand-ins so that they take their time, and makes the world use them. Real servers take it anyway.
func (w *world) slow(args ...string) {
	w.t.Helper()
	if real() {
		return
	}
	for name, target := range map[string]string{"IS_IMAGE": "wso2is", "AM_IMAGE": "wso2am"} {
		w.env[name] = "wso2agent-test/" + target + ":" + w.project
		command := []string{"build", "-q", "-f", "../../test/compose/Dockerfile", "--target", target, "-t", w.env[name]}
		for _, a := range args {
			command = append(command, "--build-arg", a)
		}
		w.docker(append(command, "../..")...)
	}
}

func TestServersThatBootSlowly(t *testing.T) {
	standInsOnly(t, "servers that start after a time of the test's choice")
	w := newParallelWorld(t, "slow")
	w.slow("BOOT_DELAY=90s")
	took := w.up()
	if took < 90*time.Second {
		t.Errorf("up took %s, less than the servers", took)
	}
	w.works()
	w.wantStarts(1, 1)
}

// Compose gives up on a paused container at once. What matters is that nothing is spoilt by it.
func TestAServerThatIsPausedAfterItsInit(t *testing.T) {
	w := newParallelWorld(t, "paused")
	w.slow("BOOT_DELAY=10s")
	w.env["POLL_INTERVAL"], w.env["INIT_TIMEOUT"] = "2s", "10s"
	done := make(chan error, 1)
	go func() { _, err := w.try("up", "--wait", "--no-build"); done <- err }()
	w.eventually(time.Minute, "IS runs", func() bool {
		out, _ := w.try("ps", "--status", "running", "--services")
		return strings.Contains(out, "wso2is")
	})
	w.must("pause", "wso2is")
	if err := <-done; err == nil {
		t.Fatal("up succeeds while a server is paused")
	}
	time.Sleep(15 * time.Second) // longer than every time-out
	w.must("unpause", "wso2is")
	w.ready("wso2is")
	w.up()
	w.works()
	w.complete()
	w.wantStarts(1, 1)
}

func TestAServerThatIsKilledInTheMiddleOfBootstrap(t *testing.T) {
	w := newParallelWorld(t, "killed")
	w.slow("DELAY_SCALE=0.1")
	done := make(chan error, 1)
	go func() { _, err := w.try("up", "--wait", "--no-build"); done <- err }()
	w.eventually(2*time.Minute, "the second API is made", func() bool {
		out, _ := w.try("logs", "--no-log-prefix", "bootstrap")
		return regexp.MustCompile(`msg=created .*kind=API name="Old Payment API `).MatchString(out)
	})
	w.killIn("wso2am")
	err := <-done
	t.Logf("up ends with %v", err)
	w.up()
	w.works()
	w.complete()
	if is := w.starts("wso2is"); is != 1 {
		t.Errorf("IS has started %d times", is)
	}
}

// The password of a server in use is its database's. Another one in .env must neither break the server nor be believed.
func TestAnotherPasswordInEnvBreaksNoServerInUseAndIsNamed(t *testing.T) {
	w := newParallelWorld(t, "another-password")
	w.env["AM_ADMIN_PASS"], w.env["IS_ADMIN_PASS"] = "of-api-m&1", "of-is"
	w.up()
	w.works()
	settings := func(service string) string {
		return string(w.file(service, "/home/wso2carbon/wso2-config-volume/repository/conf/deployment.toml"))
	}
	for _, c := range []struct{ variable, right, server, initService string }{
		{"AM_ADMIN_PASS", "of-api-m&1", "wso2am", "am-init"},
		{"IS_ADMIN_PASS", "of-is", "wso2is", "is-init"},
	} {
		w.in(c.variable, func(w *world) {
			before := administrator(settings(c.server))
			w.env[c.variable] = "another"
			began := time.Now()
			w.upEndsAt("bootstrap", 4, []string{"refuses the password of its administrator", c.variable, "docs/operating.md"})
			if took := time.Since(began); took > patience(5*time.Minute) {
				w.t.Errorf("up ends after %s, longer than the servers need to start", took)
			}
			if after := administrator(settings(c.server)); after != before {
				w.t.Errorf("[super_admin] became %q", after)
			}
			if logs := w.compose("logs", "--no-color", "--no-log-prefix", c.initService); !strings.Contains(logs, "super_admin.password") || strings.Contains(logs, "another\n") {
				w.t.Errorf("%s does not tell that the password differs:\n%s", c.initService, logs)
			}
			w.ready(c.server)
			w.env[c.variable] = c.right
			w.up()
			w.works()
		})
	}
}

// administrator is the table of a deployment.toml.
func administrator(settings string) string {
	_, table, _ := strings.Cut(settings, "[super_admin]\n")
	table, _, _ = strings.Cut(table, "\n[")
	return table
}

// A server whose settings have another password than its database never gets healthy. bootstrap says so without waiting
// for that.
func TestAPIMWithAnotherPasswordInItsSettingsEndsUpEarly(t *testing.T) {
	w := newParallelWorld(t, "wrong-password")
	w.env["SECRETS_ENV"], w.env["AM_ADMIN_PASS"] = "true", "first-1"
	w.up()
	w.works()
	w.env["AM_ADMIN_PASS"] = "second-2" // its container gets this one, and the file refers to it
	began := time.Now()
	w.upEndsAt("bootstrap", 4, []string{"API-M refuses the password of its administrator", "AM_ADMIN_PASS"})
	if took := time.Since(began); took > patience(5*time.Minute) {
		t.Errorf("up ends after %s: it has waited for a healthy API-M", took)
	}
	w.env["AM_ADMIN_PASS"] = "first-1"
	w.up()
	w.works()
}
