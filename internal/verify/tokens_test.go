package verify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/trust"
	"wso2agent/internal/wso2"
)

// signed returns a token with the given claims.
func signed(t *testing.T, claims string) wso2.Secret {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: newKeys()[0]}, nil)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign([]byte(claims))
	if err != nil {
		t.Fatal(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return wso2.Secret(text)
}

func TestTheClaimsOfATokenAreChecked(t *testing.T) {
	newKeys()
	audience, lifetime := (*inspection).tokenAudience, (*inspection).tokenLifetime
	for _, tt := range []struct {
		name    string
		check   func(*inspection, context.Context) Check
		claims  string // times are relative to 2000-01-01, the clock of the test
		verdict Verdict
		says    string
	}{
		{"as IS issues it", audience, `{"azp":"key","aud":"key"}`, Pass, "azp and aud"},
		{"several audiences", audience, `{"azp":"key","aud":["other","key"]}`, Pass, "azp and aud"},
		{"another client", audience, `{"azp":"other","aud":"key"}`, Fail, `azp is "other"`},
		{"no azp", audience, `{"aud":"key"}`, Fail, `azp is ""`},
		{"another audience", audience, `{"azp":"key","aud":["other"]}`, Fail, "without the consumer key"},
		{"an hour", lifetime, `{"iat":946684800,"nbf":946684800,"exp":946688400}`, Pass, "1h0m0s from now"},
		{"no end", lifetime, `{"iat":946684800}`, Fail, "never expires"},
		{"it has expired", lifetime, `{"iat":946681100,"exp":946684700}`, Fail, "1m40s ago"},
		{"the clock of IS is ahead", lifetime, `{"iat":946684900,"nbf":946684900,"exp":946688500}`, Fail, "valid only in 1m40s"},
		{"it begins later", lifetime, `{"iat":946684800,"nbf":946684900,"exp":946688400}`, Fail, "valid only in 1m40s"},
		{"the token endpoint says something else", lifetime, `{"iat":946684800,"exp":946684860}`, Fail, "the token says 1m0s, and the token endpoint 1h0m0s"},
		{"a time that is none", lifetime, `{"exp":"soon"}`, Fail, "cannot be read"},
		{"no claims", lifetime, `[]`, Fail, "not a signed JWT"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				i := &inspection{run: &run{client: client{key: "key"}, token: wso2.Token{AccessToken: signed(t, tt.claims), ExpiresIn: time.Hour}}}
				if c := tt.check(i, t.Context()); c.Verdict != tt.verdict || !strings.Contains(c.Evidence, tt.says) || (c.Verdict == Fail) != (c.Remedy != "") {
					t.Errorf("%+v", c)
				}
			})
		})
	}
}

// A run that is stopped in the middle, and one that was killed, leave no application behind.
func TestAnInspectionRemovesItsApplications(t *testing.T) {
	newKeys()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		now := time.Now()
		for _, tt := range []struct {
			name string
			age  time.Duration
			goes bool
		}{
			{"wso2agent-check-", 10 * time.Minute, true},
			{"wso2agent-check-", 9 * time.Minute, false},
			{"wso2agent-verify-", 10 * time.Minute, true},
			{"wso2agent-verify-", 9 * time.Minute, false},
			{"wso2agent-other-", time.Hour, false},
		} {
			clear(w.apps)
			name := fmt.Sprintf("%s%d-abcdefgh", tt.name, now.Add(-tt.age).UnixMilli())
			w.apps[name] = "app-" + name
			r := &run{Servers: bootstrap.Connect(&http.Client{Transport: w}, settings), Selection: Selection{Owner: "mine1234"}, log: slog.New(slog.DiscardHandler)}
			r.deleteApplicationsLeftBehind(t.Context(), now)
			if gone := len(w.apps) == 0; gone != tt.goes {
				t.Errorf("%s of %s: gone %v", tt.name, tt.age, gone)
			}
		}
		clear(w.apps)
		w.failures = 1000 // of requests for tokens, so the run waits
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		i := &inspection{run: &run{Servers: bootstrap.Connect(&http.Client{Transport: w}, settings), result: result(),
			Selection: Selection{Owner: "mine1234", Wait: time.Minute}, log: slog.New(slog.DiscardHandler)}}
		if err := i.makeClient(ctx); err != nil || len(w.apps) != 1 {
			t.Fatalf("%v, %v", w.apps, err)
		}
		i.tokenClient(ctx)
		if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			t.Fatal("it did not wait")
		}
		i.removeClient(ctx)
		if len(w.apps) != 0 {
			t.Errorf("it leaves %v", w.apps)
		}
	})
}

// With the handler the gateway must refuse a revoked token, and without it that is a warning.
func TestARevokedTokenThatStaysValidIsAFailureWithTheHandler(t *testing.T) {
	newKeys()
	for _, tt := range []struct {
		name    string
		closing trust.Closing
		verdict Verdict
	}{
		{"with the handler", trust.Closing{Handler: true}, Fail},
		{"without", trust.Closing{}, Warn},
		{"with one that IS has not loaded yet", trust.Closing{Handler: true, Restart: trust.RestartDue}, Warn},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := told(t, tt.closing)
			synctest.Test(t, func(t *testing.T) {
				w, s := newWorld(), settings
				w.deaf, s.KMName = true, "WSO2-IS"
				i := &inspection{subject: Subject{Config: cfg, Settings: s}, run: &run{Servers: bootstrap.Connect(&http.Client{Transport: w}, settings),
					Selection: Selection{Owner: "mine1234", Wait: time.Minute}, log: slog.New(slog.DiscardHandler), result: result(), refuses: true, called: "/pay/1.0.0/"}}
				if err := i.makeClient(t.Context()); err != nil {
					t.Fatal(err)
				}
				if c := i.tokenClient(t.Context()); c.Verdict != Pass {
					t.Fatal(c)
				}
				if c := i.revokedRefused(t.Context()); c.Verdict != tt.verdict || !strings.Contains(c.Evidence, StillValid) {
					t.Errorf("%+v", c)
				}
			})
		})
	}
}
