package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"wso2agent/internal/desired"
	"wso2agent/internal/plan"
	"wso2agent/internal/remedy"
	"wso2agent/internal/wso2"
)

// scope makes or changes a shared scope.
func (r *round) scope(ctx context.Context, c plan.Change, want desired.Scope) error {
	if have, exists := c.Have.(plan.Object); exists {
		_, err := r.Publisher.UpdateSharedScope(ctx, textOf(have, "id"), plan.ScopeBody(want, have))
		return gone(err)
	}
	if err := r.lacksKeyManager(); err != nil {
		return err
	}
	made, err := r.Publisher.CreateSharedScope(ctx, plan.ScopeBody(want, nil))
	if !wso2.HasCode(err, wso2.CodeScopeExists) {
		r.noteID(c, made.ID)
		return err
	}
	// A shared scope with the name is of an earlier try whose answer is lost. Else an API has a local one.
	list, listErr := r.Publisher.SharedScopes(ctx)
	if listErr != nil || slices.ContainsFunc(list, func(s wso2.Object) bool { return s.Name == c.Name }) {
		return again(errors.Join(err, listErr))
	}
	return byHand(remedy.Add(fmt.Errorf("an API has a local scope %q (%s): %w", c.Name, want.Name.At, err),
		"choose another name, or remove the scope from that API in the Publisher"))
}

// lacksKeyManager returns an error if a key manager could not be made. API-M sends a new scope to the key managers that it has, and never
// to a later one.
func (r *round) lacksKeyManager() error {
	name := ""
	if r.all.failed(func(c plan.Change) bool {
		name = c.Name
		return c.Kind == plan.KindKeyManager && c.Action == plan.Create
	}) {
		return missing(plan.KindKeyManager, name)
	}
	return nil
}
