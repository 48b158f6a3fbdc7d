package apply

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/actual"
	"wso2agent/internal/bootstrap"
	"wso2agent/internal/keysfile"
	"wso2agent/internal/owned"
	"wso2agent/internal/plan"
	"wso2agent/internal/wso2"
	"wso2agent/internal/wso2sim"
)

const twoKeys = `applications:
- name: Shop
  keys:
  - {type: PRODUCTION, grant_types: [authorization_code, refresh_token], callbacks: ["https://a.example/cb", "https://b.example/cb"], user_token_lifetime: 1200, pkce_mandatory: true}
  - {type: SANDBOX, grant_types: [client_credentials]}
`

// shop is an application that has the keys of twoKeys.
type shop struct {
	*servers
	want                 plan.Wanted
	files                bootstrap.Files
	application, manager wso2.Object
}

func startShop(t *testing.T) shop {
	t.Helper()
	folder := t.TempDir()
	s := shop{servers: start(t, nil), files: bootstrap.Files{Keys: keysfile.Files{JSON: filepath.Join(folder, "keys.json")}}}
	s.bootstrapIn(folder, twoKeys)
	s.want = s.read(twoKeys, t.TempDir())
	have := s.have(s.want)
	s.application = wso2.Object{Name: "Shop", Fields: have.Applications["Shop"].Object}
	s.application.ID = textOf(s.application.Fields, "applicationId")
	s.manager = wso2.Object{Name: "WSO2-IS", Fields: have.KeyManagers["WSO2-IS"]}
	s.manager.ID = textOf(s.manager.Fields, "id")
	return s
}

// key returns a key of the application as API-M has it.
func (s shop) key(kind string) plan.Object {
	s.t.Helper()
	for _, k := range s.have(s.want).Applications["Shop"].Keys {
		if k["keyType"] == kind {
			return k
		}
	}
	return nil
}

// clients returns the consumer keys of the application in their order.
func (s shop) clients() (ids []string) {
	s.t.Helper()
	for _, k := range s.have(s.want).Applications["Shop"].Keys {
		ids = append(ids, textOf(k, "consumerKey"))
	}
	slices.Sort(ids)
	return ids
}

func (s shop) renew(ctx context.Context, hc *http.Client) ([]Renewed, error) {
	on := Single{Clients: actual.Connect(hc, s.settings), Log: slog.New(slog.DiscardHandler), KeyManager: "WSO2-IS", EventWait: time.Millisecond}
	return on.Renew(ctx, s.files, s.application, s.manager)
}

// TestARenewalThatIsStoppedAnywhereIsCompletedByTheNext: it is stopped before or after each of its requests. Then the next one makes both
// keys with the same settings, and writes them to the file of keys and to the record.
func TestARenewalThatIsStoppedAnywhereIsCompletedByTheNext(t *testing.T) {
	t.Parallel() // it mostly waits
	s := startShop(t)
	requests, stopped := 0, true
	for at := 1; stopped; at++ {
		for _, answered := range []bool{false, true} { // whether the server has done the last request
			before := s.clients()
			ctx, stop := context.WithCancel(t.Context())
			requests, stopped = 0, false
			_, err := s.renew(ctx, &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				if requests++; requests < at {
					return s.client.Transport.RoundTrip(r)
				}
				if stopped = true; requests == at && answered {
					if answer, err := s.client.Transport.RoundTrip(r); err == nil {
						answer.Body.Close()
					}
				}
				stop()
				return nil, errors.New("killed")
			})})
			stop()
			if !stopped {
				must(t, err)
			} else if err != nil { // it does without the owner of a client
				_, err = s.renew(t.Context(), s.client)
				must(t, err)
			}
			what := fmt.Sprintf("after a stop at request %d (done: %t)", at, answered)
			now := s.clients()
			if len(now) != 2 || slices.ContainsFunc(now, func(id string) bool { return slices.Contains(before, id) }) {
				t.Errorf("%s, the clients are %q, and were %q", what, now, before)
			}
			for _, id := range before {
				if found, err := s.servers.clients().IS.HasClient(t.Context(), id); err != nil || found {
					t.Errorf("%s, IS has the former client %s: %v", what, id, err)
				}
			}
			s.planned(s.want) // the settings are those of before
			if _, err := os.Stat(renewalsPath(s.files.Keys.JSON)); !os.IsNotExist(err) {
				t.Errorf("%s, the settings are still kept: %v", what, err)
			}
			s.inFiles(s.files, now)
		}
	}
	if requests < 8 {
		t.Errorf("a renewal of two keys sends %d requests", requests)
	}
}

// TestRenewRefusesAKeyManagerWhoseClientsItDoesNotKnow: their settings would be lost with the former clients.
func TestRenewRefusesAKeyManagerWhoseClientsItDoesNotKnow(t *testing.T) {
	s := startShop(t)
	before := s.clients()
	s.manager.Fields["type"] = "KeyCloak"
	made, err := s.renew(t.Context(), s.client)
	if len(made) > 0 || !errors.Is(err, bootstrap.ErrPermanent) || !slices.Equal(s.clients(), before) {
		t.Fatalf("made %v, %v", made, err)
	}
	s.says(err, `of key manager "WSO2-IS" (type KeyCloak)`, "in the Developer Portal")
}

// TestARenewalThatFailsHalfwayKeepsTheKeysThatItHasMade: somebody may have their secrets.
func TestARenewalThatFailsHalfwayKeepsTheKeysThatItHasMade(t *testing.T) {
	s := startShop(t)
	before, deleted := s.clients(), 0
	made, err := s.renew(t.Context(), &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodDelete && strings.Contains(r.URL.Path, "/oauth-keys/") {
			if deleted++; deleted > 1 {
				return &http.Response{StatusCode: http.StatusForbidden, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
			}
		}
		return s.client.Transport.RoundTrip(r)
	})})
	if err == nil || len(made) != 1 {
		t.Fatalf("made %v, %v", made, err)
	}
	again, err := s.renew(t.Context(), s.client)
	must(t, err)
	if len(again) != 2 || again[0] != made[0] {
		t.Errorf("the first call made %v, and the second one returns %v", made, again)
	}
	now := s.clients()
	if !slices.Contains(now, made[0].ConsumerKey) || slices.ContainsFunc(now, func(id string) bool { return slices.Contains(before, id) }) {
		t.Errorf("the clients are %q, after %q and %v", now, before, made)
	}
	s.inFiles(s.files, now)
}

// TestWhatAStoppedRenewalHasLeftGrowsOld: the client that API-M has now is its own for an hour, and if the user of the key manager owns it.
// Otherwise the settings of the server count.
func TestWhatAStoppedRenewalHasLeftGrowsOld(t *testing.T) {
	s := startShop(t)
	for _, tc := range []struct {
		name    string
		age     time.Duration
		owner   string // of the client that API-M has
		renewed bool   // whether that is deleted
		old     bool   // whether the new key has what the stopped run has kept
	}{
		{"completed", 0, "admin", false, true},
		{"made with the former owner", 0, "former", true, true},
		{"made by somebody else", renewalAge, "admin", true, false},
	} {
		kept := s.key("PRODUCTION")
		kept["consumerKey"] = "deleted"
		kept["additionalProperties"].(map[string]any)["ext_user_token_lifetime"] = "777"
		before := s.key("PRODUCTION")["consumerKey"]
		must(t, saveRenewals(s.files.Keys.JSON, []renewal{{s.application.ID, "WSO2-IS", kept, time.Now().Add(-tc.age)}}))
		_, err := s.renew(t.Context(), &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			answer, err := s.client.Transport.RoundTrip(r)
			if err == nil && strings.HasSuffix(r.URL.Path, "/register/"+before.(string)) {
				text, err := io.ReadAll(answer.Body)
				must(t, err)
				answer.Body = io.NopCloser(strings.NewReader(strings.Replace(string(text), `"ext_application_owner":"admin`, `"ext_application_owner":"`+tc.owner, 1)))
			}
			return answer, err
		})})
		must(t, err)
		now := s.key("PRODUCTION")
		lifetime := fmt.Sprint(now["additionalProperties"].(map[string]any)["ext_user_token_lifetime"])
		if renewed := now["consumerKey"] != before; renewed != tc.renewed || (lifetime == "777") != tc.old {
			t.Errorf("%s: renewed %t, and the lifetime is %s", tc.name, renewed, lifetime)
		}
		s.apply(s.want, Options{}) // the settings of the file
	}
}

// TestARunForgetsTheRenewalOfAKeyThatItMakes: later its settings are not to go back to the former ones.
func TestARunForgetsTheRenewalOfAKeyThatItMakes(t *testing.T) {
	s := startShop(t)
	kept, other := s.key("PRODUCTION"), s.key("SANDBOX")
	must(t, saveRenewals(s.files.Keys.JSON, []renewal{{s.application.ID, "WSO2-IS", kept, time.Now()}, {s.application.ID, "WSO2-IS", other, time.Now()}}))
	must(t, s.servers.clients().DevPortal.DeleteKeys(t.Context(), s.application.ID, textOf(kept, "keyMappingId")))
	s.bootstrapIn(filepath.Dir(s.files.Keys.JSON), twoKeys)
	if left, err := loadRenewals(s.files.Keys.JSON); err != nil || len(left) != 1 || left[0].Key["keyType"] != "SANDBOX" {
		t.Errorf("left are %v, %v", left, err)
	}
}

// TestARenewalRepeatsWhatAnotherTryCanMake: a list and a deletion fail once, and once API-M says that the key is gone, which it still lists.
func TestARenewalRepeatsWhatAnotherTryCanMake(t *testing.T) {
	s := startShop(t)
	before := s.clients()
	_, err := s.amFaults.Add(wso2sim.Fault{Kind: wso2sim.FaultStatus, Status: 500, Method: "GET", Path: "/api/am/devportal/v3/applications/*/oauth-keys", Count: 1})
	must(t, err)
	_, err = s.amFaults.Add(wso2sim.Fault{Kind: wso2sim.FaultStatus, Status: 500, Method: "DELETE", Path: "/api/am/devportal/v3/applications/*/oauth-keys/*", Count: 1})
	must(t, err)
	deletions, began := 0, time.Now()
	_, err = s.renew(t.Context(), &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodDelete {
			if deletions++; deletions == 2 {
				return &http.Response{StatusCode: http.StatusNotFound, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(`{"code":404,"message":"Not Found"}`)), Request: r}, nil
			}
		}
		return s.client.Transport.RoundTrip(r)
	})})
	must(t, err)
	now := s.clients()
	if len(now) != 2 || slices.ContainsFunc(now, func(id string) bool { return slices.Contains(before, id) }) {
		t.Errorf("the clients are %q, and were %q", now, before)
	}
	if took := time.Since(began); deletions != 4 || took < 2*keyWait {
		t.Errorf("%d deletions within %s", deletions, took)
	}

	// The PUT that completes a key.
	kept := s.key("PRODUCTION")
	kept["consumerKey"] = "deleted"
	kept["additionalProperties"].(map[string]any)["ext_user_token_lifetime"] = "777"
	must(t, saveRenewals(s.files.Keys.JSON, []renewal{{s.application.ID, "WSO2-IS", kept, time.Now()}}))
	_, err = s.amFaults.Add(wso2sim.Fault{Kind: wso2sim.FaultStatus, Status: 500, Method: "PUT", Path: "/api/am/devportal/v3/applications/*/oauth-keys/*", Count: 1})
	must(t, err)
	_, err = s.renew(t.Context(), s.client)
	must(t, err)
	if lifetime := fmt.Sprint(s.key("PRODUCTION")["additionalProperties"].(map[string]any)["ext_user_token_lifetime"]); lifetime != "777" {
		t.Errorf("the lifetime is %s", lifetime)
	}
}

// inFiles fails the test unless the file of keys has these consumer keys, and the record these keys.
func (s *servers) inFiles(files bootstrap.Files, clients []string) {
	s.t.Helper()
	data, err := os.ReadFile(files.Keys.JSON)
	must(s.t, err)
	keys, err := keysfile.Decode(data)
	must(s.t, err)
	record, _, err := owned.Load(owned.Path(files.Keys.JSON))
	must(s.t, err)
	var written []string
	for _, k := range keys {
		written = append(written, k.ConsumerKey)
		id := plan.OwnedObject{Kind: plan.KindKey, Name: map[string]string{"PRODUCTION": "production", "SANDBOX": "sandbox"}[k.Type] + " of key manager WSO2-IS", Of: "application Shop", ID: k.MappingID}
		if !slices.Contains(record.Owned(), id) || k.ConsumerSecret == "" {
			s.t.Errorf("the record lacks %v", id)
		}
	}
	slices.Sort(written)
	if !slices.Equal(written, clients) {
		s.t.Errorf("the file of keys has %q, and the server %q", written, clients)
	}
}

// TestADamagedRecordKeepsNothingOutOfTheFilesOfKeys: only they have the secret of a new key, and they lose those of a deleted application.
func TestADamagedRecordKeepsNothingOutOfTheFilesOfKeys(t *testing.T) {
	files := bootstrap.Files{Keys: keysfile.Files{JSON: filepath.Join(t.TempDir(), "keys.json")}}
	path := owned.Path(files.Keys.JSON)
	must(t, os.MkdirAll(filepath.Dir(path), 0o700))
	must(t, os.WriteFile(path, []byte("{"), 0o600))
	must(t, files.Keys.Write([]keysfile.Key{{Application: "Shop", ApplicationID: "1", Type: "PRODUCTION", KeyManager: "K", ConsumerKey: "former"}}))
	keys := func() []keysfile.Key {
		t.Helper()
		data, err := os.ReadFile(files.Keys.JSON)
		must(t, err)
		keys, err := keysfile.Decode(data)
		must(t, err)
		return keys
	}
	err := noteRenewed(files, Credentials{Application: "Shop", ApplicationID: "1", Type: "PRODUCTION", KeyManager: "K", ConsumerKey: "new", ConsumerSecret: "secret"})
	if now := keys(); err == nil || len(now) != 1 || now[0].ConsumerKey != "new" || now[0].ConsumerSecret != "secret" {
		t.Errorf("the file has %v, and the error is %v", now, err)
	}
	_, err = Forget(files, plan.OwnedObject{Kind: plan.KindApplication, Name: "Shop", ID: "1"})
	if now := keys(); err == nil || len(now) != 0 {
		t.Errorf("the file has %v, and the error is %v", now, err)
	}
}
