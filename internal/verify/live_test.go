package verify_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/verify"
	"wso2agent/internal/wso2"
	"wso2agent/internal/wso2sim"
)

// applications are the names of API-M's applications.
func (s *site) applications(t *testing.T) (names string) {
	t.Helper()
	list := s.call(t, 200, http.MethodGet, s.am.URL()+"/api/am/devportal/v3/applications", nil)
	for _, app := range list["list"].([]any) {
		names += app.(object)["name"].(string) + ", "
	}
	return names
}

func TestVerificationLeavesTheApplicationsTokenAliveAndNothingBehind(t *testing.T) {
	for _, keyManager := range []string{"WSO2-IS", bootstrap.ResidentKeyManager} {
		t.Run("keys from "+keyManager, func(t *testing.T) {
			s := open(t, wso2sim.Delays{})
			settings := s.settings(keyManager)
			result, _ := s.run(t, settings, s.desired(t))
			s.verify(t, settings, result)
			before := s.applications(t)
			result, _ = s.run(t, settings, s.desired(t))
			gateway := bootstrap.Connect(s.client, settings).Gateway
			token, err := wso2.FetchToken(t.Context(), s.client, result.TokenEndpoint, result.ConsumerKey, result.ConsumerSecret)
			must(t, err)

			var both sync.WaitGroup
			for range 2 { // two at once do not disturb each other
				both.Go(func() { s.verify(t, settings, result) })
			}
			both.Wait()
			time.Sleep(100 * time.Millisecond) // longer than a notice takes here
			if a, err := gateway.Get(t.Context(), result.APIs[0].Path+"/hello", token.AccessToken); err != nil || a.Status != http.StatusOK {
				t.Errorf("the application's token is refused: %d %s, %v", a.Status, a.Code, err)
			}
			if now := s.applications(t); now != before || !strings.Contains(before, "Agent Application") {
				t.Errorf("applications were %s and are %s", before, now)
			}
		})
	}
}

func TestARevocationHandlerThatDoesNotWorkFailsAndOneThatIsMissingIsAWarning(t *testing.T) {
	s := open(t, wso2sim.Delays{})
	settings := s.settings("WSO2-IS")
	result, _ := s.run(t, settings, s.desired(t))
	s.verify(t, settings, result)
	s.restartIS(t, func(text string) string {
		return strings.ReplaceAll(text, `name = "org.wso2.is.notification`, `name = "org.wso2.is.nothing`)
	})
	for _, handler := range []bool{true, false} {
		checks, err := s.check(t, s.client, settings, result, handler, 20*time.Second)
		last := of(t, checks, "gateway.revoked")
		if want := map[bool]verify.Verdict{true: verify.Fail, false: verify.Warn}[handler]; last.Verdict != want || (err != nil) != handler {
			t.Errorf("handler %v: %+v, %v", handler, last, err)
		}
	}
}

func TestALostClientIsReportedThoughTheThrowAwayApplicationWorks(t *testing.T) {
	s := open(t, wso2sim.Delays{})
	settings := s.settings("WSO2-IS")
	result, _ := s.run(t, settings, s.desired(t))
	s.call(t, 204, http.MethodDelete, s.is.URL()+"/api/identity/oauth2/dcr/v1.1/register/"+result.ConsumerKey, nil)
	checks, err := s.check(t, s.client, settings, result, true, 5*time.Second)
	if err == nil || !strings.Contains(err.Error(), "keys.accepted") || of(t, checks, "api.called").Verdict != verify.Pass {
		t.Errorf("got %v", err)
	}
}

// An API with only operations that write is called with none of them. One that takes calls without a token is not called to find out
// whether the gateway has it.
func TestNoCheckReachesABackEndByAccident(t *testing.T) {
	s := open(t, wso2sim.Delays{})
	settings := s.settings("WSO2-IS")
	result, _ := s.run(t, settings, s.desired(t))
	for name, tt := range map[string]struct {
		operations []any
		loaded     string
		called     verify.Verdict
	}{
		"writing without a token":          {[]any{object{"target": "/orders", "verb": "POST", "authType": "None"}}, "gateway code 405", verify.Skip},
		"reading without a token":          {[]any{object{"target": "/health", "verb": "GET", "authType": "None"}}, "gateway code 404: Runtime Error", verify.Pass},
		"reading anything without a token": {[]any{object{"target": "/*", "verb": "GET", "authType": "None"}}, "the gateway shows its back end", verify.Pass},
	} {
		t.Run(name, func(t *testing.T) {
			address := s.am.URL() + "/api/am/publisher/v4/apis/" + result.APIs[0].ID
			whole := s.call(t, 200, http.MethodGet, address, nil)
			whole["operations"] = tt.operations
			s.call(t, 200, http.MethodPut, address, whole)
			d := s.desired(t)
			d.APIs.Value[0].Value.Description.Value = name
			changed, _ := s.run(t, settings, d)
			checks, err := s.check(t, s.client, settings, changed, true, 5*time.Second)
			loaded, called := of(t, checks, "api.loaded"), of(t, checks, "api.called")
			if err != nil || loaded.Verdict != verify.Pass || !strings.Contains(loaded.Evidence, tt.loaded) || called.Verdict != tt.called || called.API != loaded.API {
				t.Errorf("%+v, %+v, %v", loaded, called, err)
			}
			if wrong := of(t, checks, "gateway.wrong-token"); wrong.Verdict != verify.Pass { // with another API
				t.Errorf("%+v", wrong)
			}
		})
	}
}
