package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"wso2agent/internal/actual"
	"wso2agent/internal/plan"
	"wso2agent/internal/remedy"
	"wso2agent/internal/wso2"
)

// stage is changes that do not need each other.
type stage struct {
	level   string
	changes []plan.Change
}

// stages returns changes in the order in which they are made: first what is created and changed, by levels, then what is removed, by
// levels from the last one. It leaves out levels without changes.
func stages(changes []plan.Change) (all []stage) {
	pick := func(remove bool, name string, kinds []string) {
		of := slices.DeleteFunc(slices.Clone(changes), func(c plan.Change) bool {
			return (c.Action == plan.Delete) != remove || !slices.Contains(kinds, c.Kind)
		})
		if len(of) > 0 {
			all = append(all, stage{name, of})
		}
	}
	levels := plan.Levels()
	for _, l := range levels {
		pick(false, l.Name, l.Kinds)
	}
	for _, l := range slices.Backward(levels) {
		pick(true, "removal of "+l.Name, l.Kinds)
	}
	return all
}

// errHeld holds back what is to be removed until everything else is made: the new one must be there before the old one goes.
var errHeld = remedy.Add(fmt.Errorf("%w: the agent removes nothing before it has made all other changes", errNeeds), "correct the errors of the other changes first")

// remove removes one object. One that is gone already is no error.
func (r *round) remove(ctx context.Context, c plan.Change) error {
	left, is := c.Have.(plan.Left)
	if !is || left.ID == "" {
		return byHand(remedy.Add(fmt.Errorf("remove %s: the agent does not know its id", c.Title()), "delete it on the server"))
	}
	r.mu.Lock()
	held := r.failed
	r.mu.Unlock()
	if held {
		return errHeld
	}
	err := r.removeKind(ctx, left)
	if actual.IsGone(err) {
		return nil
	}
	return err
}

func (r *round) removeKind(ctx context.Context, left plan.Left) error {
	switch left.Kind {
	case plan.KindKey:
		return r.DevPortal.DeleteKeys(ctx, left.Parent, left.ID)
	case plan.KindSubscription:
		return r.DevPortal.Unsubscribe(ctx, left.ID)
	case plan.KindApplication:
		return r.DevPortal.DeleteApplication(ctx, left.ID)
	case plan.KindUser, plan.KindGroup, plan.KindRole:
		return r.removeFromIS(ctx, left)
	case plan.KindDocument:
		return r.Publisher.DeleteDocument(ctx, left.Parent, left.ID)
	case plan.KindAPI:
		return r.removeAPI(ctx, left)
	case plan.KindCertificate:
		return r.Publisher.DeleteEndpointCertificate(ctx, left.Name)
	case plan.KindScope:
		return r.removeScope(ctx, left)
	case plan.KindKeyManager:
		err := r.Admin.DeleteKeyManager(ctx, left.ID)
		if wso2.HasCode(err, wso2.CodeKeyManagerInUse) {
			return remedy.Add(err, "delete the keys of applications at key manager %s, or put it back into the file", left.Name)
		}
		return err
	}
	return byHand(fmt.Errorf("the agent cannot remove a %s", left.Kind))
}

func (r *round) removeFromIS(ctx context.Context, left plan.Left) error {
	if r.SCIM == nil {
		return byHand(remedy.Add(fmt.Errorf("remove %s %s: the settings name no Identity Server", left.Kind, left.Name), "name IS in PEERS"))
	}
	err := r.SCIM.Delete(ctx, actual.SCIMKind(left.Kind), wso2.Object{ID: left.ID, Name: left.Name})
	if errors.Is(err, wso2.ErrOwnUser) {
		return remedy.Add(err, "put the user back into the file")
	}
	return err
}

// removeAPI deletes an API. API-M refuses that while applications have subscribed, and lets nobody delete the subscriptions of other
// people's applications. To retire the API ends them. The list of subscribers is in the plan: one that has come since is not lost.
func (r *round) removeAPI(ctx context.Context, left plan.Left) error {
	if len(left.Subscribers) > 0 {
		if err := r.retire(ctx, left); err != nil {
			return err
		}
	}
	err := r.Publisher.DeleteAPI(ctx, left.ID)
	if err == nil {
		return nil
	}
	// API-M answers 500 for an API that is gone.
	if _, lost := r.Publisher.APIObject(ctx, left.ID); actual.IsGone(lost) {
		return nil
	}
	if wso2.HasCode(err, 409) { // somebody has subscribed since: the next plan names them
		return again(err)
	}
	return err
}

// retire takes an API to the state in which it has no subscriptions.
func (r *round) retire(ctx context.Context, left plan.Left) error {
	if err := r.onlyKnownSubscribers(ctx, left); err != nil {
		return err
	}
	way, err := plan.Lifecycle(left.State, "RETIRED", nil)
	if err != nil {
		return byHand(remedy.Add(fmt.Errorf("remove API %s: %w", left.Name, err), "delete it in the Publisher"))
	}
	for _, action := range way {
		status, err := r.Publisher.ChangeLifecycle(ctx, left.ID, action)
		if err != nil {
			return err
		}
		if status != "APPROVED" {
			return toApprove(remedy.Add(fmt.Errorf("remove API %s: its lifecycle action %q is %s", left.Name, action, strings.ToLower(status)),
				"approve it in the Admin Portal, under Tasks"))
		}
	}
	return nil
}

// onlyKnownSubscribers returns an error if an application has subscribed since the plan was made.
func (r *round) onlyKnownSubscribers(ctx context.Context, left plan.Left) error {
	now, err := r.Publisher.Subscribers(ctx, left.ID)
	if err != nil {
		return err
	}
	for _, s := range now {
		if !slices.ContainsFunc(left.Subscribers, func(known plan.Subscriber) bool { return known.Subscription == s.Subscription }) {
			return again(fmt.Errorf("retire API %s: application %q of %s has subscribed in the meantime", left.Name, s.Application.Name, s.Application.Owner))
		}
	}
	return nil
}

// removeScope deletes a shared scope. If APIs use it, the error names them.
func (r *round) removeScope(ctx context.Context, left plan.Left) error {
	err := r.Publisher.DeleteSharedScope(ctx, left.ID)
	if !wso2.HasCode(err, wso2.CodeScopeInUse) {
		return err
	}
	users, failed := r.Publisher.SharedScopeUsers(ctx, left.ID)
	if failed != nil {
		return errors.Join(err, failed)
	}
	var names []string
	for _, u := range users {
		names = append(names, u.Name+" "+u.Version)
	}
	return remedy.Add(err, "take the scope out of these APIs, or put it back into the file: %s", strings.Join(names, ", "))
}
