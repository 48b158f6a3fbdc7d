package apply

import (
	"context"

	"wso2agent/internal/desired"
	"wso2agent/internal/plan"
)

func (r *round) keyManager(context.Context, plan.Change, desired.KeyManager) error { return errNotYet }

func (r *round) user(context.Context, plan.Change, desired.User) error { return errNotYet }

func (r *round) group(context.Context, plan.Change, desired.Users) error { return errNotYet }

func (r *round) role(context.Context, plan.Change, desired.Role) error { return errNotYet }

func (r *round) application(context.Context, plan.Change, desired.Application) error {
	return errNotYet
}

func (r *round) subscription(context.Context, plan.Change, plan.WantedSubscription) error {
	return errNotYet
}

func (r *round) key(context.Context, plan.Change, desired.Key) error { return errNotYet }
