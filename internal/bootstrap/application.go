package bootstrap

import (
	"context"
	"fmt"
	"strings"
	"time"

	"wso2agent/internal/remedy"
	"wso2agent/internal/wso2"
)

// applicationState is what a run knows about the application.
type applicationState struct {
	wso2.Application
	cleared bool // this run has cleared the row with the keys of the last run

	row     string    // id of the last row without keys that this run has seen
	rowSeen time.Time // when the run first saw that row
}

// leaked reports whether a row has had no keys for at least wait, so that a failure must have left it behind. Until then another
// run may be making its keys.
func (a *applicationState) leaked(row string, wait time.Duration) bool {
	if a.row != row {
		a.row, a.rowSeen = row, time.Now()
	}
	return time.Since(a.rowSeen) >= wait
}

// findApplication looks for an application by its exact name; the ID is empty if there is none. The server's own search also
// finds other names.
func (r *run) findApplication(ctx context.Context, name string) (found wso2.Application, err error) {
	list, err := r.DevPortal.Applications(ctx, name)
	for _, app := range list {
		// API-M refuses a second application of a name. If there are two anyway, every run takes the same one.
		if app.Name == name && (found.ID == "" || app.ID < found.ID) {
			found = app
		}
	}
	return found, err
}

// ensureApplication creates the application, or updates its throttling policy.
func (r *run) ensureApplication(ctx context.Context) error {
	want := r.desired.Application
	app, err := r.findApplication(ctx, want.Name)
	if err != nil {
		return err
	}
	switch {
	case app.ID == "":
		err = r.change(fmt.Sprintf("created application %q", want.Name), func() error {
			app, err = r.DevPortal.CreateApplication(ctx, want.Name, want.ThrottlingPolicy, "")
			return r.nameApplicationPolicy(ctx, orConflict(err))
		})
	case app.ThrottlingPolicy != want.ThrottlingPolicy:
		err = r.updateApplication(ctx, app)
	}
	if err != nil {
		return err
	}
	if app.Status != "APPROVED" {
		return remedy.Add(fmt.Errorf("application %q is %s", app.Name, app.Status), "approve it in API-M's Admin Portal, under Tasks")
	}
	r.app.Application = app
	r.result.Application, r.result.ApplicationID = app.Name, app.ID
	return nil
}

func (r *run) updateApplication(ctx context.Context, app wso2.Application) error {
	stored, err := r.DevPortal.Application(ctx, app.ID)
	if err != nil {
		return err
	}
	policy := r.desired.Application.ThrottlingPolicy
	whole, _, err := wso2.Merge(stored.Raw, map[string]string{"throttlingPolicy": policy})
	if err != nil {
		return err
	}
	return r.change(fmt.Sprintf("updated application %q: throttling policy %s", app.Name, policy), func() error {
		return r.nameApplicationPolicy(ctx, r.DevPortal.UpdateApplication(ctx, app.ID, whole))
	})
}

func (r *run) nameApplicationPolicy(ctx context.Context, cause error) error {
	app := r.desired.Application
	return namePolicies(ctx, cause, "application", r.DevPortal.ApplicationPolicies, policyUse{app.ThrottlingPolicy, app.PolicyAt})
}

// ensureSubscriptions subscribes the application to all versions of the APIs. Subscriptions to other APIs stay.
func (r *run) ensureSubscriptions(ctx context.Context) error {
	list, err := r.DevPortal.Subscriptions(ctx, r.app.ID)
	if err != nil {
		return err
	}
	existing := map[string]wso2.Subscription{}
	for _, s := range list {
		if existing[s.APIID], err = r.oneSubscription(ctx, existing[s.APIID], s); err != nil {
			return err
		}
	}
	for _, want := range r.desired.Subscriptions {
		for i, api := range r.result.APIs {
			if api.Name != want.APIName {
				continue
			}
			if err := r.ensureSubscription(ctx, api, want.ThrottlingPolicy, existing[api.ID]); err != nil {
				return err
			}
			r.result.APIs[i].Subscribed = true
		}
	}
	return nil
}

// oneSubscription deletes one of two subscriptions to the same API and returns the other. Two runs at the same time can make one
// each. have is empty if s is the first.
func (r *run) oneSubscription(ctx context.Context, have, s wso2.Subscription) (wso2.Subscription, error) {
	if have.ID == "" {
		return s, nil
	}
	if s.ID < have.ID {
		have, s = s, have
	}
	return have, r.change("deleted a second subscription to API "+s.APIID, func() error {
		return orGone(r.DevPortal.Unsubscribe(ctx, s.ID))
	})
}

func (r *run) ensureSubscription(ctx context.Context, api PublishedAPI, policy string, have wso2.Subscription) error {
	what := fmt.Sprintf("API %q %s with policy %s", api.Name, api.Version, policy)
	switch {
	case have.ID == "":
		return r.change("subscribed to "+what, func() error {
			_, err := r.DevPortal.Subscribe(ctx, r.app.ID, api.ID, policy)
			return orConflict(err)
		})
	case have.Status != "UNBLOCKED":
		r.log.Warn("the subscription does not work", "api", api.Name, "version", api.Version, "status", have.Status,
			"remedy", "unblock it in API-M's Publisher or approve it in its Admin Portal")
		return nil
	case have.ThrottlingPolicy == policy:
		return nil
	}
	stored, err := r.DevPortal.Subscription(ctx, have.ID)
	if err != nil {
		return err
	}
	whole, _, err := wso2.Merge(stored.Raw, map[string]string{"requestedThrottlingPolicy": policy})
	if err != nil {
		return err
	}
	return r.change("changed the subscription to "+what, func() error {
		return r.DevPortal.UpdateSubscription(ctx, have.ID, whole)
	})
}

// clientName is what API-M's connector calls an application's client in IS.
func clientName(app wso2.Application) string {
	return strings.Join([]string{app.Owner, app.ID, wso2.Production}, "_")
}
