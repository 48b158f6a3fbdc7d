package apply

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/remedy"
	"wso2agent/internal/wso2"
)

// refusedGrant makes a failure of a key one for a person if the key manager does not know one of its grant types. API-M answers HTTP 500
// to such a key, as recorded, and so it does while it cannot reach the key manager.
func (r *round) refusedGrant(ctx context.Context, k client, cause error) error {
	if len(k.want.GrantTypes.Value) == 0 || !wso2.HasStatus(cause, http.StatusInternalServerError) || permanent(cause) {
		return cause
	}
	known := r.grants(ctx, k)
	for _, grant := range k.want.GrantTypes.Value {
		if len(known) > 0 && !slices.Contains(known, grant.Value) {
			return byHand(remedy.Add(fmt.Errorf("%s: key manager %q does not know the grant type %s: %w", grant.At, k.manager, grant.Shown(), cause),
				"correct grant_types, or add the grant type to the key manager"))
		}
	}
	return cause
}

// grants returns the grant types that a key manager announces, and implicit, which discovery has as a response type; nil if the agent
// cannot ask it.
func (r *round) grants(ctx context.Context, k client) []string {
	server := r.AM
	switch {
	case r.ownKeyManager(k):
		server = r.IS
	case k.manager != bootstrap.ResidentKeyManager:
		return nil
	}
	d, err := server.Discovery(ctx)
	if err != nil || len(d.Grants) == 0 {
		return nil // the failure of the key is what counts
	}
	return append(d.Grants, "implicit")
}
