package objects

import (
	"errors"
	"testing"

	"wso2agent/internal/bootstrap"
)

func TestPolicyForTakesWhatTheAPIOffers(t *testing.T) {
	for _, tc := range []struct {
		what, want string
		offered    []string
		policy     string // empty: an error
	}{
		{"named", "Gold", []string{"Bronze", "Gold"}, "Gold"},
		{"named, and not offered", "Silver", []string{"Bronze", "Gold"}, ""},
		{"not named, with Unlimited", "", []string{"Gold", "Unlimited"}, "Unlimited"},
		{"not named, with one", "", []string{"Gold"}, "Gold"},
		{"not named, with several", "", []string{"Bronze", "Gold"}, ""},
		{"none", "", nil, ""},
	} {
		t.Run(tc.what, func(t *testing.T) {
			policy, err := policyFor(tc.want, tc.offered)
			if policy != tc.policy || (err == nil) != (tc.policy != "") || err != nil && !errors.Is(err, bootstrap.ErrPermanent) {
				t.Errorf("%q, error %v, want %q", policy, err, tc.policy)
			}
		})
	}
}
