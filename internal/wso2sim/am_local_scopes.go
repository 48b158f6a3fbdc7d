package wso2sim

import (
	"context"
	"slices"
)

// tellScopes makes a change of scopes known to key managers. One that cannot be reached fails the whole request.
func (am *AM) tellScopes(ctx context.Context, managers []keyManagerDTO, change scopeChange) error {
	for i := range managers {
		if err := am.connector.syncScopes(ctx, &managers[i], change); err != nil {
			return err
		}
	}
	return nil
}

// markShared decides which scopes of an API are shared: those of the list of shared ones, whatever the request says.
func (am *AM) markShared(dto *apiDTO) {
	dto.Scopes = slices.Clone(dto.Scopes)
	for i := range dto.Scopes {
		dto.Scopes[i].Shared = ptr(am.sharedScopeNamed(dto.Scopes[i].Scope.Name))
	}
}

// scopesOfNew is what key managers hear of the scopes of a new API. The lock is held.
func (am *AM) scopesOfNew(scopes []apiScope) scopeChange {
	var change scopeChange
	for _, s := range scopes {
		change.ensured = append(change.ensured, am.forKeyManagers(s.Scope))
	}
	return change
}

// scopesOfUpdate is what they hear when an API is saved, or deleted with no scopes left: every local scope is made
// again, whether it has changed or not, and those that the API has lost go, unless another version has them too. The
// lock is held.
func (am *AM) scopesOfUpdate(a *api, scopes []apiScope) scopeChange {
	var change scopeChange
	for _, s := range scopes {
		if am.sharedScopeNamed(s.Scope.Name) {
			change.ensured = append(change.ensured, am.forKeyManagers(s.Scope))
			continue
		}
		change.remade = append(change.remade, am.forKeyManagers(s.Scope))
	}
	for _, was := range a.dto.Scopes {
		name := was.Scope.Name
		kept := slices.ContainsFunc(scopes, func(s apiScope) bool { return s.Scope.Name == name })
		if !kept && !am.sharedScopeNamed(name) && am.scopeUsers(name) == 1 {
			change.removed = append(change.removed, name)
		}
	}
	return change
}

// forKeyManagers is a scope as key managers get it. Of a shared one what the API says does not count.
func (am *AM) forKeyManagers(s scopeDTO) scopeDTO {
	for _, shared := range am.scopes {
		if shared.Name == s.Name {
			return scopeDTO{Name: s.Name, DisplayName: &shared.DisplayName, Description: &shared.Description, Bindings: shared.Bindings}
		}
	}
	return s
}
