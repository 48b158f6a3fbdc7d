package apply

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"wso2agent/internal/actual"
	"wso2agent/internal/bootstrap"
	"wso2agent/internal/desired"
	"wso2agent/internal/plan"
	"wso2agent/internal/wso2"
)

// Single makes single changes that a person orders, in the way in which a run makes them. It asks no record who has made an object. Its
// errors wrap [bootstrap.ErrPermanent] if a person must change something first.
type Single struct {
	actual.Clients
	Log        *slog.Logger
	KeyManager string        // the name of IS as key manager; "" without IS
	EventWait  time.Duration // as in [Options]; 0 is 10 s
}

// round returns a round that knows nothing of the servers.
func (s Single) round(have plan.Have) *round {
	o := Options{EventWait: s.EventWait}.normalised()
	want := plan.Wanted{File: &desired.File{}}
	if s.KeyManager != "" {
		want.Own.Name = desired.Text{Set: true, Value: s.KeyManager}
	}
	r := newRound(s.Log, s.Clients, want, have, 1)
	r.past = newPast(o.EventWait, nil)
	return r
}

// Remove deletes an object of any kind that a run can remove. One that is gone already is no error. To delete an API with
// left.Subscribers ends their subscriptions, and fails if another application has subscribed.
func (s Single) Remove(ctx context.Context, left plan.Left) error {
	err := s.round(plan.Have{}).removeKind(ctx, left)
	if actual.IsGone(err) {
		return nil
	}
	return final(err)
}

// ChangeLifecycle brings an API to a state, such as DEPRECATED, by the shortest legal way. api is the API as the Publisher has it. The
// state RETIRED ends its subscriptions, and ChangeLifecycle fails if another application has subscribed than known has.
func (s Single) ChangeLifecycle(ctx context.Context, api plan.Object, state string, known []plan.Subscriber) error {
	r := s.round(plan.Have{})
	if state == "RETIRED" {
		name := plan.APIName{Name: textOf(api, "name"), Version: textOf(api, "version")}
		left := plan.Left{OwnedObject: plan.OwnedObject{Kind: plan.KindAPI, Name: name.String(), ID: textOf(api, "id")}, Subscribers: known}
		if err := r.onlyKnownSubscribers(ctx, left); err != nil {
			return final(err)
		}
	}
	return final(r.lifecycle(ctx, api, state))
}

// Deploy makes a revision of an API as it is saved, and deploys it. revisions are those that the API has. If they are as many as API-M
// allows, Deploy deletes the oldest one that is not deployed; if all are, the oldest one that is deployed nowhere else. It fails if there is
// none.
func (s Single) Deploy(ctx context.Context, api plan.Object, revisions []wso2.Revision, to []wso2.Deployment) error {
	have := plan.API{Object: api}
	for _, r := range revisions {
		have.Revisions = append(have.Revisions, plan.Revision{ID: r.ID, Description: r.Description, Created: r.Created(), Deployments: places(r.Deployments)})
	}
	return final(s.round(plan.Have{}).rollOut(ctx, have, plan.Rollout{To: places(to), Spare: true}))
}

// places is the reverse of deploymentsOf.
func places(deployments []wso2.Deployment) (all []plan.Object) {
	for _, d := range deployments {
		all = append(all, plan.Object{"name": d.Environment, "vhost": d.VHost, "displayOnDevportal": d.DisplayOnDevPortal})
	}
	return all
}

// keyWait is the wait between two tries to make a key.
const keyWait = 500 * time.Millisecond

// MakeKey makes a key of an application at a key manager, both as API-M has them. It clears what a failed try has left behind, and tries
// again until it succeeds, fails for good, or ctx ends: API-M makes no keys while it loads a key manager. want has the type and the settings
// of the key.
func (s Single) MakeKey(ctx context.Context, application wso2.Object, manager wso2.Object, want desired.Key) (Credentials, error) {
	want.KeyManager = desired.Text{Set: true, Value: manager.Name}
	return s.makeKey(ctx, application, manager, want)
}

// makeKey is MakeKey for a key that names its key manager.
func (s Single) makeKey(ctx context.Context, application wso2.Object, manager wso2.Object, want desired.Key) (Credentials, error) {
	r := s.round(plan.Have{
		Applications: map[string]plan.Application{application.Name: {Object: application.Fields}},
		KeyManagers:  map[string]plan.Object{manager.Name: manager.Fields},
	})
	kind := want.Type.Value
	change := plan.Change{Action: plan.Create, Kind: plan.KindKey, Name: strings.ToLower(kind), Of: "application " + application.Name, Want: want}
	for logged := false; ; logged = true {
		if ctx.Err() != nil {
			return Credentials{}, ended(ctx, nil)
		}
		work, cancel := finishing(wso2.RepeatReads(ctx)) // as in a round: a new key whose owner nobody has looked at is half a change
		err := r.key(work, change, want)
		cancel()
		if err == nil || permanent(err) {
			made := r.made[keyName{application.ID, kind, manager.Name}]
			made.Application, made.ApplicationID = application.Name, application.ID
			return made, final(err)
		}
		if !logged {
			s.Log.Warn("API-M does not make the key yet, trying again", "application", application.Name, "key manager", manager.Name, "error", err)
		}
		select {
		case <-ctx.Done():
			return Credentials{}, ended(ctx, err)
		case <-time.After(max(keyWait, wso2.RetryAfter(err))):
		}
	}
}

// final marks an error that stays until a person changes something.
func final(err error) error {
	if err != nil && permanent(err) && !errors.Is(err, bootstrap.ErrPermanent) {
		return fmt.Errorf("%w: %w", bootstrap.ErrPermanent, err)
	}
	return err
}
