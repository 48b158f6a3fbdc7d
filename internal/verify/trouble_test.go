package verify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/apply"
	"wso2agent/internal/bootstrap"
	"wso2agent/internal/desired"
	"wso2agent/internal/keysfile"
	"wso2agent/internal/wso2"
	"wso2agent/internal/wso2sim"
	"wso2agent/internal/wso2sim/speccheck"
)

type object = map[string]any

// call sends a request as a person does with a command line, without the clients under test.
func (s *site) call(t *testing.T, want int, method, address string, body any) object {
	t.Helper()
	text, err := json.Marshal(body)
	must(t, err)
	if body == nil {
		text = nil
	}
	req, err := http.NewRequestWithContext(t.Context(), method, address, bytes.NewReader(text))
	must(t, err)
	req.SetBasicAuth("admin", "admin")
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.client.Do(req)
	must(t, err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	must(t, err)
	if resp.StatusCode != want {
		t.Fatalf("%s %s: HTTP %d, want %d: %s", method, address, resp.StatusCode, want, answer)
	}
	var o object
	json.Unmarshal(answer, &o)
	return o
}

func TestARunWaitsForSlowServers(t *testing.T) {
	s := open(t, wso2sim.RealDelays().Scale(0.02))
	settings := s.settings("WSO2-IS")
	result, _ := s.run(t, settings, s.desired(t))
	s.verify(t, settings, result)
	if second, requests := s.run(t, settings, s.desired(t)); second.Changes != 0 || len(requests) > 0 {
		t.Errorf("a second run, while the search index may be behind, made %d changes, by %q", second.Changes, requests)
	}
}

func TestDesiredChangesReachTheGatewayAndNoMore(t *testing.T) {
	s := open(t, wso2sim.Delays{})
	settings, d := s.settings("WSO2-IS"), s.desired(t)
	s.run(t, settings, d)

	other, err := wso2sim.StartBackend("127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { other.Close() })
	setBackend(d, 0, other.URL())
	d.Applications.Value[0].Value.ThrottlingPolicy = desired.Text{Set: true, Value: "10PerMin"}
	d.APIs.Value[4].Value.Description.Value = "Products, prices, stock and pictures"
	result, requests := s.run(t, settings, d)
	s.verify(t, settings, result)
	must(t, s.backend.Close())
	token, err := wso2.FetchToken(t.Context(), s.client, result.TokenEndpoint, result.ConsumerKey, result.ConsumerSecret)
	must(t, err)
	if a, err := bootstrap.Connect(s.client, settings).Gateway.Get(t.Context(), result.APIs[0].Path+"/hello", token.AccessToken); err != nil || a.Status != http.StatusOK {
		t.Errorf("only the new backend can answer: %d %s, %v", a.Status, a.Code, err)
	}
	if result.Changes != 3 || len(requests) != 7 {
		t.Errorf("%d changes, by %q; want an update, revision and deployment of one API, an update of another, an application, and the lease, created and deleted", result.Changes, requests)
	}
	if again, requests := s.run(t, settings, d); again.Changes != 0 || len(requests) > 0 {
		t.Errorf("the run after it made %d changes, by %q", again.Changes, requests)
	}
}

func TestManyChangesDoNotExhaustTheRevisions(t *testing.T) {
	s := open(t, wso2sim.Delays{})
	settings, d := s.settings("WSO2-IS"), s.desired(t)
	for i := range 8 {
		setBackend(d, 0, fmt.Sprintf("%s/edition%d", s.backend.URL(), i))
		s.run(t, settings, d)
	}
	result, _ := s.run(t, settings, d)
	s.verify(t, settings, result)
	revisions := s.call(t, 200, http.MethodGet, s.am.URL()+"/api/am/publisher/v4/apis/"+result.APIs[0].ID+"/revisions", nil)
	if n := len(revisions["list"].([]any)); n != 5 {
		t.Errorf("%d revisions, want the 5 that are allowed", n)
	}
}

func TestARunMakesKeysDespiteAnOldClientInIS(t *testing.T) {
	s := open(t, wso2sim.Delays{})
	settings, d := s.settings("WSO2-IS"), s.desired(t)
	app := s.call(t, 201, http.MethodPost, s.am.URL()+"/api/am/devportal/v3/applications",
		object{"name": d.Applications.Value[0].Value.Name.Value, "throttlingPolicy": "Unlimited", "description": "", "tokenType": "JWT"})
	s.call(t, 201, http.MethodPost, s.is.URL()+"/api/identity/oauth2/dcr/v1.1/register",
		object{"client_name": fmt.Sprintf("admin_%s_PRODUCTION", app["applicationId"]), "grant_types": []string{"client_credentials"}})
	result, requests := s.run(t, settings, d)
	s.verify(t, settings, result)
	if !slices.ContainsFunc(requests, func(r string) bool { return strings.HasSuffix(r, "/clean-up") }) {
		t.Errorf("no row was left behind by the failure, so this test proves less than it says: %q", requests)
	}
}

func TestARunReplacesAClientThatISHasLost(t *testing.T) {
	s := open(t, wso2sim.Delays{})
	settings := s.settings("WSO2-IS")
	first, _ := s.run(t, settings, s.desired(t))
	s.call(t, 204, http.MethodDelete, s.is.URL()+"/api/identity/oauth2/dcr/v1.1/register/"+first.ConsumerKey, nil)

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	others := bootstrap.Files{Keys: keysfile.Files{JSON: filepath.Join(t.TempDir(), "keys.json")}} // of an agent that knows nothing
	_, err := apply.Bootstrap(ctx, testLog(t), s.client, settings, others, s.desired(t))
	if !errors.Is(err, bootstrap.ErrPermanent) || !strings.Contains(err.Error(), "delete the application") {
		t.Fatalf("without the id of the keys: %v", err)
	}
	second, _ := s.run(t, settings, s.desired(t))
	if second.ConsumerKey == first.ConsumerKey {
		t.Error("the keys are the lost ones")
	}
	s.verify(t, settings, second)
}

func TestAKeyManagerWhoseEventIsLostIsSentAgain(t *testing.T) {
	s := open(t, wso2sim.Delays{LostEvent: time.Second})
	settings := s.settings("WSO2-IS")
	text, err := os.ReadFile("testdata/broken-key-manager.json")
	must(t, err)
	var broken object // without userInfoEndpoint: it never loads, and swallows what comes after it
	must(t, json.Unmarshal([]byte(strings.ReplaceAll(string(text), "https://is.example:9443", s.is.URL())), &broken))
	s.call(t, 201, http.MethodPost, s.am.URL()+"/api/am/admin/v4/key-managers", broken)

	var logged bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	result, err := apply.Bootstrap(ctx, slog.New(slog.NewTextHandler(&logged, nil)), s.client, settings, s.files(), s.desired(t))
	if err != nil || !strings.Contains(logged.String(), "sent key manager WSO2-IS again") {
		t.Fatalf("%v\n%s", err, logged.String())
	}
	s.verify(t, settings, result)
}

func TestAWrongPasswordEndsTheRunAndChangesNothing(t *testing.T) {
	s := open(t, wso2sim.Delays{})
	settings := s.settings("WSO2-IS")
	settings.AMCredentials.Password = "wr0ng-one"
	_, err := apply.Bootstrap(t.Context(), testLog(t), s.client, settings, s.files(), s.desired(t))
	if !errors.Is(err, bootstrap.ErrPermanent) || !strings.Contains(err.Error(), "check the user and the password") || strings.Contains(err.Error(), "wr0ng-one") {
		t.Errorf("got %v", err)
	}
	if requests := s.requests.take(); len(requests) > 0 {
		t.Errorf("it sent %q", requests)
	}
}

// Without the exchange of certificates API-M cannot reach IS. The run waits, because the agent next to it may be about to exchange
// them. At its timeout the error has the reason. The next run succeeds after the exchange, without help.
func TestARunWaitsUntilAPIMTrustsTheKeyManager(t *testing.T) {
	s := open(t, wso2sim.Delays{})
	stranger := filepath.Join(t.TempDir(), "is")
	must(t, wso2sim.UnpackWith(stranger, wso2sim.ProductIS, wso2sim.UnpackOptions{Rounds: 1000}))
	is, err := wso2sim.StartIS(t.Context(), wso2sim.Options{Home: stranger, Listen: "127.0.0.1:0", Hostname: "wso2is", Wrap: speccheck.Wrap(t)})
	must(t, err)
	defer is.Close()
	s.pins[host(t, is.URL())] = append(s.pins[host(t, is.URL())], leaf(t, stranger, wso2sim.ProductIS).Fingerprint())

	settings := s.settings("WSO2-IS")
	settings.ISURL, settings.KMTokenEndpoint = is.URL(), is.URL()+"/oauth2/token"
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	_, err = apply.Bootstrap(ctx, testLog(t), s.client, settings, s.files(), s.desired(t))
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "key manager WSO2-IS is not usable yet") {
		t.Fatalf("got %v", err)
	}

	trusted := s.settings("WSO2-IS") // the key manager is updated to the IS that API-M does trust
	result, _ := s.run(t, trusted, s.desired(t))
	s.verify(t, trusted, result)
	apps := s.call(t, 200, http.MethodGet, s.am.URL()+"/api/am/devportal/v3/applications?query="+url.QueryEscape(bootstrap.ProbeApplication), nil)
	if n := len(apps["list"].([]any)); n != 0 {
		t.Errorf("%d applications of the proof are left", n)
	}
}

func TestAnotherSubscriptionPolicyIsSetOnce(t *testing.T) {
	s := open(t, wso2sim.Delays{})
	settings, d := s.settings("WSO2-IS"), s.desired(t)
	s.run(t, settings, d)
	subscriptions := d.Applications.Value[0].Value.Subscriptions.Value
	i := slices.IndexFunc(subscriptions, func(sub desired.Field[desired.Subscription]) bool { return sub.Value.APIName.Value == "Payment API" })
	subscriptions[i].Value.ThrottlingPolicy = desired.Text{Set: true, Value: "Bronze"}
	if result, _ := s.run(t, settings, d); result.Changes == 0 {
		t.Error("the policy was not changed")
	}
	if result, requests := s.run(t, settings, d); result.Changes != 0 || len(requests) > 0 {
		t.Errorf("a further run made %d changes, by %q", result.Changes, requests)
	}
}

// The administrator of IS has got another password since the key manager was made. API-M shows no keys of that key manager, so the
// next run verifies it, and sends the password.
func TestAKeyManagerWithAnOldPasswordOfISGetsTheNewOne(t *testing.T) {
	s := open(t, wso2sim.Delays{})
	settings := s.settings("WSO2-IS")
	first, _ := s.run(t, settings, s.desired(t))
	address := s.am.URL() + "/api/am/admin/v4/key-managers/" + first.KeyManagerID
	whole := s.call(t, 200, http.MethodGet, address, nil)
	whole["additionalProperties"].(object)["Password"] = "an0ld-one"
	s.call(t, 200, http.MethodPut, address, whole)

	second, _ := s.run(t, settings, s.desired(t))
	if second.ConsumerKey != first.ConsumerKey {
		t.Error("the application has other keys")
	}
	s.verify(t, settings, second)
}
