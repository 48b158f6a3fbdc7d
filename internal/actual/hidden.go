package actual

import (
	"context"
	"fmt"
	"strings"

	"wso2agent/internal/desired"
	"wso2agent/internal/plan"
)

// MarkHidden makes each change [plan.Unsure] that is to create a key which API-M may have and not show, and reports whether there is one. API-M leaves a key out of its list while it has not loaded the key manager, and if IS answers it with an error (as recorded:
// generate-keys then still answers 901409). IS has the client of such a key, by the name that API-M's connector gives it. A client that
// lost its key has that name too.
func MarkHidden(ctx context.Context, c Clients, want plan.Wanted, have plan.Have, changes []plan.Change) (hidden bool) {
	if c.IS == nil || !c.readsClients {
		return false
	}
	for i, change := range changes {
		key, is := change.Want.(desired.Key)
		app := have.Applications[strings.TrimPrefix(change.Of, "application ")].Object
		if !is || change.Action != plan.Create || app == nil || key.ClientID.Value != "" || key.KeyManager.Value != want.Own.Name.Value {
			continue
		}
		// Without an answer nobody knows: a plan of what API-M has needs no IS.
		id, err := c.IS.FindClient(ctx, fmt.Sprintf("%v_%v_%s", app["owner"], app["applicationId"], key.Type.Value))
		if err == nil && id != "" {
			changes[i], hidden = change.MayExist(), true
		}
	}
	return hidden
}
