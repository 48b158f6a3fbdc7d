//go:build compose

package compose

import (
	"context"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"wso2agent/internal/testenv/subscriber"
)

// An earlier agent made IS grant every scope to every client. Its successor ends that, and no subscriber may notice: one
// fetches a new token for every call, all the time, and each server that works must grant what it is asked for.
func TestAnUpgradeToAuthorizedApplicationsRefusesNobody(t *testing.T) {
	w := newWorld(t)
	// The same ports for new containers.
	w.env["IS_PUBLISHED_PORT"], w.env["GW_PUBLISHED_PORT"] = freePort(t), freePort(t)
	// Otherwise IS's agent finds IS up at its first look, and restarts it before anybody calls.
	w.slow("BOOT_DELAY=3s")
	w.env["SCOPES"] = "all" // as the earlier agent
	w.up()
	w.wantStarts(1, 1)
	client := w.subscribed()
	w.wantAdministers(client, true)
	var calls subscriber.Record
	stop := start(&calls, client)
	defer stop()

	w.in("a new agent authorizes the applications, and restarts IS once", func(w *world) {
		w.eventually(30*time.Second, "the subscriber calls", func() bool { good, _, _ := calls.Counts(); return good >= someCalls })
		delete(w.env, "SCOPES")
		w.nextAgent()
		began := time.Now()
		w.up()
		w.noneRefused(&calls)
		w.wantStarts(2, 1) // of new containers
		starts := w.startTimes("wso2is")
		w.eventually(30*time.Second, "the subscriber calls IS as it is now", func() bool { return calls.Between(starts[len(starts)-1], time.Now()) >= someCalls })
		w.wantCalls(&calls, began, starts)
		w.wantClosed(client)
		w.works()
		log := w.compose("logs", "--no-color", "--no-log-prefix", "is-agent")
		for _, part := range []string{"authorize_all_scopes stays on in IS until all applications are authorized", "setting=oauth.authorize_all_scopes now=false was=true", "restart of the server asked for"} {
			if !strings.Contains(log, part) {
				w.t.Errorf("IS's agent does not say %q:\n%s", part, log)
			}
		}
		if code := w.inspect("bootstrap", "{{.State.ExitCode}}"); code != "0" {
			w.t.Errorf("bootstrap has ended with %s", code)
		}
	})
	w.in("up again changes nothing", func(w *world) {
		w.up()
		w.wantStarts(2, 1)
		w.wantClosed(client)
	})
	w.in("without restarts, up ends with a line that says what to restart", func(w *world) {
		w.env["SCOPES"] = "all"
		w.must("up", "--wait", "--no-build", "is-agent")
		w.wantAdministers(client, true)
		delete(w.env, "SCOPES")
		w.env["RESTART"] = "none"
		w.upEndsAt("bootstrap", 4, []string{"any API subscriber can administer IS: ", "until it is restarted", "hint: restart it by hand", "docker restart "})
		w.wantAdministers(client, true)
		w.must("restart", "wso2is")
		w.up()
		w.wantStarts(2, 1)
		w.wantClosed(client)
		w.works()
	})
	stop()
	w.noneRefused(&calls)

	w.in("a person's own setting stays, with a warning", func(w *world) {
		delete(w.env, "RESTART")
		w.must("down", "-v", "--timeout", "30")
		own := string(w.shipped(is, "repository/conf/deployment.toml")) + "\n[oauth]\nauthorize_all_scopes = true # ours\n"
		if out, err := w.feed([]byte(own), "run", "--rm", "-T", "--entrypoint", "sh", "is-seed", "-ec",
			"cd /home/wso2carbon/wso2-config-volume; mkdir -p repository/conf; cat >repository/conf/deployment.toml"); err != nil {
			w.t.Fatalf("put settings on the volume: %v\n%s", err, out)
		}
		w.up()
		w.works()
		w.wantStarts(1, 1)
		if settings := w.settingsOfIS(); !strings.Contains(settings, "authorize_all_scopes = true # ours") {
			w.t.Errorf("IS runs with other settings than the person's:\n%s", settings)
		}
		if log := w.compose("logs", "--no-color", "--no-log-prefix", "bootstrap"); !regexp.MustCompile(`level=WARN msg="any API subscriber can administer IS" why="[^"]* because its deployment\.toml has `).MatchString(log) {
			w.t.Errorf("bootstrap does not warn of it:\n%s", log)
		}
	})
}

// someCalls is how many good calls are enough to show that the subscriber was served.
const someCalls = 10

// freePort is a port that nobody uses.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// subscribed makes an API whose operations need scopes, and returns a client of the example's application, once its calls
// succeed.
func (w *world) subscribed() subscriber.Client {
	w.t.Helper()
	keys, err := subscriber.ParseKeys(w.file("am-agent", "/output/application-keys.json"))
	if err != nil {
		w.t.Fatal(err)
	}
	if err := subscriber.Publish(w.client(), w.published(9443), "admin", "admin", keys.ApplicationID); err != nil {
		w.t.Fatal(err)
	}
	gateway := "https://127.0.0.1:" + w.env["GW_PUBLISHED_PORT"]
	c := subscriber.Client{
		TokenEndpoint: w.addressOfIS() + "/oauth2/token", ID: keys.Production.ConsumerKey, Secret: keys.Production.ConsumerSecret,
		Scopes: []string{subscriber.LocalScope, subscriber.SharedScope},
		Calls:  []string{gateway + subscriber.LocalPath, gateway + subscriber.SharedPath},
	}
	if c.IS, err = subscriber.Trusting(w.file("am-agent", "/exchange/wso2is/certs.pem"), "wso2is"); err == nil {
		c.Gateway, err = subscriber.Trusting(w.file("am-agent", "/exchange/wso2am/certs.pem"), "wso2am")
	}
	if err != nil {
		w.t.Fatal(err)
	}
	last := ""
	defer func() {
		if w.t.Failed() {
			w.t.Log(last)
		}
	}()
	w.eventually(time.Minute, "the subscriber's calls succeed", func() bool {
		o, why := c.Try(w.t.Context())
		last = why
		return o == subscriber.Good
	})
	return c
}

// start has a client call all the time, until stop is called.
func start(calls *subscriber.Record, c subscriber.Client) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { calls.Run(ctx, c) })
	return func() { cancel(); running.Wait() }
}

// noneRefused makes sure that the subscriber never was, and otherwise names the first time.
func (w *world) noneRefused(calls *subscriber.Record) {
	w.t.Helper()
	good, down, refused := calls.Counts()
	w.t.Logf("the subscriber's calls: %d good, %d while a server was down, %d refused", good, down, refused)
	if refused > 0 {
		w.t.Errorf("it was refused %d times: %s", refused, calls.Refusals()[0])
	}
}

// instant is the longest time between two starts in which nobody has to have called. A real server takes longer to start. A stand-in without
// a delay, as in a try of make test-real with the images of the stand-ins, is restarted as soon as its agent sees it.
const instant = 10 * time.Second

// wantCalls makes sure that there were good calls before the upgrade began, between IS's first start in its new container and
// the restart, and after that.
func (w *world) wantCalls(calls *subscriber.Record, began time.Time, starts []time.Time) {
	w.t.Helper()
	if len(starts) != 2 {
		w.t.Fatalf("IS has started at %v, want two starts", starts)
	}
	before, between, after := calls.Between(time.Time{}, began), calls.Between(starts[0], starts[1]), calls.Between(starts[1], time.Now())
	w.t.Logf("good calls: %d before, %d between, %d after; IS was restarted after %s", before, between, after, starts[1].Sub(starts[0]).Round(time.Millisecond))
	if before < someCalls || after < someCalls {
		w.t.Errorf("that is too few: want %d each time", someCalls)
	}
	if gap := starts[1].Sub(starts[0]); between < someCalls && !(real() && gap < instant) {
		w.t.Errorf("that is too few between: want %d in %s", someCalls, gap)
	}
}

func (w *world) addressOfIS() string { return "https://127.0.0.1:" + w.env["IS_PUBLISHED_PORT"] }

func (w *world) settingsOfIS() string {
	w.t.Helper()
	return string(w.file(is.service, is.home+"repository/conf/deployment.toml"))
}

// wantAdministers makes sure that the subscriber gets a scope of IS's administration, or does not.
func (w *world) wantAdministers(c subscriber.Client, want bool) {
	w.t.Helper()
	if got, _, err := c.Administers(w.t.Context(), w.addressOfIS()); err != nil || got != want {
		w.t.Errorf("the subscriber gets a scope of IS's administration: %v, %v; want %v", got, err, want)
	}
}

// allScopesOn is the setting with which IS grants every scope to every client.
var allScopesOn = regexp.MustCompile(`(?m)^\s*authorize_all_scopes\s*=\s*true`)

// wantClosed makes sure that IS runs with settings that keep subscribers out of its administration, and does so.
func (w *world) wantClosed(c subscriber.Client) {
	w.t.Helper()
	settings := w.settingsOfIS()
	if allScopesOn.MatchString(settings) || !strings.Contains(settings, `context = "(.*)/wso2/scim(.*)"`) {
		w.t.Errorf("IS runs with these settings:\n%s", settings)
	}
	scope, scim11, err := c.Administers(w.t.Context(), w.addressOfIS())
	if err != nil || scope || scim11 != 401 && scim11 != 403 {
		w.t.Errorf("the subscriber gets a scope of IS's administration: %v, and SCIM 1.1 answers with HTTP %d; %v", scope, scim11, err)
	}
}

// startTimes are the times of a server's starts since its container was made. Those of a real server are when a start came to its end.
func (w *world) startTimes(service string) (times []time.Time) {
	w.t.Helper()
	log := ""
	if real() {
		for line := range strings.Lines(w.docker("logs", "--timestamps", w.container(service))) {
			if strings.Contains(line, startedReal) {
				log += line
			}
		}
	} else {
		log = string(w.file(service, "/home/wso2carbon/start.log"))
	}
	for line := range strings.Lines(log) {
		stamp, _, _ := strings.Cut(line, " ")
		at, err := time.Parse(time.RFC3339Nano, stamp)
		if err != nil {
			w.t.Fatalf("the start log of %s has the line %q", service, line)
		}
		times = append(times, at)
	}
	return times
}
