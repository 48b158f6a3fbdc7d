//go:build compose

package compose

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// socket is where the engine of this machine has its API.
const socket = "/var/run/docker.sock"

// byEngine has the agents restart the servers' containers through the socket. agent exec then only runs the servers.
const byEngine = `services:
  wso2is: {environment: {RESTART: docker}}
  wso2am: {environment: {RESTART: docker}}
  is-agent: &agent
    environment: {RESTART: docker, IS_CONTAINER: "%[1]s", AM_CONTAINER: "%[2]s"}
    group_add: ["%[3]d"]
    volumes: ["%[4]s:%[4]s"]
  am-agent: *agent
`

// TestAnEngineRestartsTheServers is of a rotation that needs a restart of both servers.
func TestAnEngineRestartsTheServers(t *testing.T) {
	info, err := os.Stat(socket)
	if err != nil {
		t.Skip("the engine has no socket at its usual place: ", err)
	}
	w := newParallelWorld(t, "restart")
	w.env["RELOAD"], w.env["TLS_SUCCESSORS"], w.env["TLS_MODE"] = "off", "0", "issue"
	path := filepath.Join(t.TempDir(), "restart.yml")
	text := fmt.Sprintf(byEngine, w.container("wso2is"), w.container("wso2am"), info.Sys().(*syscall.Stat_t).Gid, socket)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	w.files = []string{"compose.yml", "compose.override.yml", path}
	w.up()
	w.ready("is-agent", "am-agent")
	w.works()
	started := func(service string) string { return w.inspect(service, "{{.State.StartedAt}}") }
	is, am := started("wso2is"), started("wso2am")
	if log := w.compose("logs", "--no-color", "is-agent"); !strings.Contains(log, "mounts this config volume at") {
		t.Errorf("the agent does not say why it takes this container:\n%s", log)
	}

	w.in("a rotation restarts both containers", func(w *world) {
		if said := w.must("exec", "-T", "is-agent", "/agent", "certs", "rotate"); !strings.Contains(said, "these servers restart, one after the other") {
			w.t.Errorf("the rotation costs %s", said)
		}
		w.eventually(3*time.Minute, "both containers have started again", func() bool { return started("wso2is") != is && started("wso2am") != am })
		w.ready("wso2is", "wso2am", "is-agent", "am-agent")
		w.works()
		if log := w.compose("logs", "--no-color", "is-agent", "am-agent"); strings.Count(log, "the server has restarted, and presents the certificate on the config volume") < 2 || strings.Contains(log, "the agent cannot restart the server") {
			w.t.Errorf("the restarts are not verified:\n%s", log)
		}
	})
	w.in("a container without the server is refused", func(w *world) {
		other := strings.Replace(text, w.container("wso2is"), w.container("am-agent"), 1)
		if err := os.WriteFile(path, []byte(other), 0o644); err != nil {
			w.t.Fatal(err)
		}
		w.must("up", "--no-build", "--detach", "--no-deps", "is-agent")
		w.eventually(time.Minute, "the log says so", func() bool {
			return strings.Contains(w.compose("logs", "--no-color", "is-agent"), "runs no server of this product: it has no home with a repository/conf/deployment.toml")
		})
	})
}
