package verify

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"wso2agent/internal/scopes"
	"wso2agent/internal/wso2"
)

// scopesReached looks for the scopes of the APIs of the file in IS. API-M answers 200 to a new scope even if nothing of it reaches IS.
func (i *inspection) scopesReached(ctx context.Context) Check {
	seen := i.apis(ctx)
	if seen.err != nil {
		return broken(seen.err, "look for errors in API-M's log")
	}
	wanted := map[string]bool{}
	for _, api := range seen.list {
		for _, op := range api.Operations {
			for _, s := range op.Scopes {
				wanted[s] = true
			}
		}
	}
	for name := range seen.have.Scopes {
		wanted[name] = true
	}
	if len(wanted) == 0 {
		return skipped("", "no API of the file has a scope")
	}
	resource, err := i.Scopes.FindResource(ctx, scopes.Resource)
	if err != nil {
		return broken(err, "look for errors in IS's log")
	}
	var have []wso2.Scope
	if resource != "" {
		if have, err = i.Scopes.Scopes(ctx, resource); err != nil && !wso2.HasStatus(err, http.StatusNotFound) {
			return broken(err, "look for errors in IS's log")
		}
	}
	missing := slices.DeleteFunc(slices.Sorted(maps.Keys(wanted)), func(name string) bool {
		return slices.ContainsFunc(have, func(s wso2.Scope) bool { return s.Name == name })
	})
	if len(missing) > 0 {
		return failed("", "API-M has them, and IS does not: "+listed(missing),
			"give the key manager's user the rights for API resources (docs/security.md), and save the API in the Publisher again")
	}
	return passed("scopes of the file that IS has: %d of %d", len(wanted), len(wanted))
}

// scopesAuthorized reads what the applications of API-M lack in IS. IS grants them no scope that they lack.
func (i *inspection) scopesAuthorized(ctx context.Context) Check {
	if i.subject.Config.Scopes.Mode == "all" {
		if i.exposure.Narrowed { // the check of the exposure, which writes, stands before this one
			return Check{Verdict: Warn, Evidence: narrowedBuild, Remedy: narrowedRemedy}
		}
		return skipped("", "SCOPES is all: IS grants every scope to every client")
	}
	state, lack, missing, err := scopes.Lack(ctx, i.Scopes, i.subject.Settings.ScopesClients)
	switch {
	case err != nil:
		return broken(err, "look for errors in IS's log")
	case len(missing) > 0:
		return failed("", "IS has no client "+listed(missing), "correct SCOPES_CLIENTS")
	case len(lack) > 0:
		return failed("", fmt.Sprintf("%d of %d applications lack scopes: %s lacks %s", len(lack), len(state.Applications), lack[0].Application.Name, listed(lack[0].Scopes)),
			"agent scopes sync authorizes them; the sidecar next to IS does it all the time")
	case len(state.Applications) == 0:
		return skipped("", "no application of API-M has a client in IS")
	}
	return passed("applications: %d, scopes: %d", len(state.Applications), len(state.Scopes))
}
