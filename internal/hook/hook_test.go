package hook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/history"
)

// running runs hooks until the test ends.
func running(t *testing.T, h *Hooks) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { h.Run(ctx); close(ended) }()
	t.Cleanup(func() { cancel(); <-ended })
}

func logger(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func TestAServiceGetsTheEventsOfItsHookSigned(t *testing.T) {
	type request struct{ at, signature, body string }
	for name, secret := range map[string]string{"with a secret": "s3cret", "without": ""} {
		t.Run(name, func(t *testing.T) {
			requests := make(chan request, 9)
			server := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				requests <- request{r.Header.Get("X-Agent-Timestamp"), r.Header.Get("X-Agent-Signature-256"), string(body)}
			}))
			t.Cleanup(server.Close)
			h := Of(config.Hooks{Certificate: server.URL, Restart: server.URL, Secret: secret}, "wso2is", func() (*http.Client, error) { return server.Client(), nil }, logger(io.Discard))
			running(t, h)
			for _, c := range []struct {
				what history.What
				hook string
			}{
				{history.Settings, ""}, {history.Removed, ""}, {history.Switched, onCertificate}, {history.Loads, onCertificate}, {history.Replaced, onCertificate}, {history.Trusted, onCertificate}, {history.Runs, onRestart},
			} {
				h.Events([]history.Event{{What: c.what, Server: "wso2is", Alias: "wso2am", Certificate: "MIIB"}})
				if c.hook == "" {
					continue
				}
				r := <-requests
				var m message
				if err := json.Unmarshal([]byte(r.body), &m); err != nil || m.Hook != c.hook || m.What != c.what || m.Server != "wso2is" || m.Alias != "wso2am" || strings.Contains(r.body, "MIIB") || strings.Contains(r.body, "number") {
					t.Errorf("%s: %s, %v", c.what, r.body, err)
				}
				want := ""
				if secret != "" {
					mac := hmac.New(sha256.New, []byte(secret))
					fmt.Fprintf(mac, "%s.%s", r.at, r.body)
					want = "sha256=" + hex.EncodeToString(mac.Sum(nil))
				}
				if r.signature != want {
					t.Errorf("%s: signature %q, want %q", c.what, r.signature, want)
				}
			}
			h.Failed(errors.New("nobody listens")) // there is no such hook
		})
	}
}

func TestAProgramGetsTheEventAndNoSetting(t *testing.T) {
	t.Setenv("AM_ADMIN_PASS", "geheim")
	out := filepath.Join(t.TempDir(), "out")
	program := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(program, []byte("#!/bin/sh\nenv > $1.part\nmv $1.part $1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	h := Of(config.Hooks{Failure: program + " " + out}, "wso2is", nil, logger(io.Discard))
	running(t, h)
	h.Failed(errors.New("the store is gone"))
	var env string
	for deadline := time.Now().Add(20 * time.Second); env == ""; time.Sleep(5 * time.Millisecond) {
		data, _ := os.ReadFile(out)
		if env = string(data); time.Now().After(deadline) {
			t.Fatal("the program has not run")
		}
	}
	for _, want := range []string{"HOOK=ON_FAILURE\n", "HOOK_WHAT=failed\n", `HOOK_JSON={"hook":"ON_FAILURE","at":"20`, `"server":"wso2is","what":"failed","error":"the store is gone"}`} {
		if !strings.Contains(env, want) {
			t.Errorf("the environment lacks %s:\n%s", want, env)
		}
	}
	if strings.Contains(env, "geheim") {
		t.Error("the environment has a password")
	}
}

// with has one hook, which does what run says.
func with(setting string, log io.Writer, run func(context.Context, message) error) *Hooks {
	return &Hooks{log: logger(log), all: map[string]*hook{setting: {last: make(chan message, 1),
		run: func(ctx context.Context, m message, _ []byte) error { return run(ctx, m) }}}}
}

func TestASlowHookHoldsNobodyUpAndGetsTheLastEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		var got []string
		h := with(onRestart, &log, func(ctx context.Context, m message) error {
			got = append(got, m.Generation)
			<-ctx.Done()
			return ctx.Err()
		})
		ctx, cancel := context.WithCancel(t.Context())
		go h.Run(ctx)
		begin := time.Now()
		h.Events([]history.Event{{What: history.Runs, Generation: "1"}})
		synctest.Wait() // the hook is busy now
		for n := range 4 {
			h.Events([]history.Event{{What: history.Runs, Generation: fmt.Sprint(n + 2)}})
		}
		if waited := time.Since(begin); waited != 0 {
			t.Errorf("somebody has waited for %s", waited)
		}
		time.Sleep(limit + time.Second)
		synctest.Wait()
		if list := strings.Join(got, " "); list != "1 5" {
			t.Errorf("the hook got %s", list)
		}
		time.Sleep(limit)
		synctest.Wait()
		text := log.String()
		if strings.Count(text, "level=WARN msg=\"a hook has failed; the other work goes on\" hook=ON_RESTART error=\"context deadline exceeded\"") != 2 ||
			!strings.Contains(text, "level=DEBUG") || !strings.Contains(text, `hook=ON_RESTART "left out"=3`) {
			t.Errorf("the log says\n%s", text)
		}
		cancel()
		synctest.Wait()
	})
}

func TestAFailureIsToldOncePerText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		h := with(onFailure, io.Discard, func(_ context.Context, m message) error { got = append(got, m.Error); return nil })
		ctx, cancel := context.WithCancel(t.Context())
		go h.Run(ctx)
		for _, err := range []error{errors.New("a"), errors.New("a"), errors.New("b"), nil, nil, errors.New("b")} {
			h.Failed(err)
			synctest.Wait()
		}
		if list := strings.Join(got, " "); list != "a b b" {
			t.Errorf("told %s", list)
		}
		cancel()
		synctest.Wait()
	})
}

func TestTheTrailHasItsEventsWithoutHooksToo(t *testing.T) {
	trail := Trail{Trail: history.Trail{Dir: t.TempDir()}}
	if err := trail.Append(history.Event{What: history.Runs}); err != nil {
		t.Fatal(err)
	}
	trail.Hooks.Failed(errors.New("x"))
	if events, err := trail.Read(); err != nil || len(events) != 1 {
		t.Errorf("%v, %v", events, err)
	}
}
