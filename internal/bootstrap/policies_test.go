package bootstrap_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"wso2agent/internal/bootstrap"
)

func TestAnUnknownPolicyIsReportedWithItsPlaceAndTheKnownOnes(t *testing.T) {
	const subscription = `the file names subscription policy "Platinum" (f:14:24), and API-M has only Gold, Silver, Unlimited`
	tests := []struct {
		name, old, new string
		exists         bool // the file was reached before, with another policy
		says           string
	}{
		{"of a new API's subscription", "policy: Gold", "policy: Platinum", false, subscription},
		{"of an API that exists", "policy: Gold", "policy: Platinum", true, subscription},
		{"of a new application", "name: App", "name: App\n  throttling_policy: Platinum", false, `f:12:22: API-M has no application policy "Platinum", only 10PerMin, Unlimited`},
		{"of an application that exists", "name: App", "name: App\n  throttling_policy: Platinum", true, `f:12:22: API-M has no application policy "Platinum", only 10PerMin, Unlimited`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				if tt.exists {
					mustPass(t, f, testSettings, usable)
				}
				_, _, err := pass(t, f, testSettings, strings.Replace(usable, tt.old, tt.new, 1))
				if !errors.Is(err, bootstrap.ErrPermanent) || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}
