package apply

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"wso2agent/internal/desired"
	"wso2agent/internal/plan"
	"wso2agent/internal/remedy"
	"wso2agent/internal/wso2"
)

// importDefinition makes an API from its definition, and returns it as the server has it then. ok is false if the API has no definition,
// and nothing is made. body is the API to make. API-M takes operations, scopes and the description from an OpenAPI definition, so what the
// file says otherwise is written afterwards. The API may exist although the error is not nil: the next round finds it.
func (r *round) importDefinition(ctx context.Context, want desired.API, body plan.Object, secrets ...wso2.Secret) (made wso2.Object, ok bool, err error) {
	d, has := r.want.Definition(want)
	if !has {
		return wso2.Object{}, false, nil
	}
	if want.OpenAPI.Set {
		fields := maps.Clone(body)
		delete(fields, "operations") // they would replace those of the definition, and drop its scopes
		delete(fields, "scopes")
		made, err = r.Publisher.ImportOpenAPI(ctx, fields, d.Text, secrets...)
	} else if err = r.checkSchema(ctx, want, d); err == nil {
		made, err = r.Publisher.ImportGraphQL(ctx, body, d.Text, secrets...)
	}
	if wso2.HasCode(err, wso2.CodeAPIExists) {
		err = again(err) // the list of APIs is behind, or the answer to an earlier try was lost
	}
	if err != nil {
		return wso2.Object{}, true, err
	}
	made, err = r.restore(ctx, want, made.ID, nil, secrets)
	return made, true, err
}

// updateDefinition writes the definition of an API if fields has a difference of it. API-M then takes operations and scopes from it again,
// so updateDefinition brings back what the definition does not say, and writes all other fields of the API's object that differ. The
// caller has nothing to save after that but deployments and the lifecycle.
//
// API-M has no request that does both. So the record has what the first request resets until the second one has succeeded: a later round
// or run brings it back. Without a record, only a later round of this run does.
func (r *round) updateDefinition(ctx context.Context, want desired.API, id string, fields []plan.Difference) error {
	d, has := r.want.Definition(want)
	if !has || !definitionDiffers(fields) {
		return nil
	}
	if !want.OpenAPI.Set {
		if err := r.checkSchema(ctx, want, d); err != nil {
			return err
		}
	}
	name := plan.APIName{Name: want.Name.Value, Version: want.Version.Value}
	now := r.have.APIs[name].Object
	before, first := r.past.original(name.String(), now, d)
	r.rewriting(name.String(), before)
	err := error(nil)
	if want.OpenAPI.Set {
		err = r.Publisher.UpdateOpenAPI(ctx, id, d.Text)
	} else {
		err = r.Publisher.UpdateGraphQLSchema(ctx, id, string(d.Text))
	}
	if err == nil {
		now = plan.WithBefore(now, before, d)
		var secrets []wso2.Secret
		for _, value := range plan.APISecrets(want, now) {
			secrets = append(secrets, wso2.Secret(value))
		}
		if _, err = r.restore(ctx, want, id, now, secrets); err == nil {
			r.rewriting(name.String(), nil)
		}
	} else if first && wso2.IsPermanent(err) { // API-M has refused it, and no earlier try can have reset anything
		r.rewriting(name.String(), nil)
	}
	return err
}

// rewriting keeps in the record what a new definition resets of an API; nil if it is there again.
func (r *round) rewriting(name string, before plan.Object) {
	if before == nil {
		r.past.restored(name)
	}
	if r.record == nil || r.save == nil {
		return
	}
	r.saving.Lock()
	defer r.saving.Unlock()
	r.record.Rewriting(name, before)
	if err := r.save(); err != nil {
		r.log.Warn("the agent cannot keep what a new definition resets: it is lost if this run ends now", "api", name, "error", err)
	}
}

// dropUndefined forgets what a definition has reset of an API for which the file has no definition any more. It is not restored without
// one, and a later definition would bring back what was there before all changes since.
func (r *run) dropUndefined() {
	kept := r.past.unrestored()
	for _, item := range r.report.Want.File.APIs.Value {
		name := plan.APIName{Name: item.Value.Name.Value, Version: item.Value.Version.Value}.String()
		if _, _, has := plan.DefinitionOf(item.Value); has || kept[name] == nil {
			continue
		}
		r.past.restored(name)
		if r.Record != nil {
			r.Record.Rewriting(name, nil)
		}
	}
}

// definitionDiffers reports whether the definition of an API is among its differences.
func definitionDiffers(fields []plan.Difference) bool {
	return slices.ContainsFunc(fields, func(d plan.Difference) bool { return d.Path == "openapi" || d.Path == "schema" })
}

// restore reads an API whose definition was written, and writes what differs from the file. before is the API as it was, nil if it is new.
func (r *round) restore(ctx context.Context, want desired.API, id string, before plan.Object, secrets []wso2.Secret) (wso2.Object, error) {
	now, err := r.Publisher.APIObject(ctx, id)
	if err != nil {
		return wso2.Object{ID: id}, err
	}
	body, differs := plan.APIRestored(want, before, now.Fields, r.want.Policies(want.Name.Value))
	if !differs {
		return now, nil
	}
	made, err := r.Publisher.UpdateAPIObject(ctx, id, body, secrets...)
	if err != nil {
		return now, err
	}
	return made, nil
}

// checkSchema asks API-M whether it reads a GraphQL schema, because it imports a broken one and then cannot serve it.
func (r *round) checkSchema(ctx context.Context, want desired.API, d plan.Definition) error {
	v, err := r.Publisher.ValidateGraphQL(ctx, d.Text)
	if err != nil || v.Valid {
		return err
	}
	err = fmt.Errorf("API-M refuses the GraphQL schema of API %s %s: %w", want.Name.Value, want.Version.Value, errors.New(strings.Join(v.Mistakes, "; ")))
	return byHand(remedy.Add(err, "correct the schema that %s names", want.Schema.At))
}
