package actual

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"wso2agent/internal/desired"
	"wso2agent/internal/plan"
	"wso2agent/internal/wso2"
)

// listAPIs lists all APIs. The list comes from a search index, which lags behind the database. So if it has no version of a name that
// the file has, the database is asked.
func (r *reader) listAPIs(ctx context.Context) error {
	list, err := r.Publisher.APIs(ctx)
	if err != nil {
		return err
	}
	listed, names := map[plan.APIName]wso2.API{}, map[string]bool{}
	versions := make([]plan.APIVersion, len(list))
	for i, api := range list {
		versions[i] = plan.APIVersion{ID: api.ID, Name: api.Name, Version: api.Version, Context: api.Context, State: api.LifeCycle}
		names[strings.ToLower(api.Name)] = true // API-M refuses a second API of a name in other letter case
		// If there are two anyway, the agent takes the same one as a bootstrap.
		if name := (plan.APIName{Name: api.Name, Version: api.Version}); listed[name].ID == "" || api.ID < listed[name].ID {
			listed[name] = api
		}
	}
	r.note(func(have *plan.Have) { have.Versions = versions })
	for _, item := range r.want.File.APIs.Value {
		want := item.Value
		name := plan.APIName{Name: want.Name.Value, Version: want.Version.Value}
		switch key := strings.ToLower(name.Name); {
		case listed[name].ID != "":
			r.later(func(ctx context.Context) error { return r.readAPI(ctx, item, listed[name]) })
		case !names[key] && r.asksAbout(name):
			names[key] = true // one question for all versions
			r.later(func(ctx context.Context) error { return r.missingAPI(ctx, name.Name) })
		}
	}
	return nil
}

// asksAbout reports whether the database is asked for an API that the list lacks.
func (r *reader) asksAbout(name plan.APIName) bool {
	switch r.unlisted {
	case askRecorded:
		return slices.ContainsFunc(r.want.Owned, func(o plan.OwnedObject) bool { return o.Kind == plan.KindAPI && o.Name == name.String() })
	case askNone:
		return false
	}
	return true
}

// missingAPI returns an error if the database has an API that the list lacks.
func (r *reader) missingAPI(ctx context.Context, name string) error {
	exists, err := r.Publisher.HasAPI(ctx, name)
	if exists {
		return tryAgain("read API %q: API-M has it, and does not list it yet", name)
	}
	return err
}

// readAPI reads an API, where it is deployed, and the documents that the file names, unless an earlier read knows that it has what the
// file says.
func (r *reader) readAPI(ctx context.Context, item desired.Field[desired.API], listed wso2.API) error {
	name, id, want := plan.APIName{Name: listed.Name, Version: listed.Version}, listed.ID, item.Value
	if kept, known := r.known(item, listed); known {
		r.note(func(have *plan.Have) { have.Agreed[name] = kept })
		return nil
	}
	what := fmt.Sprintf("API %q %s", name.Name, name.Version)
	object, err := r.Publisher.APIObject(ctx, id)
	if err != nil {
		return about(what, err)
	}
	revisions, err := r.Publisher.Revisions(ctx, id)
	if err != nil {
		return about("the deployments of "+what, err)
	}
	api := plan.API{Object: object.Fields, Deployments: deployments(revisions...)}
	if api.Revisions, err = r.revisions(ctx, want, object.Fields, revisions); err != nil {
		return about("the deployed revision of "+what, err)
	}
	if api.Documents, err = r.documents(ctx, want, id, what); err != nil {
		return err
	}
	if api.Definition, err = r.definition(ctx, want, object, what); err != nil {
		return err
	}
	if kept, ok := r.agreed(item, listed, api); ok {
		r.note(func(have *plan.Have) { have.Agreed[name] = kept })
		return nil
	}
	r.note(func(have *plan.Have) { have.APIs[name] = api })
	return nil
}

// revisions returns the revisions of an API. It reads a deployed one as an API if it may lack something of the API.
func (r *reader) revisions(ctx context.Context, want desired.API, api plan.Object, list []wso2.Revision) (all []plan.Revision, err error) {
	for _, revision := range list {
		on := plan.Revision{ID: revision.ID, Description: revision.Description, Created: revision.Created(), Deployments: deployments(revision)}
		if plan.DeployedFor(want, on) && plan.MayLack(api, on) {
			object, err := r.Publisher.APIObject(ctx, revision.ID)
			if err != nil {
				return nil, err
			}
			on.Object = object.Fields
		}
		all = append(all, on)
	}
	return all, nil
}

// definition reads the definition of an API for which the file has one. An API of another type has none of that kind.
func (r *reader) definition(ctx context.Context, want desired.API, object wso2.Object, what string) ([]byte, error) {
	field, _, ok := plan.DefinitionOf(want)
	if !ok || object.Fields["type"] != want.Type.Or("HTTP") {
		return nil, nil
	}
	if field == "openapi" {
		text, err := r.Publisher.OpenAPI(ctx, object.ID)
		return text, about("the OpenAPI definition of "+what, err)
	}
	schema, err := r.Publisher.GraphQLSchema(ctx, object.ID)
	if err != nil {
		return nil, about("the GraphQL schema of "+what, err)
	}
	return []byte(schema), nil
}

// deployments returns the environments in which a revision is deployed.
func deployments(revisions ...wso2.Revision) (all []plan.Object) {
	for _, revision := range revisions {
		for _, d := range revision.Deployments {
			all = append(all, plan.Object{"name": d.Environment, "vhost": d.VHost, "displayOnDevportal": d.DisplayOnDevPortal})
		}
	}
	return all
}

// documents reads the documents of an API that the file names. The list has all fields, and the content is at an address of its own.
func (r *reader) documents(ctx context.Context, want desired.API, id, what string) (map[string]plan.Document, error) {
	of := "API " + plan.APIName{Name: want.Name.Value, Version: want.Version.Value}.String()
	if len(want.Documents.Value) == 0 && len(r.unnamed.of(plan.KindDocument, of)) == 0 {
		return nil, nil
	}
	list, err := r.Publisher.Documents(ctx, id)
	if err != nil {
		return nil, about("the documents of "+what, err)
	}
	listed, ids := map[string]wso2.Object{}, make([]string, len(list))
	for i, d := range list {
		listed[d.Name], ids[i] = d, d.ID
	}
	r.children(plan.KindDocument, of, id, ids)
	all := map[string]plan.Document{}
	for _, item := range want.Documents.Value {
		d, exists := listed[item.Value.Name.Value]
		if !exists {
			continue
		}
		document := plan.Document{Object: d.Fields}
		if d.Fields["sourceType"] != "URL" {
			if document.Content, _, err = r.Publisher.ReadContent(ctx, id, d.ID); err != nil {
				return nil, about(fmt.Sprintf("document %q of %s", d.Name, what), err)
			}
		}
		all[d.Name] = document
	}
	return all, nil
}

// certificates returns the fingerprints of the endpoint certificates that the file names, by alias.
func (r *reader) certificates() map[string]string {
	named := map[string]string{}
	for _, api := range r.want.File.APIs.Value {
		for _, c := range api.Value.Certificates.Value {
			named[c.Value.Alias.Value] = r.want.Fingerprints[desired.PathOf(c.Value.File)]
		}
	}
	return named
}

func (r *reader) listCertificates(ctx context.Context, named map[string]string) error {
	list, err := r.Publisher.EndpointCertificates(ctx)
	if err != nil {
		return err
	}
	r.aliases = map[string]bool{} // only the second round reads it
	for _, c := range list {
		r.aliases[c.Alias] = true
		wanted, is := named[c.Alias]
		if !is {
			continue
		}
		if known, is := r.knownCertificate(c, wanted); is {
			r.note(func(have *plan.Have) { have.Certificates[c.Alias] = known })
		} else {
			r.later(func(ctx context.Context) error { return r.readCertificate(ctx, c) })
		}
	}
	return nil
}

// readCertificate reads the content of a certificate, because the server shows no fingerprint.
func (r *reader) readCertificate(ctx context.Context, c wso2.EndpointCertificate) error {
	der, err := r.Publisher.EndpointCertificate(ctx, c.Alias)
	if err != nil {
		return about(fmt.Sprintf("endpoint certificate %q", c.Alias), err)
	}
	r.note(func(have *plan.Have) {
		have.Certificates[c.Alias] = plan.EndpointCertificate{Object: plan.Object{"alias": c.Alias, "endpoint": c.Endpoint}, Fingerprint: fingerprint(der)}
	})
	return nil
}

// fingerprint returns the SHA-256 fingerprint of a certificate in DER, as hexadecimal digits.
func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// namesScopes reports whether the file names a shared scope.
func (r *reader) namesScopes() bool {
	lists := []desired.List[desired.Scope]{r.want.File.Scopes}
	for _, api := range r.want.File.APIs.Value {
		lists = append(lists, api.Value.Scopes)
	}
	for _, list := range lists {
		for _, s := range list.Value {
			if !s.Value.Local.Or(false) {
				return true
			}
		}
	}
	return false
}

// listScopes lists the shared scopes. The list has all fields.
func (r *reader) listScopes(ctx context.Context) error {
	list, err := r.Publisher.SharedScopes(ctx)
	r.note(func(have *plan.Have) {
		for _, s := range list {
			have.Scopes[s.Name] = s.Fields
		}
	})
	for _, s := range list {
		r.still(plan.KindScope, s.Name, "", s.ID, "")
	}
	return err
}
