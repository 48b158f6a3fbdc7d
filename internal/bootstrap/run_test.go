package bootstrap_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"wso2agent/internal/apply"
	"wso2agent/internal/bootstrap"
	"wso2agent/internal/desired"
	"wso2agent/internal/wso2"
)

var testSettings = bootstrap.Settings{
	AMURL: "https://am.example:9443", GatewayURL: "https://am.example:8243", ISURL: "https://is.example:9443",
	AMCredentials: wso2.Credentials{User: "admin", Password: "am-password"},
	ISCredentials: wso2.Credentials{User: "admin", Password: "is-password"},
	KMName:        "WSO2-IS", KeyManagerName: "WSO2-IS",
	KMTokenEndpoint: "https://login.example/oauth2/token",
}

// usable is a file without mistakes, into which tests put one.
const usable = `rest_apis:
  - name: Payment API
    context: /payments
    version: 1.0.0
    backend_url: http://payment:8080
  - name: Order API
    context: /orders
    version: 1.0.0
    backend_url: http://orders:8080
application:
  name: App
subscriptions:
  - api_name: Payment API
    throttling_policy: Gold
`

func wanted(t *testing.T, text string) *desired.File {
	t.Helper()
	source := desired.FromSystem(func(string) (string, bool) { return "", false }, func(string) bool { return false })
	d, err := desired.Parse(source, desired.Input{Name: "f", Data: []byte(text)})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// pass runs once against the fake, for at most ten minutes of the test's own time, and returns the log as text.
func pass(t *testing.T, f *fake, s bootstrap.Settings, text string) (bootstrap.Result, string, error) {
	t.Helper()
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, nil))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	f.log, f.gets = nil, 0
	if f.dir == "" {
		f.dir = t.TempDir()
	}
	result, err := apply.Bootstrap(ctx, log, &http.Client{Transport: f}, s, f.files(), wanted(t, text))
	for _, secret := range []string{"am-password", "is-password", "the-secret"} {
		if strings.Contains(out.String(), secret) || err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("a secret is in the output:\n%s\n%v", out.String(), err)
		}
	}
	return result, out.String(), err
}

// mustPass runs once, and fails the test if the run fails.
func mustPass(t *testing.T, f *fake, s bootstrap.Settings, text string) bootstrap.Result {
	t.Helper()
	result, log, err := pass(t, f, s, text)
	if err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	return result
}

func TestAFirstRunReachesTheDesiredStateAndASecondChangesNothing(t *testing.T) {
	for _, keyManager := range []string{"WSO2-IS", bootstrap.ResidentKeyManager} {
		t.Run("keys from "+keyManager, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				s := testSettings
				s.KeyManagerName = keyManager
				first := mustPass(t, f, s, usable)
				if first.Changes == 0 || first.ConsumerKey == "" || first.ConsumerSecret != "the-secret" {
					t.Errorf("first run: %+v", first)
				}
				wantEndpoint, wantIssuer := s.KMTokenEndpoint, f.issuer
				if keyManager == bootstrap.ResidentKeyManager {
					wantEndpoint, wantIssuer = s.AMURL+"/oauth2/token", f.resident
				}
				if first.TokenEndpoint != wantEndpoint || first.Issuer != wantIssuer || first.KeyManager != keyManager {
					t.Errorf("key manager: %+v", first)
				}
				if find(f.kms, "name", "WSO2-IS") == nil {
					t.Error("IS is not registered")
				}
				if len(f.apps) != 1 || len(f.subs) != 1 {
					t.Errorf("applications %v, subscriptions %v: the one that proves must be gone", f.apps, f.subs)
				}
				for _, api := range f.apis {
					revs := f.revisions[api["id"].(string)]
					if api["lifeCycleStatus"] != "PUBLISHED" || len(revs) != 1 || len(revs[0]["deploymentInfo"].([]any)) != 1 {
						t.Errorf("API %v: %v, revisions %v", api["name"], api["lifeCycleStatus"], revs)
					}
				}
				if !first.APIs[0].Subscribed || first.APIs[1].Subscribed {
					t.Errorf("APIs: %+v", first.APIs)
				}

				for _, api := range first.APIs {
					if !api.Made || !api.Changed || !strings.HasPrefix(api.BackendURL, "http://") || len(api.Operations) == 0 {
						t.Errorf("a new API: %+v", api)
					}
				}
				if !first.NewKeys || first.KeyManagerID == "" {
					t.Errorf("new keys: %+v", first)
				}

				second := mustPass(t, f, s, usable)
				for i, api := range second.APIs { // of the run before it, which may not have verified them
					if api.Made || !api.Changed || second.NewKeys {
						t.Errorf("right after it: %+v", api)
					}
					first.APIs[i].Made = false
				}
				if len(f.log) > 0 || second.Changes != 0 {
					t.Errorf("a second run made %d changes, by %q", second.Changes, f.log)
				}
				first.Changes = 0
				if second.ConsumerKey != first.ConsumerKey || second.ConsumerSecret != first.ConsumerSecret || !reflect.DeepEqual(second.APIs, first.APIs) {
					t.Errorf("second result %+v, first %+v", second, first)
				}

				time.Sleep(2 * bootstrap.FreshRevision)
				if third := mustPass(t, f, s, usable); third.APIs[0].Changed || third.APIs[1].Changed {
					t.Errorf("long after it: %+v", third.APIs)
				}
				changed := mustPass(t, f, s, strings.Replace(usable, "http://orders:8080", "http://orders:9090", 1))
				for _, api := range changed.APIs {
					if moved := api.BackendURL == "http://orders:9090"; api.Changed != moved || api.Made {
						t.Errorf("after a change of one: %+v", api)
					}
				}
			})
		})
	}
}

func TestADesiredChangeIsMadeAndNothingElse(t *testing.T) {
	tests := []struct {
		name     string
		old, new string
		changes  int
		want     []string // requests, in part
	}{
		{"another backend: the API and a new revision", "http://orders:8080", "http://orders:9090", 1,
			[]string{"PUT /api/am/publisher/v4/apis/api-", "POST /api/am/publisher/v4/apis/api-", "deploy-revision"}},
		{"another policy of the subscription, which the API must offer first", "policy: Gold", "policy: Silver", 2,
			[]string{"PUT /api/am/publisher/v4/apis/api-", "PUT /api/am/devportal/v3/subscriptions/sub-"}},
		{"another policy of the application", "name: App", "name: App\n  throttling_policy: 10PerMin", 1,
			[]string{"PUT /api/am/devportal/v3/applications/app-"}},
		{"another API", "application:", "  - {name: New API, context: /new, version: 1.0.0, backend_url: http://new}\napplication:", 1,
			[]string{"POST /api/am/publisher/v4/apis", "/revisions", "deploy-revision", "change-lifecycle"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				mustPass(t, f, testSettings, usable)
				changed := strings.Replace(usable, tt.old, tt.new, 1)
				result := mustPass(t, f, testSettings, changed)
				if len(f.log) != len(tt.want) || result.Changes != tt.changes {
					t.Fatalf("%d changes by requests %q, want %d by %q", result.Changes, f.log, tt.changes, tt.want)
				}
				for i, want := range tt.want {
					if !strings.Contains(f.log[i], want) {
						t.Errorf("request %q, want %q", f.log[i], want)
					}
				}
				if mustPass(t, f, testSettings, changed); len(f.log) > 0 {
					t.Errorf("the run after it: %q", f.log)
				}
			})
		})
	}
}

func TestARunReadsNoRevisionsOfANewAPI(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		asked := 0
		f.intercept = func(r *http.Request) (int, string) {
			if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/revisions") {
				asked++
			}
			return 0, ""
		}
		if mustPass(t, f, testSettings, usable); asked != 0 {
			t.Errorf("asked %d times for two new APIs", asked)
		}
		if mustPass(t, f, testSettings, usable); asked != 2 {
			t.Errorf("asked %d times for two that exist", asked)
		}
	})
}

func TestWhatPeopleAddedByHandSurvivesAnUpdate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		mustPass(t, f, testSettings, usable)
		payment := find(f.apis, "name", "Payment API")
		payment["policies"] = []any{"Bronze", "DefaultSubscriptionless"}
		payment["corsConfiguration"] = object{"corsConfigurationEnabled": true}
		f.kms[0]["description"] = "changed by hand"
		mustPass(t, f, testSettings, usable)
		payment = find(f.apis, "name", "Payment API")
		if got := payment["policies"].([]any); !slices.Equal(got, []any{"Bronze", "Gold", "Unlimited"}) {
			t.Errorf("policies %v: the added one stays, the one that lets any token in goes", got)
		}
		if payment["corsConfiguration"] == nil || payment["later"] == nil || f.kms[0]["later"] == nil {
			t.Error("a field that the file does not set was lost")
		}
		if got := f.kms[0]["additionalProperties"].(object)["Password"]; got != "is-password" {
			t.Errorf("the password was sent as %v", got)
		}
	})
}

func TestARunVerifiesTheKeyManager(t *testing.T) {
	tests := []struct {
		name    string
		prepare func(*fake)
		says    string // in the log
	}{
		{"it is loaded some time after it was made", func(f *fake) { f.kmDelay = 3 * time.Second }, "is not usable yet"},
		{"its event is lost, so it is sent again", func(f *fake) { f.loseKM = 1 }, "sent key manager WSO2-IS again"},
		{"two events are lost", func(f *fake) { f.loseKM = 2 }, "sent key manager WSO2-IS again"},
		{"a probe was left behind by a run that was killed", func(f *fake) {
			f.apps = append(f.apps, object{"name": bootstrap.ProbeApplication, "applicationId": "old", "description": "proves a key manager; removed again", "owner": "admin", "status": "APPROVED"})
			f.rows["old"] = []object{{"keyManager": "WSO2-IS", "keyType": "PRODUCTION", "keyMappingId": "r", "hidden": true}}
			f.clients["admin_old_PRODUCTION"] = "stale"
		}, "is usable"},
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
				if len(f.apps) != 1 || len(f.clients) != 1 {
					t.Errorf("left behind: applications %v, clients %v", f.apps, f.clients)
				}
				if mustPass(t, f, testSettings, usable); len(f.log) > 0 {
					t.Errorf("a second run made %q", f.log)
				}
			})
		})
	}
}

func TestARunMakesKeysDespiteWhatAFailureLeftBehind(t *testing.T) {
	tests := []struct {
		name    string
		prepare func(f *fake, app string)
	}{
		{"a row that a failure left behind", func(f *fake, app string) {
			f.rows[app] = []object{{"keyManager": "WSO2-IS", "keyType": "PRODUCTION", "keyMappingId": "leaked", "consumerKey": nil}}
		}},
		{"a client in IS that nobody uses any more", func(f *fake, app string) {
			f.rows[app] = nil
			f.clients["admin_"+app+"_PRODUCTION"] = "stale"
		}},
		{"both", func(f *fake, app string) {
			f.rows[app] = []object{{"keyManager": "WSO2-IS", "keyType": "PRODUCTION", "keyMappingId": "leaked", "consumerKey": nil}}
			f.clients["admin_"+app+"_PRODUCTION"] = "stale"
		}},
		{"a row that is not shown, because IS has lost the client", func(f *fake, app string) {
			f.rows[app][0]["hidden"] = true
			f.clients = map[string]string{}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				first := mustPass(t, f, testSettings, usable)
				tt.prepare(f, first.ApplicationID)
				second := mustPass(t, f, testSettings, usable)
				if second.ConsumerKey == "" || second.ConsumerKey == first.ConsumerKey {
					t.Errorf("keys %q, before %q", second.ConsumerKey, first.ConsumerKey)
				}
				if len(f.rows[first.ApplicationID]) != 1 || f.clients["admin_"+first.ApplicationID+"_PRODUCTION"] != second.ConsumerKey {
					t.Errorf("rows %v, clients %v", f.rows, f.clients)
				}
			})
		})
	}
	t.Run("IS says that it has lost the client: the run does not wait", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFake()
			first := mustPass(t, f, testSettings, usable)
			f.rows[first.ApplicationID][0]["hidden"] = true
			f.clients = map[string]string{}
			begin := time.Now()
			mustPass(t, f, testSettings, usable)
			if took := time.Since(begin); took > 5*time.Second { // the test's own time
				t.Errorf("it took %v", took)
			}
		})
	})
	t.Run("they were made, and only the answer was lost: they are taken", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFake()
			s := testSettings
			s.KeyManagerName = bootstrap.ResidentKeyManager
			lost := false
			f.intercept = func(r *http.Request) (int, string) {
				if !lost && strings.HasSuffix(r.URL.Path, "/generate-keys") && len(f.subs) > 0 {
					lost = true
					f.generateKeys(httptest.NewRecorder(), find(f.apps, "name", "App")["applicationId"].(string), "resident")
					return 502, ""
				}
				return 0, ""
			}
			mustPass(t, f, s, usable)
			if n := strings.Count(strings.Join(f.log, "\n"), "/generate-keys"); !lost || n != 2 { // one of them proves IS
				t.Errorf("keys were made %d times", n)
			}
		})
	})
	t.Run("a row that is not shown, and nobody knows its id: a person must help", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFake()
			first := mustPass(t, f, testSettings, usable)
			f.rows[first.ApplicationID][0]["hidden"] = true
			f.dir = t.TempDir()
			if _, log, err := pass(t, f, testSettings, usable); !errors.Is(err, bootstrap.ErrPermanent) || !strings.Contains(err.Error(), "delete the application") {
				t.Errorf("got %v\n%s", err, log)
			}
		})
	})
}

func TestARunMakesRoomAtTheRevisionLimit(t *testing.T) {
	tests := []struct {
		name     string
		deployed bool // all revisions are deployed somewhere
		want     string
	}{
		{"the oldest revision that is not deployed goes", false, "DELETE"},
		{"if all are deployed, the oldest is undeployed first", true, "undeploy-revision"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				mustPass(t, f, testSettings, usable)
				api := find(f.apis, "name", "Payment API")["id"].(string)
				for len(f.revisions[api]) < f.limit {
					rev := object{"id": f.id("rev"), "description": "by hand", "deploymentInfo": []any{}}
					if tt.deployed {
						rev["deploymentInfo"] = []any{object{"name": "Env " + rev["id"].(string), "vhost": "x"}}
					}
					f.revisions[api] = append(f.revisions[api], rev)
				}
				deployed, oldest := f.revisions[api][0]["id"], f.revisions[api][1]["id"]
				if tt.deployed {
					oldest = deployed
				}
				mustPass(t, f, testSettings, strings.Replace(usable, "http://payment:8080", "http://payment:9090", 1))
				if len(f.revisions[api]) != f.limit || find(f.revisions[api], "id", oldest) != nil {
					t.Errorf("revisions %v; %v should be gone", f.revisions[api], oldest)
				}
				if !strings.Contains(strings.Join(f.log, "\n"), tt.want) {
					t.Errorf("requests %q", f.log)
				}
			})
		})
	}
}

func TestARunFinishesWhatAKilledRunBegan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.indexLag = 3 * time.Second
		for stop := 1; ; stop++ { // the server dies for us after so many changes
			changes := 0
			f.intercept = func(r *http.Request) (int, string) {
				if r.Method != http.MethodGet {
					changes++
				}
				if changes > stop {
					return 401, `{"code":401}` // ends the run at once
				}
				return 0, ""
			}
			_, _, err := pass(t, f, testSettings, usable)
			if err == nil {
				break
			}
			if stop > 50 {
				t.Fatal(err)
			}
		}
		if len(f.apps) != 1 || len(f.apis) != 2 || len(f.subs) != 1 || len(f.clients) != 1 {
			t.Errorf("applications %v, APIs %d, subscriptions %v, clients %v", f.apps, len(f.apis), f.subs, f.clients)
		}
		for _, api := range f.apis {
			if revs := f.revisions[api["id"].(string)]; len(revs) != 1 {
				t.Errorf("API %v has revisions %v: one that was made is deployed, not made again", api["name"], revs)
			}
		}
	})
}

func TestAnApplicationIsFoundByItsExactName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		for _, name := range []string{"My App", "app 2"} { // the server's search finds them for "App"
			f.apps = append(f.apps, object{"name": name, "applicationId": "not " + name, "owner": "admin", "status": "APPROVED", "throttlingPolicy": "Unlimited"})
		}
		if r := mustPass(t, f, testSettings, usable); !strings.HasPrefix(r.ApplicationID, "app-") {
			t.Errorf("took application %q", r.ApplicationID)
		}
	})
}

func TestAnAPIThatTheListDoesNotHaveYetIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		mustPass(t, f, testSettings, usable)
		for id := range f.indexed {
			f.indexed[id] = time.Now().Add(5 * time.Second)
		}
		result, log, err := pass(t, f, testSettings, usable)
		if err != nil || result.Changes != 0 || !strings.Contains(log, "does not list it yet") {
			t.Errorf("%d changes, %v:\n%s", result.Changes, err, log)
		}
	})
}
