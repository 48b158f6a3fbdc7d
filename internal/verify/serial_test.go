package verify_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/desired"
	"wso2agent/internal/verify"
	"wso2agent/internal/wso2sim"
)

// oneByOne are the delays of a gateway that loads one deployment after another, each after the given time. The product waits 5 s.
func oneByOne(each time.Duration) wso2sim.Delays {
	return wso2sim.Delays{EventWait: each.Seconds() / 5}
}

// many is a desired state of n APIs, with a subscription to the last one only.
func (s *site) many(t *testing.T, n int) *desired.File {
	t.Helper()
	text := "apis:\n"
	for i := range n {
		text += fmt.Sprintf("  - {name: Serial %02d, version: 1.0.0, context: /serial%02d, backend_url: '%s'}\n", i, i, s.backend.URL())
	}
	return s.parse(t, text+fmt.Sprintf("applications: [{name: App, subscriptions: [Serial %02d]}]\n", n-1))
}

// served calls an API without the code under test. Any answer except "no such API" shows that the gateway has it.
func (s *site) served(t *testing.T, path string) bool {
	t.Helper()
	resp, err := s.client.Get(s.am.GatewayURL() + path + "/hello")
	must(t, err)
	resp.Body.Close()
	return resp.StatusCode != http.StatusNotFound
}

func TestEveryNewAPIIsServedWhenVerificationPasses(t *testing.T) {
	for n, each := range map[int]time.Duration{6: time.Second, 20: 500 * time.Millisecond, 50: 200 * time.Millisecond} {
		t.Run(fmt.Sprintf("%d APIs", n), func(t *testing.T) {
			s := open(t, oneByOne(each))
			settings := s.settings("WSO2-IS")
			result, _ := s.run(t, settings, s.many(t, n))
			if s.served(t, result.APIs[n-1].Path) {
				t.Skip("this machine is so slow that the gateway has the last API before the check, which proves nothing")
			}
			// The time limit of a single check. The limit must grow with the number of deployments.
			checks, err := s.check(t, s.client, settings, result, false, time.Second)
			if err != nil {
				t.Error(err)
			}
			for _, api := range result.APIs {
				if !s.served(t, api.Path) {
					t.Errorf("API %s is not served", api.Name)
				}
				if !slices.ContainsFunc(checks, func(c verify.Check) bool { return c.Verdict == verify.Pass && strings.Contains(c.Name, api.Name) }) {
					t.Errorf("API %s was not verified", api.Name)
				}
			}
		})
	}
}

func TestAChangedBackendThatDoesNotExistIsNotVerifiedWithTheOldRevision(t *testing.T) {
	s := open(t, oneByOne(500*time.Millisecond))
	settings, d := s.settings("WSO2-IS"), s.desired(t)
	first, _ := s.run(t, settings, d)
	s.verify(t, settings, first) // the gateway has the old revision
	setBackend(d, 2, "http://127.0.0.1:1")
	result, _ := s.run(t, settings, d)
	_, err := s.check(t, s.client, settings, result, false, time.Second)
	if err == nil || !strings.Contains(err.Error(), `"Customer API" `) || !strings.Contains(err.Error(), "http://127.0.0.1:1") || !strings.Contains(err.Error(), "its backend does not answer") {
		t.Errorf("got %v", err)
	}
}
