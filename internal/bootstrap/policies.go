package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"wso2agent/internal/wso2"
)

// namePolicies explains API-M's refusal of a throttling policy, which names neither the policy nor those that there are. Other
// errors stay as they are, and so does this one if the policies cannot be listed.
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
		errs = append(errs, fmt.Errorf("%sAPI-M has no %s policy %q, only %s: correct throttling_policy, or make the policy in the Admin Portal", at, level, u.policy, strings.Join(names, ", ")))
	}
	if len(errs) == 0 {
		return cause
	}
	return permanent(errors.Join(errs...))
}

// policyUse is a policy and where the file names it.
type policyUse struct{ policy, at string }

// policyUses are the subscription policies that an API must offer; see [Desired.policies].
func (d *Desired) policyUses(name string) (uses []policyUse) {
	for _, s := range d.Subscriptions {
		if s.APIName == name {
			uses = append(uses, policyUse{s.ThrottlingPolicy, s.PolicyAt})
		}
	}
	return append(uses, policyUse{policy: defaultPolicy})
}
