package apply

import (
	"context"
	"errors"

	"wso2agent/internal/desired"
	"wso2agent/internal/plan"
)

var errNotYet = byHand(errors.New("the agent does not make it yet"))

func (r *round) scope(context.Context, plan.Change, desired.Scope) error { return errNotYet }

func (r *round) certificate(context.Context, plan.Change, desired.EndpointCertificate) error {
	return errNotYet
}

func (r *round) api(context.Context, plan.Change, desired.API) error { return errNotYet }

func (r *round) document(context.Context, plan.Change, desired.Document) error { return errNotYet }
