//go:build kubernetes

package kubernetes

import (
	"strings"
	"time"
)

// wrongSecrets are passwords that are missing, and that are wrong. In the end all works.
func wrongSecrets(w *world) {
	secret := func(data map[string]any) {
		w.put(map[string]any{"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "wso2-passwords"}, "stringData": data})
	}
	stock := map[string]any{"am-admin-pass": "admin", "is-admin-pass": "admin"}

	w.in("a password that is missing is named by the pod, its events and the log", func(w *world) {
		w.must("delete", "secret", "wso2-passwords")
		secret(map[string]any{"am-admin-pass": "admin"})
		w.replaced("wso2is-0")
		w.eventually(time.Minute, "the pod tells", func() bool {
			return strings.Contains(w.must("describe", "pod", "wso2is-0"), "IS_ADMIN_PASS_FILE")
		})
		if log := w.logs("wso2is-0", "init"); !strings.Contains(log, "IS_ADMIN_PASS_FILE") || !strings.Contains(log, "/run/secrets/wso2/is-admin-pass") {
			w.t.Error(log)
		}
		w.eventually(time.Minute, "an event tells of the container", func() bool {
			return strings.Contains(w.must("get", "events"), "Back-off restarting failed container init in pod wso2is-0")
		})
	})
	w.in("once it is there the pod goes on by itself", func(w *world) {
		secret(stock)
		w.touch("wso2is-0")
		w.touch("wso2am-0") // kubelet may have brought the missing one to this pod as well
		w.ready("wso2is")
		w.eventually(2*time.Minute, "API-M's sidecar has all passwords", func() bool {
			out, _ := w.try("exec", "wso2am-0", "-c", "agent", "--", "/agent", "probe")
			return !strings.Contains(out, "IS_ADMIN_PASS_FILE")
		})
		w.proved()
		w.works()
	})
	w.in("a password that the server refuses is named by the log and the sidecar", func(w *world) {
		before := w.restarts()
		secret(map[string]any{"am-admin-pass": "another", "is-admin-pass": "admin"})
		w.touch("wso2am-0")
		w.eventually(3*time.Minute, "the log says what to do", func() bool {
			return strings.Contains(w.logs("wso2am-0", "agent"), "AM_ADMIN_USER and AM_ADMIN_PASS")
		})
		if out, err := w.try("exec", "wso2am-0", "-c", "agent", "--", "/agent", "probe"); err == nil || !strings.Contains(out, "not ok bootstrap") {
			w.t.Errorf("the sidecar is ready: %v %s", err, out)
		}
		secret(stock)
		w.touch("wso2am-0")
		w.proved()
		w.works()
		w.wantRestarts(before)
	})
}
