//go:build kubernetes

package kubernetes

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/testenv/subscriber"
)

// caller is a pod that calls an API as its subscriber all the time. By the network's policy it is a bootstrap's.
const caller = `
apiVersion: v1
kind: Pod
metadata: {name: caller, namespace: wso2, labels: {app.kubernetes.io/name: bootstrap}}
spec:
  restartPolicy: Never
  enableServiceLinks: false
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: 1
  securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}
  containers:
    - name: caller
      image: wso2agent-test/prober:1
      args: [call, "https://wso2is:9443/oauth2/token", "https://wso2am:8243"]
      env: [{name: CLIENT_ID, value: "ID"}, {name: CLIENT_SECRET, value: "SECRET"}]
      securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
      volumeMounts: [{name: exchange, mountPath: /exchange, subPath: agents, readOnly: true}]
  volumes: [{name: exchange, persistentVolumeClaim: {claimName: exchange}}]
`

// someCalls is how many good calls are enough to show that the subscriber was served.
const someCalls = 10

// An earlier agent made IS grant every scope to every client. Its successor ends that, and no subscriber may notice.
func TestAnUpgradeToAuthorizedApplicationsRefusesNobody(t *testing.T) {
	w := newWorld(t, "scopes-all")
	w.up()
	w.wantStarts(1, 1)
	keys, err := subscriber.ParseKeys([]byte(w.node("cat /folders/wso2am/output/application-keys.json")))
	if err != nil {
		t.Fatal(err)
	}
	w.ask("an API with scopes is made", "wso2am", 9443, func(client *http.Client, base string) error {
		return subscriber.Publish(client, base, "admin", "admin", keys.ApplicationID)
	})
	w.wantAdministers(keys, true)
	pod := strings.NewReplacer(`"ID"`, strconv.Quote(keys.Production.ConsumerKey), `"SECRET"`, strconv.Quote(keys.Production.ConsumerSecret)).Replace(caller)
	if out, err := run(pod, "apply", "-f", "-"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	defer w.noneRefused()
	w.eventually(time.Minute, "the subscriber calls", func() bool { return w.good(time.Time{}, time.Now()) >= someCalls })

	w.overlay = "testdata/plain"
	began := time.Now()
	w.must("apply", "-k", w.overlay)
	w.ready("wso2is", "wso2am")
	w.eventually(time.Minute, "IS has started again in its pod", func() bool { return len(w.startTimes("wso2is")) == 2 })
	w.ready("wso2is")
	w.proved()
	starts := w.startTimes("wso2is")
	w.eventually(time.Minute, "the subscriber calls IS as it is now", func() bool { return w.good(starts[len(starts)-1], time.Now()) >= someCalls })
	w.wantStarts(2, 1) // of new containers
	w.wantRestarts(nil)
	before, between, after := w.good(time.Time{}, began), w.good(starts[0], starts[1]), w.good(starts[1], time.Now())
	t.Logf("good calls: %d before, %d between, %d after; IS was restarted after %s", before, between, after, starts[1].Sub(starts[0]).Round(time.Millisecond))
	if before < someCalls || after < someCalls { // between them IS runs for seconds, and API-M is still starting
		t.Errorf("that is too few: want %d before and after", someCalls)
	}

	settings := w.must("exec", "wso2is-0", "-c", "wso2is", "--", "cat", "/home/wso2carbon/wso2is-7.1.0/repository/conf/deployment.toml")
	if regexp.MustCompile(`(?m)^\s*authorize_all_scopes\s*=\s*true`).MatchString(settings) || !strings.Contains(settings, `context = "(.*)/wso2/scim(.*)"`) {
		t.Errorf("IS runs with these settings:\n%s", settings)
	}
	w.wantAdministers(keys, false)
	w.works()
	agent := w.logs("wso2is-0", "agent")
	for _, part := range []string{"authorize_all_scopes stays on in IS until all applications are authorized", "setting=oauth.authorize_all_scopes now=false was=true", "restart of the server asked for"} {
		if !strings.Contains(agent, part) {
			t.Errorf("IS's agent does not say %q:\n%s", part, agent)
		}
	}
}

// noneRefused makes sure that the subscriber never was, and otherwise names the first time.
func (w *world) noneRefused() {
	w.t.Helper()
	log := w.logs("caller", "caller")
	w.t.Log(log[strings.LastIndex(log, "\n")+1:])
	if _, refusal, refused := strings.Cut(log, "REFUSED "); refused {
		line, _, _ := strings.Cut(refusal, "\n")
		w.t.Errorf("the subscriber was refused %d times: %s", strings.Count(log, "REFUSED "), line)
	}
}

// wantAdministers makes sure that the application gets a scope of IS's administration, or does not, and that SCIM 1.1
// refuses its tokens.
func (w *world) wantAdministers(keys subscriber.Keys, want bool) {
	w.t.Helper()
	w.ask("IS answers the subscriber", "wso2is", 9443, func(_ *http.Client, base string) error {
		client, err := subscriber.Trusting([]byte(w.node("cat /folders/exchange/agents/wso2is/certs.pem")), "wso2is")
		if err != nil {
			return err
		}
		c := subscriber.Client{IS: client, TokenEndpoint: base + "/oauth2/token", ID: keys.Production.ConsumerKey, Secret: keys.Production.ConsumerSecret}
		scope, scim11, err := c.Administers(w.t.Context(), base)
		if err == nil && (scope != want || scim11 != http.StatusUnauthorized && scim11 != http.StatusForbidden) {
			w.t.Errorf("the subscriber gets a scope of IS's administration: %v, want %v; SCIM 1.1 answers with HTTP %d", scope, want, scim11)
		}
		return err
	})
}

var good = regexp.MustCompile(`(?m)^(\S+Z) good=(\d+) `)

// good counts the subscriber's good calls between two times, by what it says twice a second.
func (w *world) good(after, before time.Time) int {
	w.t.Helper()
	first, last := -1, 0
	if after.IsZero() {
		first = 0
	}
	for _, found := range good.FindAllStringSubmatch(w.logs("caller", "caller"), -1) {
		at, err := time.Parse(time.RFC3339Nano, found[1])
		n, errN := strconv.Atoi(found[2])
		if err != nil || errN != nil {
			w.t.Fatalf("the caller says %q", found[0])
		}
		if at.Before(after) || at.After(before) {
			continue
		}
		if first < 0 {
			first = n
		}
		last = n
	}
	return max(0, last-max(0, first))
}

// startTimes are the times of a server's starts since its container began; none while that cannot be read.
func (w *world) startTimes(server string) (times []time.Time) {
	w.t.Helper()
	log, err := w.try("exec", server+"-0", "-c", server, "--", "cat", "/home/wso2carbon/start.log")
	if err != nil {
		return nil
	}
	for line := range strings.Lines(log) {
		stamp, _, _ := strings.Cut(line, " ")
		if at, err := time.Parse(time.RFC3339Nano, stamp); err == nil {
			times = append(times, at)
		}
	}
	return times
}
