package bootstrap_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"wso2agent/internal/bootstrap"
)

func TestALookIsAtMostFourRequestsThatChangeNothing(t *testing.T) {
	refused := func(path string, status int, body string) func(*fake) {
		return func(f *fake) {
			f.intercept = func(r *http.Request) (int, string) {
				if strings.Contains(r.URL.Path, path) {
					return status, body
				}
				return 0, ""
			}
		}
	}
	tests := []struct {
		name     string
		prepare  func(*fake)
		settings func(*bootstrap.Settings)
		requests int
		am, is   string // in the errors; empty: none
		lost     string
	}{
		{"all is well", func(*fake) {}, nil, 4, "", "", ""},
		{"keys of API-M's own key manager: IS is only asked whether it serves", func(*fake) {}, func(s *bootstrap.Settings) { s.KMName = "Another" }, 3, "", "", ""},
		{"without IS", func(*fake) {}, func(s *bootstrap.Settings) { s.SkipKeyManager = true }, 2, "", "", ""},
		{"API-M starts", func(f *fake) { f.upAt = time.Now().Add(time.Minute) }, nil, 3, "HTTP 500", "", ""},
		{"IS starts", refused("openid-configuration", 302, ""), nil, 3, "", "redirected", ""},
		{"IS has lost its database", func(f *fake) { f.clients = nil }, nil, 4, "", "", "IS no longer knows the consumer key client-"},
		{"API-M has lost its database", func(f *fake) { f.apps = nil }, nil, 4, "", "", `API-M no longer knows application "App"`},
		{"API-M's REST API is not there yet: nothing is lost", refused("/devportal", 404, "<html>"), nil, 4, "HTTP 404", "", ""},
		{"IS refuses the password: nothing is lost", refused("/dcr/", 401, `{"code":"401"}`), nil, 4, "", "HTTP 401", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, s := newFake(), testSettings
				mustPass(t, f, s, usable)
				made := f.files().Made()
				tt.prepare(f)
				if tt.settings != nil {
					tt.settings(&s)
				}
				f.log, f.gets = nil, 0
				seen := bootstrap.Look(t.Context(), bootstrap.Connect(&http.Client{Transport: f}, s), s, made)
				if len(f.log) > 0 || f.gets != tt.requests {
					t.Errorf("%d requests to read, want %d; to write: %q", f.gets, tt.requests, f.log)
				}
				for _, got := range []struct {
					err  error
					want string
				}{{seen.AM, tt.am}, {seen.IS, tt.is}} {
					if (got.err != nil) != (got.want != "") || got.err != nil && !strings.Contains(got.err.Error(), got.want) {
						t.Errorf("got %v, want %q", got.err, got.want)
					}
				}
				if lost := strings.Join(seen.Lost, "; "); !strings.HasPrefix(lost, tt.lost) || tt.lost == "" && lost != "" {
					t.Errorf("lost %q, want %q", lost, tt.lost)
				}
				if ok := seen.Trouble() == nil; ok != (tt.am+tt.is+tt.lost == "") {
					t.Errorf("trouble: %v", seen.Trouble())
				}
			})
		})
	}
}

func TestALookWithoutAnythingMadeSendsNoPassword(t *testing.T) {
	f := newFake()
	f.intercept = func(r *http.Request) (int, string) {
		if r.Header.Get("Authorization") != "" {
			t.Errorf("%s has a password", r.URL)
		}
		return 0, ""
	}
	bootstrap.Look(t.Context(), bootstrap.Connect(&http.Client{Transport: f}, testSettings), testSettings, bootstrap.Made{})
	if f.gets != 2 {
		t.Errorf("%d requests", f.gets)
	}
}

func TestTheEventsSinceTheLookBefore(t *testing.T) {
	down := errors.New("connection refused")
	tests := []struct {
		name        string
		before, now bootstrap.Sight
		events      string
		again       bool
	}{
		{"nothing", bootstrap.Sight{}, bootstrap.Sight{}, "", false},
		{"IS goes", bootstrap.Sight{}, bootstrap.Sight{IS: down}, "IS is not usable", false},
		{"IS is still away", bootstrap.Sight{IS: down}, bootstrap.Sight{IS: errors.New("another error")}, "", false},
		{"IS is back", bootstrap.Sight{IS: down}, bootstrap.Sight{}, "IS came back", true},
		{"API-M is back and IS goes", bootstrap.Sight{AM: down}, bootstrap.Sight{IS: down}, "API-M came back; IS is not usable", true},
		{"something is lost", bootstrap.Sight{}, bootstrap.Sight{Lost: []string{"the key is lost"}}, "the key is lost", true},
		{"it is still lost", bootstrap.Sight{Lost: []string{"the key is lost"}}, bootstrap.Sight{Lost: []string{"the key is lost"}}, "", false},
		{"IS is back without its database", bootstrap.Sight{IS: down}, bootstrap.Sight{Lost: []string{"the key is lost"}}, "IS came back; the key is lost", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			events, again := tt.now.Since(tt.before)
			var texts []string
			for _, e := range events {
				texts = append(texts, e.Text)
				if came := strings.HasSuffix(e.Text, "came back"); e.Good != came || came && e.Err != nil {
					t.Errorf("event %+v", e)
				}
			}
			if got := strings.Join(texts, "; "); got != tt.events || again != tt.again {
				t.Errorf("got %q, again %v", got, again)
			}
		})
	}
}
