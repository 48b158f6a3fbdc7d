package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"wso2agent/internal/desired"
	"wso2agent/internal/plan"
	"wso2agent/internal/remedy"
	"wso2agent/internal/wso2"
)

// application makes an application. Its subscriptions and keys are changes of their own.
func (r *round) application(ctx context.Context, c plan.Change, want desired.Application) error {
	name := want.Name.Value
	var made wso2.Object
	var err error
	if have, exists := c.Have.(plan.Application); exists {
		made, err = r.DevPortal.UpdateApplicationObject(ctx, textOf(have.Object, "applicationId"), plan.ApplicationBody(want, have.Object))
	} else {
		made, err = r.DevPortal.CreateApplicationObject(ctx, plan.ApplicationBody(want, nil))
	}
	if err != nil {
		return r.namePolicy(ctx, moved(err), want)
	}
	if err := approved(name, made.Fields); err != nil {
		return err
	}
	r.mu.Lock()
	r.ids.Applications[name] = made.ID
	r.mu.Unlock()
	return r.dropped(ctx, want, made.Fields)
}

// approved returns an error if an application does not work before somebody approves it.
func approved(name string, o plan.Object) error {
	switch status := textOf(o, "status"); status {
	case "APPROVED":
		return nil
	case "REJECTED":
		return byHand(remedy.Add(fmt.Errorf("somebody has rejected application %q", name), "delete it in the Developer Portal, so that the next run makes it again, or remove it from the file"))
	default:
		return toApprove(remedy.Add(fmt.Errorf("application %q is not approved: its status is %s", name, status), "approve it in API-M's Admin Portal, under Tasks"))
	}
}

// dropped returns an error for attributes that API-M has not stored, because its configuration does not declare them. API-M does not say
// so.
func (r *round) dropped(ctx context.Context, want desired.Application, made plan.Object) error {
	if !slices.ContainsFunc(plan.ApplicationDifferences(want, made), func(d plan.Difference) bool { return d.Path == "attributes" }) {
		return nil
	}
	declared, err := r.DevPortal.ApplicationAttributes(ctx)
	names := plan.UndeclaredAttributes(want, declared)
	if err != nil || len(names) == 0 {
		return err
	}
	return byHand(remedy.Add(fmt.Errorf("API-M has not stored the attributes %s of application %q: its configuration does not declare them", strings.Join(names, ", "), want.Name.Value),
		"declare them in deployment.toml of API-M ([[apim.devportal.application_attributes]]) and restart it, or remove them at %s", want.Attributes.At))
}

// namePolicy replaces a refusal by an error that names the policies that exist, if the application has another one. API-M answers HTTP
// 500 to an update with an unknown policy.
func (r *round) namePolicy(ctx context.Context, cause error, want desired.Application) error {
	policy := want.ThrottlingPolicy.Value
	if policy == "" || !wso2.HasCode(cause, wso2.CodeNoPolicy) && !wso2.HasStatus(cause, 500) {
		return cause
	}
	names, err := r.DevPortal.ApplicationPolicies(ctx)
	if err != nil || slices.Contains(names, policy) {
		return cause
	}
	return byHand(remedy.Add(fmt.Errorf("%s: API-M has no application policy %q, only %s", want.ThrottlingPolicy.At, policy, strings.Join(names, ", ")),
		"correct throttling_policy, or make the policy in the Admin Portal"))
}

// applicationOf returns the id of the application to which a subscription or a key belongs.
func (r *round) applicationOf(c plan.Change) (name, id string, err error) {
	name = strings.TrimPrefix(c.Of, "application ")
	r.mu.Lock()
	id = r.ids.Applications[name]
	r.mu.Unlock()
	if id == "" {
		return name, "", missing(plan.KindApplication, name)
	}
	if have, exists := r.have.Applications[name]; exists {
		err = approved(name, have.Object)
	}
	return name, id, err
}

// subscription subscribes an application to a version of an API, or changes the policy of a subscription.
func (r *round) subscription(ctx context.Context, c plan.Change, want plan.WantedSubscription) error {
	_, application, err := r.applicationOf(c)
	if err != nil {
		return err
	}
	if have, exists := c.Have.(plan.Object); exists {
		return r.changeSubscription(ctx, textOf(have, "subscriptionId"), want)
	}
	name := plan.APIName{Name: want.API.Name, Version: want.API.Version}
	r.mu.Lock()
	api := r.ids.APIs[name]
	r.mu.Unlock()
	if api == "" {
		return missing(plan.KindAPI, name.String())
	}
	body := plan.SubscriptionBody(want.Want, nil, application, api)
	id, err := r.DevPortal.Subscribe(ctx, application, api, textOf(body, "throttlingPolicy"))
	r.noteID(c, id)
	err = moved(err)
	// API-M answers HTTP 500 for an API that is not published, and refuses a policy that the API does not offer.
	if err != nil && r.all.failed(func(c plan.Change) bool { return c.Kind == plan.KindAPI && c.Name == name.String() }) {
		return marked{err, errNeeds}
	}
	return err
}

// changeSubscription writes the whole subscription, which the list shows only in part.
func (r *round) changeSubscription(ctx context.Context, id string, want plan.WantedSubscription) error {
	stored, err := r.DevPortal.Subscription(ctx, id)
	if err != nil {
		return moved(err)
	}
	var have plan.Object
	if err := json.Unmarshal(stored.Raw, &have); err != nil {
		return fmt.Errorf("read subscription %s: %w", id, err)
	}
	body, err := json.Marshal(plan.SubscriptionBody(want.Want, have, "", ""))
	if err != nil {
		return err
	}
	return moved(r.DevPortal.UpdateSubscription(ctx, id, body))
}
