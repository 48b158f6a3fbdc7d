package objects

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"wso2agent/internal/apply"
	"wso2agent/internal/plan"
	"wso2agent/internal/wso2"
)

// Subscription is an application's right to call an API.
type Subscription struct {
	ID          string `json:"id"`
	Application string `json:"application"`
	Owner       string `json:"owner"` // of the application
	API         string `json:"api"`
	Version     string `json:"version"`
	Policy      string `json:"policy"`
	Status      string `json:"status"` // UNBLOCKED, or why it does not work
}

// Subscriptions lists subscriptions: those of an application of the user, or of all users to an API, or both; without either, those of all
// applications of the user.
func Subscriptions(ctx context.Context, s apply.Single, application, api string) (all []Subscription, err error) {
	var of []Application
	if application != "" {
		app, err := FindApplication(ctx, s.DevPortal, application)
		if err != nil {
			return nil, err
		}
		of = []Application{app}
	}
	if api == "" && of == nil {
		if of, err = Applications(ctx, s.DevPortal); err != nil {
			return nil, err
		}
	}
	if api != "" {
		all, err = subscriptionsTo(ctx, s.Publisher, api, of)
	} else {
		all, err = subscriptionsOf(ctx, s.DevPortal, of)
	}
	sortBy(all, func(s Subscription) []string { return []string{s.Application, s.Owner, s.API, s.Version} })
	return all, err
}

// subscriptionsTo lists the subscriptions to an API: of one application, or of all users.
func subscriptionsTo(ctx context.Context, publisher *wso2.Publisher, name string, of []Application) (all []Subscription, err error) {
	api, err := FindAPI(ctx, publisher, name)
	if err != nil {
		return nil, err
	}
	list, err := publisher.Subscribers(ctx, api.ID)
	for _, one := range list {
		if of == nil || one.Application.ID == of[0].ID {
			all = append(all, Subscription{one.Subscription, one.Application.Name, one.Application.Owner, api.Name, api.Version, one.Policy, one.Status})
		}
	}
	return all, err
}

// subscriptionsOf lists the subscriptions of applications.
func subscriptionsOf(ctx context.Context, portal *wso2.DevPortal, of []Application) (all []Subscription, err error) {
	for _, app := range of {
		list, err := portal.Subscriptions(ctx, app.ID)
		if err != nil {
			return nil, err
		}
		for _, one := range list {
			all = append(all, Subscription{one.ID, app.Name, app.Owner, one.API.Name, one.API.Version, one.ThrottlingPolicy, one.Status})
		}
	}
	return all, nil
}

// Subscribe subscribes an application of the user to an API, unless it has subscribed already with this policy. An empty policy stands for
// the one that the API offers, or for Unlimited if that is one of several. added reports whether a subscription was made.
func Subscribe(ctx context.Context, s apply.Single, application, api, policy string) (sub Subscription, added bool, err error) {
	app, err := FindApplication(ctx, s.DevPortal, application)
	if err != nil {
		return sub, false, err
	}
	listed, err := FindAPI(ctx, s.Publisher, api)
	if err != nil {
		return sub, false, err
	}
	o, err := s.Publisher.APIObject(ctx, listed.ID)
	if err != nil {
		return sub, false, err
	}
	sub = Subscription{Application: app.Name, Owner: app.Owner, API: listed.Name, Version: listed.Version, Policy: policy}
	have, err := s.DevPortal.Subscriptions(ctx, app.ID)
	if err != nil {
		return sub, false, err
	}
	if i := slices.IndexFunc(have, func(has wso2.Subscription) bool { return has.APIID == listed.ID }); i >= 0 {
		sub.ID, sub.Policy, sub.Status = have[i].ID, have[i].ThrottlingPolicy, have[i].Status
		if policy != "" && policy != sub.Policy {
			return sub, false, refuse("delete the subscription first, or change its policy in the Developer Portal", "application %q has subscribed to API %s with the policy %s", app.Name, APIName(listed), sub.Policy)
		}
		return sub, false, nil
	}
	if state := text(o.Fields, "lifeCycleStatus"); state != wso2.StatePublished && state != wso2.StatePrototyped {
		return sub, false, refuse(fmt.Sprintf("agent apis lifecycle %s published", APIName(listed)), "nobody can subscribe to API %s, which is %s", APIName(listed), state)
	}
	if sub.Policy, err = policyFor(policy, texts(o.Fields["policies"])); err != nil {
		return sub, false, fmt.Errorf("subscribe to API %s: %w", APIName(listed), err)
	}
	if sub.ID, err = s.DevPortal.Subscribe(ctx, app.ID, listed.ID, sub.Policy); err != nil {
		return sub, false, err
	}
	made, err := s.DevPortal.Subscription(ctx, sub.ID)
	sub.Status = made.Status
	return sub, true, err
}

// policyFor returns the policy of a new subscription.
func policyFor(want string, offered []string) (string, error) {
	switch {
	case want != "" && !slices.Contains(offered, want):
		return "", refuse("the API offers "+strings.Join(offered, ", "), "the API does not offer the subscription policy %q", want)
	case want != "":
		return want, nil
	case slices.Contains(offered, "Unlimited"):
		return "Unlimited", nil
	case len(offered) == 1:
		return offered[0], nil
	case len(offered) == 0:
		return "", refuse("give it a business plan in the Publisher", "the API offers no subscription policy")
	}
	return "", refuse("choose one with --policy: "+strings.Join(offered, ", "), "the API offers several subscription policies")
}

// RemoveSubscription returns what to know before a subscription of an application of the user is deleted.
func RemoveSubscription(ctx context.Context, s apply.Single, application, api string) (r Removal, err error) {
	app, err := FindApplication(ctx, s.DevPortal, application)
	if err != nil {
		return r, err
	}
	list, err := s.DevPortal.Subscriptions(ctx, app.ID)
	if err != nil {
		return r, err
	}
	apis := make([]wso2.API, len(list)) // those to which the application has subscribed
	for i, one := range list {
		apis[i] = wso2.API{ID: one.ID, Name: one.API.Name, Version: one.API.Version}
	}
	if !slices.ContainsFunc(apis, func(a wso2.API) bool { return a.Name == api || APIName(a) == api }) {
		return r, refuse(fmt.Sprintf("agent subscriptions list --app '%s' lists those that it has", app.Name), "application %q has no subscription to API %q", app.Name, api)
	}
	found, err := PickAPI(api, apis)
	if err != nil {
		return r, err
	}
	owned := plan.OwnedObject{Kind: plan.KindSubscription, Name: "to API " + plan.APIName{Name: found.Name, Version: found.Version}.String(), Of: "application " + app.Name, ID: found.ID}
	return Removal{
		OwnedObject: owned, Title: fmt.Sprintf("the subscription of application %s to API %s", app.Name, APIName(found)),
		With: []string{"the gateway refuses its calls of the API about a second later"},
		Do: func(ctx context.Context) ([]string, error) {
			return nil, s.Remove(ctx, plan.Left{OwnedObject: owned, Parent: app.ID})
		},
	}, nil
}
