//go:build compose

package compose

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/testenv/pages"
)

func TestUpAndWhatSurvives(t *testing.T) {
	w := newWorld(t)
	took := w.up()
	t.Logf("from nothing to a verified call: %s", took.Round(100*time.Millisecond))
	w.works()
	w.wantStarts(1, 1)
	w.complete()
	made := w.made()

	w.in("the last line says what works and how to try it", func(w *world) {
		line := w.last("am-agent")
		for _, part := range []string{"everything works", "APIs=6", "curl -k --oauth2-bearer $(docker compose exec -T am-agent /agent token) https://localhost:8243/payments/1.0.0/"} {
			if !strings.Contains(line, part) {
				w.t.Errorf("it does not say %q: %s", part, line)
			}
		}
	})
	w.in("sidecars are small", func(w *world) {
		for line := range strings.SplitSeq(w.docker("stats", "--no-stream", "--format", "{{.Name}}: {{.MemUsage}}, {{.CPUPerc}} CPU", w.container("is-agent"), w.container("am-agent")), "\n") {
			w.t.Log(line)
		}
	})
	w.in("up again changes nothing", func(w *world) {
		w.up()
		w.wantStarts(1, 1)
		w.wantMade(made)
	})
	w.in("down and up keep what was made and make nothing twice", func(w *world) {
		w.must("down")
		w.up()
		w.works()
		w.wantStarts(1, 1) // of new containers
		w.wantMade(made)
	})
	w.in("a killed agent comes back by itself", func(w *world) {
		for _, agent := range []string{"is-agent", "am-agent"} {
			before := w.inspect(agent, "{{.RestartCount}}")
			w.killIn(agent)
			w.eventually(time.Minute, agent+" is started again", func() bool { return w.inspect(agent, "{{.RestartCount}}") != before })
			w.ready(agent)
		}
		w.works()
		w.wantStarts(1, 1)
	})
	w.in("each service alone is restarted", func(w *world) {
		is, am := 1, 1
		for _, service := range []string{"backend", "is-agent", "am-agent", "wso2is", "wso2am"} {
			w.must("restart", service)
			w.ready(service)
			switch service {
			case "wso2is":
				is++
			case "wso2am":
				am++
			}
			w.ready("wso2is", "wso2am", "is-agent", "am-agent")
			w.works()
			w.wantStarts(is, am)
		}
		w.wantMade(made)
	})
	w.in("a killed server comes back by itself", func(w *world) {
		is := w.starts("wso2is")
		w.killIn("wso2is")
		w.eventually(time.Minute, "IS is started again", func() bool { return w.starts("wso2is") == is+1 })
		w.ready("wso2is", "am-agent")
		w.works()
	})
	w.in("the host reboots in an odd order", func(w *world) {
		is, am := w.starts("wso2is"), w.starts("wso2am")
		for _, service := range []string{"wso2am", "backend", "is-agent", "wso2is", "am-agent"} {
			w.docker("stop", w.container(service))
		}
		for _, service := range []string{"am-agent", "is-agent", "wso2am", "backend", "wso2is"} {
			w.docker("start", w.container(service))
		}
		w.ready("wso2is", "wso2am", "is-agent", "am-agent")
		w.works()
		w.wantStarts(is+1, am+1)
	})
	w.in("all ends gracefully within the grace period", func(w *world) {
		began := time.Now()
		w.must("stop")
		if took := time.Since(began); took > patience(30*time.Second) {
			w.t.Errorf("it took %s", took)
		}
		for service, want := range map[string]string{"wso2is": "143", "wso2am": "143", "is-agent": "0", "am-agent": "0", "backend": "0"} {
			if code := w.inspect(service, "{{.State.ExitCode}}"); code != want {
				w.t.Errorf("%s has ended with %s, want %s", service, code, want)
			}
		}
		w.must("start")
		w.ready("am-agent")
		w.works()
	})
	documented := pages.Commands(t) // of the test, and not of its part
	w.in("API-M's database and index can be removed after down, and are made again", func(w *world) {
		before := w.made()
		for _, command := range documented {
			w.shell(strings.ReplaceAll(command.Line, "innover_", w.env["COMPOSE_PROJECT_NAME"]+"_"))
		}
		w.works()
		w.wantStarts(1, 1)
		w.complete()
		for _, made := range strings.Split(w.made(), "\n") {
			if strings.HasPrefix(made, "application ") && strings.Contains(before, made) {
				w.t.Errorf("API-M has kept %s", made)
			}
		}
	})
}

func TestWhatIsChangedReachesTheServers(t *testing.T) {
	w := newWorld(t)
	example, err := os.ReadFile(filepath.Join(w.dir, "examples/api-config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	w.env["FILES_DIR"] = t.TempDir()
	if err := os.Chmod(w.env["FILES_DIR"], 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(text string) { // as editors do, under another name first
		next := filepath.Join(w.env["FILES_DIR"], "next")
		if err := os.WriteFile(next, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(next, filepath.Join(w.env["FILES_DIR"], "api-config.yaml")); err != nil {
			t.Fatal(err)
		}
	}
	write(string(example))
	w.up()
	write(strings.Replace(string(example), "application:", "  - {name: Seventh API, context: /seventh, version: 1.0.0, backend_url: \"http://notifier:8080\"}\n\napplication:", 1))
	w.eventually(time.Minute, "the seventh API is made", func() bool { return strings.Contains(w.made(), "Seventh API") })
	w.ready("am-agent")
	w.works()
	w.wantStarts(1, 1)

	// A setting: the servers start once with it, in new containers, since Compose replaces what waits for a new one.
	w.env["TOKENS_SIDE_BY_SIDE"] = "true"
	w.up()
	w.works()
	for service, home := range map[string]string{"wso2is": "wso2is-7.1.0", "wso2am": "wso2am-4.5.0"} {
		if read := w.file(service, "/home/wso2carbon/"+home+"/repository/conf/deployment.toml"); !strings.Contains(string(read), "renew_token_without_revoking_existing") {
			t.Errorf("%s has started without the new setting", service)
		}
	}
	w.wantStarts(1, 1)
}
