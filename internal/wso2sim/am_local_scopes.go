package wso2sim

import (
	"cmp"
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

// settleScopes decides which scopes of an API are shared: those of the list of shared ones, whatever the request says.
// An operation loses scopes that the API does not declare.
func (am *AM) settleScopes(dto *apiDTO) {
	dto.Scopes = slices.Clone(dto.Scopes)
	for i := range dto.Scopes {
		s := &dto.Scopes[i]
		s.Shared = ptr(am.sharedScopeNamed(s.Scope.Name))
		s.Scope.ID, s.Scope.UsageCount, s.Scope.Bindings = nil, nil, orEmpty(s.Scope.Bindings)
		s.Scope.DisplayName, s.Scope.Description = ptr(cmp.Or(value(s.Scope.DisplayName), s.Scope.Name)), ptr(value(s.Scope.Description))
	}
	dto.Operations = slices.Clone(dto.Operations)
	for i := range dto.Operations {
		op := &dto.Operations[i]
		op.Scopes = slices.DeleteFunc(slices.Clone(op.Scopes), func(name string) bool {
			return !slices.ContainsFunc(dto.Scopes, func(s apiScope) bool { return s.Scope.Name == name })
		})
	}
}

// shownScopes shows shared scopes as they are now: by the roles that key managers have bound, and not by those of the API.
func (am *AM) shownScopes(scopes []apiScope) []apiScope {
	scopes = slices.Clone(scopes)
	for i := range scopes {
		if shared := am.sharedScope(scopes[i].Scope.Name); shared != nil {
			scopes[i].Scope.DisplayName, scopes[i].Scope.Description = &shared.Name, &shared.Description
			scopes[i].Scope.Bindings = orEmpty(shared.bound())
		}
	}
	return scopes
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
	if shared := am.sharedScope(s.Name); shared != nil {
		return scopeDTO{Name: s.Name, DisplayName: &shared.DisplayName, Description: &shared.Description, Bindings: shared.Bindings}
	}
	return s
}
