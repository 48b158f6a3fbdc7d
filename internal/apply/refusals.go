package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"wso2agent/internal/desired"
	"wso2agent/internal/plan"
	"wso2agent/internal/remedy"
	"wso2agent/internal/wso2"
)

// Codes of API-M's refusals of an API (carbon-apimgt, ExceptionCodes) that concern something that the file names.
const (
	codeNoCategory       = 900345 // 400: no category has this name
	codeRevisionDeployed = 900348 // 400: the revision cannot be deleted
	codeNoEnvironment    = 900504 // 400: no gateway environment has this name
	codeNoVHost          = 900512 // 400: the environment does not have this virtual host
	codeNoPermissionRole = 900607 // 404: no role has this name, of the permissions of a key manager
	codeNoRole           = 900610 // 400: no role has this name
	codeNoScopeRole      = 903250 // 404: the same for the role of a local scope
	codeLocalScope       = 900988 // 400: another API has this local scope
)

// mention is something that the file names, and that a server may not have.
type mention struct {
	what string
	name desired.Text
}

// explain adds to a refusal what the file names of the kind that API-M refuses, with the places. If the answer names one, it adds that
// one alone. Most answers name nothing.
func (r *round) explain(ctx context.Context, want desired.API, err error) error {
	var refusal *wso2.Error
	if !errors.As(err, &refusal) {
		return err
	}
	all, has := mentions(refusal.Code, want, r.want), ""
	if refusal.Code == wso2.CodeNoPolicy {
		all, has = r.unknownPolicies(ctx, all)
	}
	answered := slices.DeleteFunc(slices.Clone(all), func(m mention) bool {
		return !strings.Contains(strings.ToLower(refusal.Description), strings.ToLower(m.name.Value))
	})
	if len(answered) > 0 {
		all = answered
	}
	if len(all) == 0 {
		return err
	}
	var places []string
	for _, m := range all {
		places = append(places, fmt.Sprintf("%s %q (%s)", m.what, m.name.Shown(), m.name.At))
	}
	err = fmt.Errorf("the file names %s%s: %w", strings.Join(places, ", "), has, err)
	if refusal.Remedy() != "" {
		return err
	}
	return remedy.Add(err, "correct the file, or make in API-M what it names")
}

// mentions returns what the file names for an API of the kind that a refusal with this code concerns.
func mentions(code int, want desired.API, file plan.Wanted) (all []mention) {
	add := func(what string, names ...desired.Text) {
		for _, name := range names {
			if name.Value != "" {
				all = append(all, mention{what, name})
			}
		}
	}
	switch code {
	case wso2.CodeNoPolicy:
		add(subscriptionPolicy, want.Policies.Value...)
		for _, app := range file.File.Applications.Value {
			for _, s := range app.Value.Subscriptions.Value {
				if s.Value.APIName.Value == want.Name.Value {
					add(subscriptionPolicy, s.Value.ThrottlingPolicy)
				}
			}
		}
		for _, op := range want.Operations.Value {
			add("policy of an operation", op.Value.ThrottlingPolicy)
		}
	case codeNoCategory:
		add("category", want.Categories.Value...)
	case codeNoEnvironment:
		for _, e := range want.Environments.Value {
			add("environment", e.Value.Name)
		}
	case codeNoVHost:
		for _, e := range want.Environments.Value {
			add("virtual host", e.Value.VHost)
		}
	case codeNoRole:
		add("visible role", want.VisibleRoles.Value...)
		add("role of the access control", want.AccessControlRoles.Value...)
	case codeNoScopeRole:
		for _, s := range want.Scopes.Value {
			add("role of a scope", s.Value.Roles.Value...)
		}
	case codeLocalScope, wso2.CodeScopeExists:
		for _, s := range want.Scopes.Value {
			add("scope", s.Value.Name)
		}
	case wso2.CodeNoKeyManager:
		add("key manager", want.KeyManagers.Value...)
	}
	return all
}

const subscriptionPolicy = "subscription policy"

// unknownPolicies returns the policies that API-M does not have, and words for those that it has. It cannot list those of operations, so
// they remain only if API-M has all others.
func (r *round) unknownPolicies(ctx context.Context, all []mention) (unknown []mention, has string) {
	have, err := r.Publisher.SubscriptionPolicies(ctx)
	if err != nil {
		return all, "" // the refusal is what counts
	}
	unknown = slices.DeleteFunc(slices.Clone(all), func(m mention) bool {
		return m.what != subscriptionPolicy || slices.Contains(have, m.name.Value)
	})
	if len(unknown) > 0 {
		return unknown, ", and API-M has only " + strings.Join(have, ", ")
	}
	return slices.DeleteFunc(all, func(m mention) bool { return m.what == subscriptionPolicy }), ""
}
