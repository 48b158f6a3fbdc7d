package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"wso2agent/internal/remedy"
	"wso2agent/internal/wso2"
)

// namePolicies replaces API-M's refusal of a throttling policy by an error that names the policy and those that exist. It returns
// other errors as they are. If it cannot list the policies, it returns both errors.
func namePolicies(ctx context.Context, cause error, level string, list func(context.Context) ([]string, error), used ...policyUse) error {
	if !wso2.HasCode(cause, wso2.CodeNoPolicy) {
		return cause
	}
	names, err := list(ctx)
	if err != nil {
		return errors.Join(cause, err)
	}
	var errs []error
	for _, u := range used {
		if slices.Contains(names, u.policy) {
			continue
		}
		at := u.at + ": "
		if u.at == "" {
			at = ""
		}
		errs = append(errs, fmt.Errorf("%sAPI-M has no %s policy %q, only %s", at, level, u.policy, strings.Join(names, ", ")))
	}
	if len(errs) == 0 {
		return cause
	}
	return permanent(remedy.Add(errors.Join(errs...), "correct throttling_policy, or make the policy in the Admin Portal"))
}

// policyUse is a policy and where the file names it.
type policyUse struct{ policy, at string }

// policyUses returns the subscription policies that an API must offer, with their places; see [Desired.policies].
func (d *Desired) policyUses(name string) (uses []policyUse) {
	for _, s := range d.Subscriptions {
		if s.APIName == name {
			uses = append(uses, policyUse{s.ThrottlingPolicy, s.PolicyAt})
		}
	}
	return append(uses, policyUse{policy: defaultPolicy})
}
