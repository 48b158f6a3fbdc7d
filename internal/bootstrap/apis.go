package bootstrap

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"wso2agent/internal/remedy"
	"wso2agent/internal/wso2"
)

// listAPIs reads the ids of all APIs, once for the whole run. A search by name would also find other names.
func (r *run) listAPIs(ctx context.Context) error {
	list, err := r.Publisher.APIs(ctx)
	if err != nil {
		return err
	}
	r.apis = map[APIName]string{}
	defer r.findLeftOver()
	for _, api := range list {
		// API-M refuses a second API of a name and version. If there are two anyway, every run takes the same one.
		if key := (APIName{api.Name, api.Version}); r.apis[key] == "" || api.ID < r.apis[key] {
			r.apis[key] = api.ID
		}
	}
	return nil
}

// ensureAPI brings one API to its desired state on the gateway and in the DevPortal.
func (r *run) ensureAPI(ctx context.Context, want API) error {
	key, before := APIName{want.Name, want.Version}, r.result.Changes
	defer func() { r.moved[key] = r.moved[key] || r.result.Changes > before }() // also for the next try of this step
	api, isNew, err := r.findOrCreateAPI(ctx, want)
	if err != nil {
		return err
	}
	if err := r.updateAPI(ctx, want, api); err != nil {
		return err
	}
	deployed, err := r.deployAPI(ctx, want, api.ID, isNew)
	if err != nil {
		return err
	}
	if err := r.publishAPI(ctx, want, api); err != nil {
		return err
	}
	r.result.APIs = append(r.result.APIs, PublishedAPI{
		Name: want.Name, Version: want.Version, Context: want.Context, ID: api.ID, Path: want.Path(),
		Made: r.made[key], BackendURL: want.BackendURL, Operations: api.Operations,
		Changed: r.moved[key] || r.result.Changes > before || time.Since(deployed) < freshRevision,
	})
	return nil
}

// findOrCreateAPI reads the API by the id from the list, or creates it. API-M's list is some seconds behind, so it may lack an API
// that exists. Then the step fails, and its next try reads the list again. isNew reports whether this call created the API.
func (r *run) findOrCreateAPI(ctx context.Context, want API) (api wso2.API, isNew bool, err error) {
	key := APIName{want.Name, want.Version}
	if id := r.apis[key]; id != "" {
		api, err := r.Publisher.API(ctx, id)
		if wso2.HasCode(err, http.StatusNotFound) {
			delete(r.apis, key) // somebody has deleted it since, and the list still had it
			return api, false, transient(err)
		}
		return api, false, err
	}
	err = r.change(fmt.Sprintf("created API %q %s", want.Name, want.Version), func() error {
		api, err = r.Publisher.CreateAPI(ctx, newAPI(want, r.desired.policies(want.Name)))
		return namePolicies(ctx, err, "subscription", r.Publisher.SubscriptionPolicies, r.desired.policyUses(want.Name)...)
	})
	if wso2.HasCode(err, wso2.CodeAPIExists) {
		if listErr := r.listAPIs(ctx); listErr != nil {
			return api, false, listErr
		}
		return api, false, transient(err)
	}
	if err == nil {
		r.apis[key], r.made[key] = api.ID, true
	}
	return api, err == nil, err
}

// updateAPI writes the fields of the API on the server that differ from the file.
func (r *run) updateAPI(ctx context.Context, want API, api wso2.API) error {
	if "/"+strings.TrimPrefix(api.Context, "/") != want.Context {
		return permanent(remedy.Add(fmt.Errorf("API %q %s has the context %s on the server and %s in the file, and API-M cannot change it",
			want.Name, want.Version, api.Context, want.Context), "correct the file, or delete the API in the Publisher"))
	}
	whole, fields, err := wso2.Merge(api.Raw, overlayOf(want, api.Policies, r.desired.policies(want.Name)))
	if err != nil || len(fields) == 0 {
		return err
	}
	err = r.change(fmt.Sprintf("updated API %q %s: %s", want.Name, want.Version, strings.Join(fields, ", ")), func() error {
		err := r.Publisher.UpdateAPI(ctx, api.ID, whole)
		return namePolicies(ctx, err, "subscription", r.Publisher.SubscriptionPolicies, r.desired.policyUses(want.Name)...)
	})
	if err != nil || len(api.Scopes) == 0 || !r.authorizes() {
		return err
	}
	// The update deletes the API's local scopes in IS and creates them again, so no application is authorized for them any more.
	return r.authorize(ctx)
}

// publishAPI moves the API's lifecycle to published. It does not publish an API that a person has blocked, deprecated or retired.
func (r *run) publishAPI(ctx context.Context, want API, api wso2.API) error {
	switch api.LifeCycle {
	case wso2.StatePublished:
		return nil
	case wso2.StateCreated, wso2.StatePrototyped:
	default:
		return permanent(remedy.Add(fmt.Errorf("API %q %s is %s, which somebody decided", want.Name, want.Version, api.LifeCycle),
			"publish it again in the Publisher, or remove it from the file"))
	}
	pending := remedy.Add(fmt.Errorf("the publication of API %q %s waits for approval", want.Name, want.Version), "approve it in API-M's Admin Portal, under Tasks")
	if api.WorkflowStatus == "CREATED" {
		return pending
	}
	err := r.change(fmt.Sprintf("published API %q %s", want.Name, want.Version), func() error {
		status, err := r.Publisher.ChangeLifecycle(ctx, api.ID, "Publish")
		if err == nil && status == "CREATED" {
			return pending
		}
		return err
	})
	if wso2.HasCode(err, wso2.CodeLifecycle) {
		// Another run may have published it since it was read.
		if now, readErr := r.Publisher.API(ctx, api.ID); readErr != nil || now.LifeCycle == wso2.StatePublished {
			return readErr
		}
	}
	return err
}

// newAPI returns the API as the agent creates it. It allows all key managers and all operations, because the file names none.
func newAPI(want API, policies []string) wso2.NewAPI {
	api := wso2.NewAPI{
		Name: want.Name, Version: want.Version, Context: want.Context, Type: "HTTP",
		Description: want.Description, Tags: want.Tags,
		Transport: []string{"http", "https"}, Visibility: "PUBLIC",
		Policies: policies, KeyManagers: []string{"all"},
		SecurityScheme: []string{"oauth2", "oauth_basic_auth_api_key_mandatory"},
		EndpointConfig: endpointConfig(want),
	}
	if api.Tags == nil {
		api.Tags = []string{}
	}
	for _, verb := range []string{"GET", "PUT", "POST", "DELETE", "PATCH"} {
		api.Operations = append(api.Operations, wso2.Operation{
			Target: "/*", Verb: verb, AuthType: "Application & Application User", ThrottlingPolicy: defaultPolicy,
		})
	}
	return api
}

// overlayOf returns the fields of an existing API that the file sets. Policies that somebody added stay, except the one that
// accepts any valid token without a subscription.
func overlayOf(want API, have, need []string) map[string]any {
	policies := slices.DeleteFunc(slices.Concat(have, need), func(p string) bool { return p == wso2.SubscriptionLess })
	slices.Sort(policies)
	over := map[string]any{
		"endpointConfig": endpointConfig(want),
		"policies":       slices.Compact(policies),
	}
	if want.Description != "" {
		over["description"] = want.Description
	}
	if want.Tags != nil {
		over["tags"] = want.Tags
	}
	return over
}

func endpointConfig(want API) wso2.EndpointConfig {
	backend := wso2.Endpoint{URL: want.BackendURL}
	return wso2.EndpointConfig{Type: "http", Production: backend, Sandbox: backend}
}
