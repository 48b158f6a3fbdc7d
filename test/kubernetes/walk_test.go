//go:build kubernetes

package kubernetes

import (
	"bufio"
	"context"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/testenv/pages"
)

// in runs a part of a walk. Later parts go on with what earlier ones have left.
func (w *world) in(name string, part func(w *world)) {
	w.t.Run(name, func(t *testing.T) {
		inner := *w
		inner.t = t
		part(&inner)
	})
}

func TestApplyAndWhatSurvives(t *testing.T) {
	w := newWorld(t, "plain")
	t.Logf("from nothing to a verified call: %s", w.up().Round(100*time.Millisecond))
	w.works()
	w.wantRestarts(nil)
	w.wantStarts(1, 1)
	w.wantComplete()
	made := w.made()
	undisturbed := func(w *world, restarts map[string]int) {
		w.t.Helper()
		w.works()
		w.wantRestarts(restarts)
		w.wantMade(made)
	}

	w.in("the log says what works and how to try it", func(w *world) {
		log := w.logs("wso2am-0", "agent")
		for _, part := range []string{"everything works", "APIs=6", "curl -k --oauth2-bearer $(kubectl -n wso2 exec wso2am-0 -c agent -- /agent token) https://localhost:8243/payments/1.0.0/"} {
			if !strings.Contains(log, part) {
				w.t.Errorf("it does not say %q: %s", part, log)
			}
		}
	})
	commands := pages.Commands(t)
	w.in("it can be looked at as the page says", func(w *world) {
		for _, command := range commands {
			if said := w.documented(command); strings.TrimSpace(said) == "" {
				w.t.Errorf("%s prints nothing", command.Line)
			}
		}
	})
	w.in("Pod Security is enforced", (*world).wantPodSecurity)
	w.in("sidecars are small", smallSidecars)
	w.in("neither server's user can replace the other's certificates", separateUsers)
	w.in("both servers' certificates rotate, and nobody restarts", func(w *world) {
		servers := map[string]string{}
		for _, server := range []string{"wso2is", "wso2am"} {
			servers[server] = w.inUse(server)
			if said := w.must("exec", server+"-0", "-c", "agent", "--", "/agent", "certs", "rotate"); !strings.HasPrefix(said, "no restart: ") {
				w.t.Errorf("%s: a rotation is not without a restart: %s", server, said)
			}
		}
		for server, before := range servers {
			w.eventually(3*time.Minute, server+" runs with another certificate", func() bool {
				_, err := w.try("exec", server+"-0", "-c", "agent", "--", "/agent", "probe")
				return err == nil && w.inUse(server) != before
			})
		}
		undisturbed(w, nil)
		w.wantStarts(1, 1)
	})
	w.in("apply again changes nothing", func(w *world) {
		generations := func() string {
			return w.must("get", "statefulsets,deployments,networkpolicies,persistentvolumeclaims", "-o", "custom-columns=KIND:.kind,NAME:.metadata.name,UID:.metadata.uid,GENERATION:.metadata.generation")
		}
		before := generations()
		w.must("apply", "-k", w.overlay)
		if after := generations(); after != before {
			w.t.Errorf("before:\n%s\nand now:\n%s", before, after)
		}
		undisturbed(w, nil)
	})
	w.in("each pod deleted comes back", func(w *world) {
		for _, pod := range []string{"wso2is-0", "wso2am-0"} {
			w.replaced(pod)
			w.ready("wso2is", "wso2am")
			w.proved()
			undisturbed(w, nil)
			w.wantStarts(1, 1)
		}
		w.must("delete", "pod", "-l", "app.kubernetes.io/name=backend")
		undisturbed(w, nil)
		if modes := w.node("stat -c %a /folders/wso2am/output/application-keys.json /folders/wso2am/config/repository/conf/deployment.toml"); modes != "600\n600" {
			w.t.Errorf("after a mount the keys and the settings have the modes %s", modes)
		}
	})
	w.in("both pods deleted at once come back", func(w *world) {
		w.replaced("wso2is-0", "wso2am-0")
		w.ready("wso2is", "wso2am")
		w.proved()
		undisturbed(w, nil)
		w.wantStarts(1, 1)
	})
	killed := 0
	w.in("sidecars that are killed again and again take no server out of its Service", func(w *world) {
		killed = killedSidecars(w)
		undisturbed(w, map[string]int{"wso2am-0/agent": killed, "wso2is-0/agent": killed})
		w.wantStarts(1, 1)
	})
	w.in("a killed server comes back", func(w *world) {
		w.kill("wso2is-0", "wso2is")
		w.ready("wso2is")
		w.proved()
		undisturbed(w, map[string]int{"wso2am-0/agent": killed, "wso2is-0/agent": killed, "wso2is-0/wso2is": 1})
	})
	w.in("IS is scaled to nothing and back", func(w *world) {
		w.must("scale", "statefulset/wso2is", "--replicas=0")
		w.must("wait", "--for=delete", "pod/wso2is-0", "--timeout=120s")
		w.must("scale", "statefulset/wso2is", "--replicas=1")
		w.ready("wso2is")
		w.proved()
		undisturbed(w, map[string]int{"wso2am-0/agent": killed})
		w.wantStarts(1, 1)
	})
	w.in("an exchange that is emptied is filled again, and nobody restarts", func(w *world) {
		w.node("rm -rf /folders/exchange/agents/*")
		w.eventually(time.Minute, "both have published", func() bool {
			return w.node("ls /folders/exchange/agents/*/certs.pem 2>/dev/null | wc -l") == "2"
		})
		undisturbed(w, map[string]int{"wso2am-0/agent": killed})
		w.wantStarts(1, 1)
	})
	w.in("an exchange volume is lost and made anew", func(w *world) {
		w.must("scale", "statefulset/wso2is", "statefulset/wso2am", "--replicas=0")
		w.must("wait", "--for=delete", "pod/wso2is-0", "pod/wso2am-0", "--timeout=120s")
		w.must("delete", "persistentvolumeclaim/exchange", "persistentvolume/wso2-exchange", "--timeout=60s")
		w.node("rm -rf /folders/exchange/*")
		w.must("apply", "-k", w.overlay)
		w.must("scale", "statefulset/wso2is", "statefulset/wso2am", "--replicas=1")
		w.ready("wso2is", "wso2am")
		w.proved()
		undisturbed(w, nil)
		w.wantStarts(1, 1)
	})
	wrongSecrets(w)
	w.in("delete ends everything gracefully", deleted)
}

// inUse is the certificate that a server's agent publishes as the one in use.
func (w *world) inUse(server string) string {
	w.t.Helper()
	certificate, _, _ := strings.Cut(w.node("cat /folders/exchange/agents/"+server+"/certs.pem"), "-----END CERTIFICATE-----")
	return certificate
}

// wantPodSecurity makes sure that the namespace refuses a pod that may be root.
func (w *world) wantPodSecurity() {
	w.t.Helper()
	var out string
	w.eventually(20*time.Second, "the namespace, which may be new, has the account of its pods", func() bool {
		var err error
		if out, err = w.try("run", "root", "--image=wso2agent:latest", "--dry-run=server"); err == nil {
			w.t.Fatalf("the namespace admits any pod: %s", out)
		}
		return !strings.Contains(out, "serviceaccount")
	})
	if !strings.Contains(out, `violates PodSecurity "restricted`) {
		w.t.Errorf("the namespace refuses the pod for another reason: %s", out)
	}
}

// documented runs a command of a page, which must exit with 0, and returns what it prints. If it follows a log, documented
// ends it as soon as it prints what the page says: how to try an API.
func (w *world) documented(command pages.Command) (said string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", "exec "+command.Line)
	cmd.Dir = "../.."
	out, err := cmd.StdoutPipe()
	if err == nil {
		cmd.Stderr = cmd.Stdout
		err = cmd.Start()
	}
	if err != nil {
		w.t.Fatal(err)
	}
	follows := strings.Contains(command.Line, "logs -f ")
	for lines := bufio.NewScanner(out); lines.Scan(); {
		said += lines.Text() + "\n"
		if follows && strings.Contains(lines.Text(), "curl -k ") {
			cancel()
			cmd.Wait() // always an error, because cancel has killed it
			return said
		}
	}
	if err := cmd.Wait(); err != nil || follows {
		w.t.Fatalf("%s: %v\n%s", command.Line, err, said)
	}
	return said
}

// smallSidecars compares what the sidecars' containers hold in memory, health checks included, with the budget.
func smallSidecars(w *world) {
	var summary struct {
		Pods []struct {
			PodRef     struct{ Namespace, Name string }
			Containers []struct {
				Name   string
				Memory struct{ WorkingSetBytes int }
			}
		}
	}
	node := w.must("get", "pod", "wso2am-0", "-o", "jsonpath={.spec.nodeName}")
	found := map[string]int{}
	w.eventually(time.Minute, "kubelet has measured both sidecars", func() bool {
		if err := json.Unmarshal([]byte(w.must("get", "--raw", "/api/v1/nodes/"+node+"/proxy/stats/summary")), &summary); err != nil {
			w.t.Fatal(err)
		}
		for _, p := range summary.Pods {
			for _, c := range p.Containers {
				if p.PodRef.Namespace == namespace && c.Name == "agent" && c.Memory.WorkingSetBytes > 0 {
					found[p.PodRef.Name] = c.Memory.WorkingSetBytes
				}
			}
		}
		return len(found) == 2
	})
	for pod, bytes := range found {
		w.t.Logf("memory of the sidecar in %s: %.1f MiB", pod, float64(bytes)/(1<<20))
		if bytes > 12<<20 {
			w.t.Errorf("that is more than 12 MiB")
		}
	}
}

// intruder tries as IS's user what only API-M's may do, with all that a pod of the namespace can have.
const intruder = `
apiVersion: v1
kind: Pod
metadata: {name: intruder, namespace: wso2}
spec:
  restartPolicy: Never
  enableServiceLinks: false
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: 1
  securityContext: {runAsNonRoot: true, runAsUser: 802, runAsGroup: 802, fsGroup: 65532, fsGroupChangePolicy: OnRootMismatch, seccompProfile: {type: RuntimeDefault}}
  containers:
    - name: intruder
      image: wso2/wso2is:7.1.0
      command: [sh, -c]
      args:
        - |
          cd /exchange && touch mine && rm mine && cat wso2am/certs.pem >/dev/null || echo "cannot do what is allowed"
          mv wso2am other && echo "moved the folder"
          rm -rf wso2am; [ -e wso2am/certs.pem ] || echo "removed the certificate"
          (echo >wso2am/certs.pem) && echo "overwrote the certificate"
          (: >wso2am/more) && echo "added a file"
          chmod 777 . && echo "changed the folder of all"
          echo tried
      securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
      volumeMounts: [{name: exchange, mountPath: /exchange, subPath: agents}]
  volumes: [{name: exchange, persistentVolumeClaim: {claimName: exchange}}]
`

func separateUsers(w *world) {
	if out, err := run(intruder, "apply", "-f", "-"); err != nil {
		w.t.Fatalf("%v\n%s", err, out)
	}
	defer w.must("delete", "pod", "intruder")
	w.must("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/intruder", "--timeout=60s")
	log := w.logs("intruder", "intruder")
	if !strings.HasSuffix(log, "tried") {
		w.t.Errorf("it has not tried all: %s", log)
	}
	for _, did := range []string{"cannot do", "moved", "removed the", "overwrote", "added", "changed"} {
		if strings.Contains(log, did) {
			w.t.Errorf("%q:\n%s", did, log)
		}
	}
}

// kill strikes, and waits until kubelet has started the container again.
func (w *world) kill(pod, container string) {
	w.t.Helper()
	count := func() int { return w.restarts()[pod+"/"+container] }
	before := count()
	w.strike(pod, container)
	w.eventually(time.Minute, container+" of "+pod+" is started again", func() bool { return count() == before+1 })
}

// strike kills the process of a container's that has the agent's name or the server's, as the kernel does when memory is short.
func (w *world) strike(pod, container string) {
	w.t.Helper()
	process := map[bool]string{true: "agent", false: "wso2sim"}[container == "agent"]
	id := w.must("get", "pod", pod, "-o", `jsonpath={.status.initContainerStatuses[?(@.name=="`+container+`")].containerID}{.status.containerStatuses[?(@.name=="`+container+`")].containerID}`)
	_, id, _ = strings.Cut(id, "://")
	w.node(`for p in /proc/[0-9]*; do if grep -q ` + id + ` $p/cgroup 2>/dev/null && [ "$(cat $p/comm)" = ` + process + ` ]; then kill -9 ${p#/proc/}; killed=1; fi; done; [ "$killed" = 1 ]`)
}

// deleted deletes everything while it runs, and reads what the processes say of their end.
func deleted(w *world) {
	said := map[string]*strings.Builder{}
	var follow []*exec.Cmd
	for _, c := range []string{"wso2is-0/wso2is", "wso2is-0/agent", "wso2am-0/wso2am", "wso2am-0/agent"} {
		pod, container, _ := strings.Cut(c, "/")
		said[c] = &strings.Builder{}
		cmd := exec.Command("kubectl", "--namespace", namespace, "logs", "-f", "--tail=1", pod, "-c", container)
		cmd.Stdout = said[c]
		if err := cmd.Start(); err != nil {
			w.t.Fatal(err)
		}
		follow = append(follow, cmd)
	}
	began := time.Now()
	w.must("delete", "-k", w.overlay, "--timeout=120s")
	took := time.Since(began)
	w.t.Logf("delete took %s", took.Round(100*time.Millisecond))
	if took > 60*time.Second {
		w.t.Error("that is longer than the servers' grace period")
	}
	for _, cmd := range follow {
		cmd.Wait()
	}
	for c, log := range said {
		want := "stopping the server"
		if strings.HasSuffix(c, "/agent") {
			want = "agent stopped"
		}
		if !strings.Contains(log.String(), want) {
			w.t.Errorf("%s does not say %q at its end: %s", c, want, log)
		}
	}
	if left := w.node("ls /folders/wso2am/database | wc -l"); left == "0" {
		w.t.Error("the databases are gone from the node")
	}
}
