package bootstrap_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"wso2agent/internal/apply"
	"wso2agent/internal/bootstrap"
	"wso2agent/internal/remedy"
)

func TestAPermanentErrorEndsTheRunAtOnce(t *testing.T) {
	otherKM := object{"id": "other", "name": "Other", "type": "KeyCloak", "enabled": true, "issuer": "https://is.example:9443/oauth2/token"}
	tests := []struct {
		name    string
		prepare func(*fake, *bootstrap.Settings)
		second  bool // it happens to a run after a successful one
		says    string
	}{
		{"a wrong password", func(f *fake, _ *bootstrap.Settings) {
			f.intercept = func(r *http.Request) (int, string) {
				if strings.HasSuffix(r.URL.Path, "/apis") {
					return 401, `{"code":401,"message":"","description":"Unauthenticated request"}`
				}
				return 0, ""
			}
		}, false, "check the user and the password"},
		{"a wrong password of IS", func(f *fake, _ *bootstrap.Settings) {
			f.intercept = func(r *http.Request) (int, string) {
				switch {
				case strings.HasSuffix(r.URL.Path, "/generate-keys"):
					return 500, `{"code":900967,"message":"General Error","description":"Server Error Occurred"}`
				case strings.HasSuffix(r.URL.Path, "/dcr/v1.1/register"):
					return 401, `{"code":"401","message":"Unauthorized"}`
				}
				return 0, ""
			}
		}, false, "/register): HTTP 401: Unauthorized; check the user and the password"},
		{"a request that API-M finds wrong", func(f *fake, _ *bootstrap.Settings) {
			f.intercept = func(r *http.Request) (int, string) {
				if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/apis") {
					return 400, `{"code":900704,"message":"bad name"}`
				}
				return 0, ""
			}
		}, false, `create API Payment API 1.0.0: create API Payment API 1.0.0`},
		{"a virtual host that the gateway does not have", func(f *fake, _ *bootstrap.Settings) {
			f.intercept = func(r *http.Request) (int, string) {
				if strings.HasSuffix(r.URL.Path, "/deploy-revision") {
					return 400, `{"code":900512,"message":"Invalid virtual host name provided"}`
				}
				return 0, ""
			}
		}, false, "set VHOST"},
		{"another key manager with IS's issuer", func(f *fake, _ *bootstrap.Settings) { f.kms = append(f.kms, otherKM) },
			false, `key manager "Other" has the issuer`},
		{"both servers with the host name that they are shipped with", func(f *fake, _ *bootstrap.Settings) { f.resident = f.issuer },
			false, "hostname in deployment.toml"},
		{"a key manager of our name with the connector of IS 5", func(f *fake, _ *bootstrap.Settings) { f.kms[0]["type"] = "WSO2-IS" },
			true, "is of type WSO2-IS, not WSO2-IS-7"},
		{"a key manager that does not exist", func(_ *fake, s *bootstrap.Settings) { s.KeyManagerName = "Nobody" },
			false, `f:11:3: application App needs key manager "Nobody", which is neither in the file nor on the server`},
		{"an API that somebody has blocked", func(f *fake, _ *bootstrap.Settings) {
			find(f.apis, "name", "Payment API")["lifeCycleStatus"] = "BLOCKED"
		},
			true, "is BLOCKED, which somebody decided"},
		{"an API whose context is another", func(f *fake, _ *bootstrap.Settings) { find(f.apis, "name", "Payment API")["context"] = "/pay" },
			true, "has the context /pay on the server and /payments in the file"},
		{"an address without https", func(_ *fake, s *bootstrap.Settings) { s.AMURL = "http://am.example:9763" },
			false, `API-M's address must be like https://host:9443, not "http://am.example:9763"`},
		{"a key manager's name that is API-M's own", func(_ *fake, s *bootstrap.Settings) { s.KMName = bootstrap.ResidentKeyManager },
			false, "KM_NAME must not be"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, s := newFake(), testSettings
				if tt.second {
					mustPass(t, f, s, usable)
				}
				tt.prepare(f, &s)
				start := time.Now()
				_, log, err := pass(t, f, s, usable)
				if !errors.Is(err, bootstrap.ErrPermanent) || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("got %v, want a permanent error that says %q", err, tt.says)
				}
				if waited := time.Since(start); waited > 5*time.Second {
					t.Errorf("it ended after %v only:\n%s", waited, log)
				}
			})
		})
	}
}

func TestAnErrorThatAPersonMustFixHasAHint(t *testing.T) {
	otherKM := object{"id": "other", "name": "Other", "type": "KeyCloak", "enabled": true, "issuer": "https://is.example:9443/oauth2/token"}
	for _, tt := range []struct {
		name    string
		prepare func(*fake, *bootstrap.Settings)
		second  bool // it happens to a run after a successful one
		hint    string
	}{
		{"another key manager with IS's issuer", func(f *fake, _ *bootstrap.Settings) { f.kms = append(f.kms, otherKM) }, false, "or set KM_NAME to its name"},
		{"a key manager with the connector of IS 5", func(f *fake, _ *bootstrap.Settings) { f.kms[0]["type"] = "WSO2-IS" }, true, "register IS under another name (KM_NAME)"},
		{"a key manager that does not exist", func(_ *fake, s *bootstrap.Settings) { s.KeyManagerName = "Nobody" }, false, "correct key_manager or KEY_MANAGER_NAME"},
		{"an API that somebody has blocked", func(f *fake, _ *bootstrap.Settings) {
			find(f.apis, "name", "Payment API")["lifeCycleStatus"] = "BLOCKED"
		}, true, "publish it again in the Publisher"},
		{"an API with another context", func(f *fake, _ *bootstrap.Settings) { find(f.apis, "name", "Payment API")["context"] = "/pay" }, true, "correct the file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, s := newFake(), testSettings
				if tt.second {
					mustPass(t, f, s, usable)
				}
				tt.prepare(f, &s)
				_, _, err := pass(t, f, s, usable)
				if !errors.Is(err, bootstrap.ErrPermanent) {
					t.Fatalf("got %v, want a permanent error", err)
				}
				if text, remedies := remedy.Split(err); strings.Contains(text, tt.hint) || !strings.Contains(strings.Join(remedies, "; "), tt.hint) {
					t.Errorf("text %q, remedies %q; want %q in a remedy", text, remedies, tt.hint)
				}
			})
		})
	}
}

func TestARunRetriesTransientErrors(t *testing.T) {
	once := func(match string, status int, body string, times int) func(*fake) {
		return func(f *fake) {
			f.intercept = func(r *http.Request) (int, string) {
				if times > 0 && strings.Contains(r.Method+" "+r.URL.Path, match) {
					times--
					return status, body
				}
				return 0, ""
			}
		}
	}
	tests := []struct {
		name    string
		prepare func(*fake)
		says    string
	}{
		{"API-M that comes up slowly", func(f *fake) { f.upAt = time.Now().Add(2 * time.Minute) }, "wait for API-M's gateway"},
		{"API-M's REST API not there yet", once("/publisher/v4/apis", 404, "<html>", 3), "wait for API-M's REST APIs"},
		{"IS that redirects to its login page", once("openid-configuration", 302, "", 2), "redirected"},
		{"IS that answers 200 with nothing, as while stopping", once("openid-configuration", 200, "", 2), "not the JSON document"},
		{"a server error in the middle", once("POST /api/am/publisher/v4/apis", 500, `{"code":900967,"message":"General Error"}`, 2), "General Error"},
		{"an application list behind its database", once("GET /api/am/devportal/v3/applications", 200, `{"list":[]}`, 1), "is usable"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				tt.prepare(f)
				_, log, err := pass(t, f, testSettings, usable)
				if err != nil || !strings.Contains(log, tt.says) {
					t.Errorf("%v, the log does not say %q:\n%s", err, tt.says, log)
				}
			})
		})
	}
}

func TestAServerThatStartsSlowlyIsLoggedOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.upAt = time.Now().Add(150 * time.Second)
		_, log, err := pass(t, f, testSettings, usable)
		if err != nil {
			t.Fatal(err)
		}
		form := regexp.MustCompile(`level=WARN msg="not yet, trying again" step="wait for API-M's gateway" attempt=(\d+) wait=[0-9.]+m?s error="ask whether API-M's gateway is up \(GET https://am.example:9443/api/am/gateway/v2/server-startup-healthcheck\): HTTP 500`)
		lines := form.FindAllStringSubmatch(log, -1)
		if len(lines) != 3 || lines[0][1] != "1" { // at once, after one minute and after two
			t.Errorf("retries %q in\n%s", lines, log)
		}
		over := regexp.MustCompile(`level=INFO msg="works now" step="wait for API-M's gateway" attempt=\d+ after=2m3`)
		if len(over.FindAllString(log, -1)) != 1 || strings.Count(log, "works now") != 1 {
			t.Errorf("the success is not logged once:\n%s", log)
		}
	})
}

func TestTheWaitsBetweenTriesDouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.upAt = time.Now().Add(30 * time.Second)
		var times []time.Time
		f.intercept = func(r *http.Request) (int, string) {
			if strings.HasSuffix(r.URL.Path, "server-startup-healthcheck") {
				times = append(times, time.Now())
			}
			return 0, ""
		}
		mustPass(t, f, testSettings, usable)
		if len(times) < 5 || len(times) > 17 {
			t.Fatalf("tries at %v", times)
		}
		// Each wait doubles, and is up to half longer or shorter at random: 500 ms, 1 s, 2 s, 4 s.
		for i, around := range []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second} {
			if wait := times[i+1].Sub(times[i]); wait < around/2-time.Millisecond || wait > around*3/2+time.Millisecond {
				t.Errorf("wait %d is %v, want around %v", i+1, wait, around)
			}
		}
	})
}

// answers is a transport that always returns the same answer.
type answers func(*http.Request) (*http.Response, error)

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) { return a(r) }

func TestTheErrorAtTheTimeoutHasTheLastFailure(t *testing.T) {
	tests := []struct {
		name  string
		serve answers
		says  string
	}{
		{"a server that always answers 500", func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 500, Header: http.Header{}, Body: http.NoBody}, nil
		}, "HTTP 500"},
		{"a server that hangs", func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}, "no answer in time"},
		{"a server that is not there", func(*http.Request) (*http.Response, error) {
			return nil, errors.New("connection refused")
		}, "connection refused"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute) // longer than backoff's own default
				defer cancel()
				hc := &http.Client{Transport: tt.serve, Timeout: time.Minute}
				start := time.Now()
				_, err := apply.Bootstrap(ctx, slog.New(slog.DiscardHandler), hc, testSettings, (&fake{dir: t.TempDir()}).files(), wanted(t, usable))
				if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, bootstrap.ErrPermanent) {
					t.Errorf("got %v", err)
				}
				if err == nil || !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), "wait for API-M's gateway: gave up after") {
					t.Errorf("the error does not say %q: %v", tt.says, err)
				}
				if time.Since(start) != 20*time.Minute {
					t.Errorf("it ended after %v", time.Since(start))
				}
			})
		})
	}
}

func TestTheErrorOfATimeoutInTheFirstTryNamesThatTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		hc := &http.Client{Transport: answers(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})}
		_, err := apply.Bootstrap(ctx, slog.New(slog.DiscardHandler), hc, testSettings, (&fake{dir: t.TempDir()}).files(), wanted(t, usable))
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "server-startup-healthcheck): no answer in time") {
			t.Errorf("got %v", err)
		}
	})
}

func TestARunWaitsAsLongAsTheServerAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var times []time.Time
		hc := &http.Client{Transport: answers(func(*http.Request) (*http.Response, error) {
			times = append(times, time.Now())
			return &http.Response{StatusCode: 429, Header: http.Header{"Retry-After": {"90"}}, Body: http.NoBody}, nil
		})}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		apply.Bootstrap(ctx, slog.New(slog.DiscardHandler), hc, testSettings, (&fake{dir: t.TempDir()}).files(), wanted(t, usable))
		if len(times) != 4 || times[1].Sub(times[0]) < 90*time.Second {
			t.Errorf("requests at %v", times)
		}
	})
}

func TestSkippingTheKeyManagerNeedsNoIS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := newFake(), testSettings
		s.SkipKeyManager, s.KeyManagerName, s.ISURL, s.KMTokenEndpoint = true, bootstrap.ResidentKeyManager, "", ""
		f.intercept = func(r *http.Request) (int, string) {
			if r.URL.Host != "am.example:9443" {
				t.Errorf("asked %s", r.URL)
			}
			return 0, ""
		}
		mustPass(t, f, s, usable)
		if len(f.kms) != 1 {
			t.Errorf("key managers: %v", f.kms)
		}
	})
}
