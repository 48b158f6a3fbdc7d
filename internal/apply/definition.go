package apply

import (
	"context"

	"wso2agent/internal/desired"
	"wso2agent/internal/plan"
	"wso2agent/internal/wso2"
)

// createAPI makes a new API by the body that package plan has made of the file. secrets are those in the body.
func (r *round) createAPI(ctx context.Context, _ desired.API, body plan.Object, secrets []wso2.Secret) (wso2.Object, error) {
	return r.Publisher.CreateAPIObject(ctx, body, secrets...)
}
