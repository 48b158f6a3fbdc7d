package actual

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/desired"
	"wso2agent/internal/lease"
	"wso2agent/internal/plan"
	"wso2agent/internal/wso2"
)

// keyManagers returns the names of the key managers that the file names: those of its list, the agent's own, and those of keys, whose
// type decides what a client can have.
func (r *reader) keyManagers() map[string]bool {
	names := map[string]bool{}
	if own := r.want.Own.Name; own.Set {
		names[own.Value] = true
	}
	for _, km := range r.want.File.KeyManagers.Value {
		names[km.Value.Name.Value] = true
	}
	for _, app := range r.want.File.Applications.Value {
		for _, key := range plan.Keys(app, r.want.KeyManager) {
			names[key.Value.KeyManager.Value] = true
		}
	}
	return names
}

// readIssuer reads the issuer of IS. A plan of what API-M has needs no IS: an issuer that nobody knows is not compared.
func (r *reader) readIssuer(ctx context.Context) error {
	discovery, err := r.IS.Discovery(ctx)
	if err == nil {
		r.note(func(have *plan.Have) { have.Issuer = discovery.Issuer })
	}
	return ctx.Err()
}

// listKeyManagers lists the key managers. The list has neither issuers nor endpoints.
func (r *reader) listKeyManagers(ctx context.Context, names map[string]bool) error {
	list, err := r.Admin.KeyManagers(ctx)
	if err != nil {
		return err
	}
	for _, km := range list {
		r.still(plan.KindKeyManager, km.Name, "", km.ID, "")
	}
	for name := range names {
		if same := bootstrap.KeeperFirst(list, name); len(same) > 0 {
			r.later(func(ctx context.Context) error {
				km, err := r.Admin.KeyManagerObject(ctx, same[0].ID)
				r.note(func(have *plan.Have) { have.KeyManagers[name] = km.Fields })
				return about(fmt.Sprintf("key manager %q", name), err)
			})
		}
	}
	return nil
}

// listApplications lists the applications of the agent's user. Attributes and groups are only in what a read of one shows.
func (r *reader) listApplications(ctx context.Context) error {
	list, err := r.DevPortal.ApplicationObjects(ctx)
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, isLease)
	ids, names := map[string]string{}, make([]string, len(list))
	for i, app := range list {
		names[i] = app.Name
		r.still(plan.KindApplication, app.Name, "", app.ID, "")
		// If there are two of a name, the agent takes the same one as a bootstrap.
		if ids[app.Name] == "" || app.ID < ids[app.Name] {
			ids[app.Name] = app.ID
		}
	}
	r.note(func(have *plan.Have) { have.Names = names })
	for _, item := range r.want.File.Applications.Value {
		want := item.Value
		if id := ids[want.Name.Value]; id != "" {
			r.later(func(ctx context.Context) error { return r.readApplication(ctx, want, id) })
		}
	}
	return nil
}

// isLease reports whether an application is the lease by which runs take turns. It is no part of the desired state, and comes and goes.
func isLease(app wso2.Object) bool { return strings.EqualFold(app.Name, lease.Application) }

// readApplication reads an application, its subscriptions and its keys, as far as the file names any.
func (r *reader) readApplication(ctx context.Context, want desired.Application, id string) error {
	name := want.Name.Value
	what := fmt.Sprintf("application %q", name)
	object, err := r.DevPortal.ApplicationObject(ctx, id)
	if err != nil {
		return about(what, err)
	}
	app := plan.Application{Object: object.Fields, Subscriptions: map[string]plan.Object{}}
	of := "application " + name
	if len(want.Subscriptions.Value) > 0 || len(r.unnamed.of(plan.KindSubscription, of)) > 0 {
		list, err := r.DevPortal.Subscriptions(ctx, id)
		if err != nil {
			return about("the subscriptions of "+what, err)
		}
		ids := make([]string, len(list))
		for i, s := range list {
			ids[i] = s.ID
			// Of two to one API, a bootstrap keeps the one with the smaller id.
			if other, _ := app.Subscriptions[s.APIID]["subscriptionId"].(string); other == "" || s.ID < other {
				app.Subscriptions[s.APIID] = plan.Object{"subscriptionId": s.ID, "apiId": s.APIID, "throttlingPolicy": s.ThrottlingPolicy, "status": s.Status}
			}
		}
		r.children(plan.KindSubscription, of, id, ids)
	}
	if !want.Keys.Set || len(want.Keys.Value) > 0 || len(r.unnamed.of(plan.KindKey, of)) > 0 {
		list, err := r.DevPortal.KeyObjects(ctx, id)
		if err != nil {
			return about("the keys of "+what, err)
		}
		ids := make([]string, len(list))
		for i, key := range list {
			ids[i] = key.ID
			if client, _ := key.Fields["consumerKey"].(string); client != "" { // else a failure has left it behind
				app.Keys = append(app.Keys, key.Fields)
			}
		}
		r.children(plan.KindKey, of, id, ids)
	}
	r.note(func(have *plan.Have) { have.Applications[name] = app })
	return nil
}
