package apply

import (
	"context"
	"slices"

	"wso2agent/internal/desired"
	"wso2agent/internal/plan"
	"wso2agent/internal/wso2"
)

// createAPI makes a new API by the body that package plan has made of the file, and of its definition if it has one. secrets are those in
// the body.
func (r *round) createAPI(ctx context.Context, want desired.API, body plan.Object, secrets []wso2.Secret) (wso2.Object, error) {
	if made, ok, err := r.importDefinition(ctx, want, body, secrets...); ok || err != nil {
		return made, err
	}
	return r.Publisher.CreateAPIObject(ctx, body, secrets...)
}

// redefine writes the definition of an API, and returns the API as it is then.
func (r *round) redefine(ctx context.Context, want desired.API, have plan.Object, fields []plan.Difference) (plan.Object, error) {
	id := textOf(have, "id")
	if err := r.updateDefinition(ctx, want, id, fields); err != nil {
		return nil, gone(err)
	}
	now, err := r.Publisher.APIObject(ctx, id)
	if err != nil || !slices.ContainsFunc(fields, func(d plan.Difference) bool { return d.Secret }) {
		return now.Fields, gone(err)
	}
	return r.saveAPI(ctx, want, now.Fields) // no comparison with the server shows a secret
}
