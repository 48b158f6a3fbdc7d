package apply

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/desired"
	"wso2agent/internal/plan"
	"wso2agent/internal/remedy"
	"wso2agent/internal/wso2"
)

// api makes an API, or changes what differs: first the API itself, then the gateways, and then the lifecycle, so that nobody finds an
// API that no gateway has.
func (r *round) api(ctx context.Context, c plan.Change, want desired.API) error {
	if err := r.bring(ctx, c, want); err != nil {
		return fmt.Errorf("%s API %s: %w", c.Action, c.Name, r.awaited(want, r.explain(ctx, want, err)))
	}
	return nil
}

func (r *round) bring(ctx context.Context, c plan.Change, want desired.API) error {
	if scope := r.lacksScope(want); scope != "" {
		return missing(plan.KindScope, scope)
	}
	have, exists := c.Have.(plan.API)
	if !exists && len(want.Scopes.Value) > 0 {
		if err := r.lacksKeyManager(); err != nil {
			return err
		}
	}
	differs := func(path string) bool {
		return slices.ContainsFunc(c.Fields, func(d plan.Difference) bool { return d.Path == path })
	}
	// What is not of the object of an API.
	saved := slices.DeleteFunc(slices.Clone(c.Fields), func(d plan.Difference) bool {
		return d.Path == "revision" || d.Path == "environments" || d.Path == "lifecycle"
	})
	var err error
	switch {
	case !exists:
		have.Object, err = r.newAPI(ctx, want)
	case definitionDiffers(saved):
		have.Object, err = r.redefine(ctx, want, have.Object, saved)
	case len(saved) > 0:
		have.Object, err = r.saveAPI(ctx, want, have.Object)
	}
	if err != nil {
		return err
	}
	if !exists || len(saved) > 0 {
		r.mu.Lock()
		r.saved[plan.APIName{Name: want.Name.Value, Version: want.Version.Value}] = plan.ServedOf(have.Object, nil)
		r.mu.Unlock()
	}
	changed, late := !exists || plan.NeedsRevision(saved), differs("revision")
	if changed && r.past.revised(have) { // an earlier round could not deploy it, or failed after that
		changed, late = false, true
	}
	if changed || late || differs("environments") {
		if err := r.rollOut(ctx, have, plan.RolloutOf(want, have, r.want.VHost, changed, late)); err != nil {
			return err
		}
	}
	if exists && !differs("lifecycle") {
		return nil
	}
	return r.lifecycle(ctx, have.Object, want.Lifecycle.Or(wso2.StatePublished))
}

// lacksScope returns a shared scope that the API uses and that could not be made; "" if there is none. API-M would make a local scope of
// the API of it, and then refuse the shared one for good.
func (r *round) lacksScope(want desired.API) (name string) {
	r.all.failed(func(c plan.Change) bool {
		uses := c.Kind == plan.KindScope && c.Action == plan.Create && slices.ContainsFunc(want.Scopes.Value, func(s desired.Field[desired.Scope]) bool {
			return s.Value.Name.Value == c.Name
		})
		for _, op := range want.Operations.Value {
			uses = uses || c.Kind == plan.KindScope && c.Action == plan.Create && slices.ContainsFunc(op.Value.Scopes.Value, func(s desired.Text) bool { return s.Value == c.Name })
		}
		if uses {
			name = c.Name
		}
		return uses
	})
	return name
}

// awaited makes another round of a refusal of a key manager that API-M is going to have: it loads a new one some seconds after its answer.
func (r *round) awaited(want desired.API, err error) error {
	if !wso2.HasCode(err, wso2.CodeNoKeyManager) {
		return err
	}
	all := r.want.KeyManagers(r.have.Issuer)
	for _, name := range want.KeyManagers.Value {
		if r.all.failed(func(c plan.Change) bool { return c.Kind == plan.KindKeyManager && c.Name == name.Value }) {
			return marked{err, errNeeds}
		}
		made := slices.ContainsFunc(all, func(km desired.Field[desired.KeyManager]) bool {
			return km.Value.Name.Value == name.Value && km.Value.Enabled.Or(true)
		})
		on := r.have.KeyManagers[name.Value]
		there := on != nil || name.Value == bootstrap.ResidentKeyManager || name.Value == allKeyManagers // which no file has to name
		if !made && (!there || on["enabled"] == false) {
			return err
		}
	}
	return again(err)
}

// allKeyManagers is what an API names for all key managers.
const allKeyManagers = "all"

// newAPI makes an API, or a copy of another version.
func (r *round) newAPI(ctx context.Context, want desired.API) (plan.Object, error) {
	var made wso2.Object
	var err error
	if want.CopyOf.Value != "" {
		made, err = r.copyAPI(ctx, want)
	} else {
		body := plan.APIBody(want, nil, r.want.Policies(want.Name.Value))
		made, err = r.createAPI(ctx, want, body, apiSecrets(want, nil))
	}
	if wso2.HasCode(err, wso2.CodeAPIExists) || wso2.HasCode(err, wso2.CodeVersionExists) {
		return nil, again(err) // the list of APIs is behind, or the answer to an earlier creation is lost
	}
	if made.ID != "" {
		r.mu.Lock()
		r.ids.APIs[plan.APIName{Name: want.Name.Value, Version: want.Version.Value}] = made.ID
		r.mu.Unlock()
	}
	return made.Fields, err
}

// copyAPI makes an API of another version, and then what the file says of it.
func (r *round) copyAPI(ctx context.Context, want desired.API) (wso2.Object, error) {
	source := plan.APIName{Name: want.Name.Value, Version: want.CopyOf.Value}
	r.mu.Lock()
	id := r.ids.APIs[source]
	r.mu.Unlock()
	if id == "" {
		err := fmt.Errorf("copy API %s: API-M does not have it", source)
		if before(r.want.File, source, want) {
			return wso2.Object{}, fmt.Errorf("%w: %w", errNeeds, err)
		}
		return wso2.Object{}, byHand(remedy.Add(err, "correct copy_of at %s, or list that version before this one", want.CopyOf.At))
	}
	made, err := r.Publisher.CopyAPI(ctx, id, want.Version.Value)
	if err != nil {
		return made, err
	}
	copied, err := r.Publisher.APIObject(ctx, made.ID) // the answer to a copy differs from what it is
	if err != nil || len(plan.APIDifferences(want, copied.Fields, r.want.Policies(want.Name.Value), nil)) == 0 && len(apiSecrets(want, copied.Fields)) == 0 {
		return copied, err
	}
	copied.Fields, err = r.saveAPI(ctx, want, copied.Fields)
	return copied, err
}

// before reports whether the file lists a version of an API before another one.
func before(f *desired.File, name plan.APIName, other desired.API) bool {
	for _, item := range f.APIs.Value {
		switch (plan.APIName{Name: item.Value.Name.Value, Version: item.Value.Version.Value}) {
		case name:
			return true
		case plan.APIName{Name: other.Name.Value, Version: other.Version.Value}:
			return false
		}
	}
	return false
}

// saveAPI writes a whole API: have with what the file says. The round has just read have, and API-M has no way to notice a change in
// between.
func (r *round) saveAPI(ctx context.Context, want desired.API, have plan.Object) (plan.Object, error) {
	body := plan.APIBody(want, have, r.want.Policies(want.Name.Value))
	saved, err := r.Publisher.UpdateAPIObject(ctx, textOf(have, "id"), body, apiSecrets(want, have)...)
	return saved.Fields, gone(err)
}

// apiSecrets returns the secrets in the body of an API, which no message may repeat.
func apiSecrets(want desired.API, have plan.Object) (secrets []wso2.Secret) {
	for value := range maps.Values(plan.APISecrets(want, have)) {
		secrets = append(secrets, wso2.Secret(value))
	}
	return secrets
}

// gone makes another round of the answer that an object does not exist: the round has seen it, so somebody has deleted it since.
func gone(err error) error {
	if wso2.HasStatus(err, http.StatusNotFound) && !wso2.HasCode(err, codeNoScopeRole) {
		return again(err)
	}
	return err
}
