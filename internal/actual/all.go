package actual

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/desired"
	"wso2agent/internal/plan"
	"wso2agent/internal/wso2"
)

// Selection says what [All] reads.
type Selection struct {
	// APIs and Applications are names. All versions of an API count, and for an application the APIs to which it subscribes. Without
	// any name everything counts.
	APIs, Applications []string
	// Identity also reads the users, groups and roles of IS.
	Identity bool
	// File gets what a document that is a file has. Several calls may be made at a time. If it is nil, no such file is read.
	File func(api plan.APIName, document plan.Object, content []byte) error
	// Kinds are the types of APIs that count. Others are only listed.
	Kinds []string
}

// Whole reports whether the selection names nothing.
func (s Selection) Whole() bool { return len(s.APIs) == 0 && len(s.Applications) == 0 }

// Everything is what both servers have.
type Everything struct {
	plan.Have                         // of a document that is a file, the content is its [ContentSum]
	DER       map[string][]byte       // endpoint certificates in DER, by alias
	Schemas   map[plan.APIName]string // of GraphQL APIs
	Others    []wso2.API              // selected APIs of other types
}

// ContentSum returns what stands for the content of a file in a comparison: its SHA-256, so that no content has to be kept.
func ContentSum(content []byte) []byte {
	sum := sha256.Sum256(content)
	return sum[:]
}

// collector reads in three rounds: the lists, then what they name except APIs, then the APIs.
type collector struct {
	reader
	Selection
	all  Everything
	apis []wso2.API
}

// All reads everything that a selection means, with at most eight requests at a time. Errors are as in [Read].
func All(ctx context.Context, c Clients, s Selection) (Everything, error) {
	r := &collector{Selection: s, reader: reader{Clients: c, have: nothing(), unnamed: unnamedOf(nil)}}
	r.all.DER, r.all.Schemas = map[string][]byte{}, map[plan.APIName]string{}
	jobs := []job{r.listScopes, r.allAPIs, r.allKeyManagers}
	if s.Whole() || len(s.Applications) > 0 {
		jobs = append(jobs, r.allApplications)
	}
	jobs = append(jobs, r.allCertificates)
	if s.Identity && c.SCIM != nil {
		jobs = append(jobs, r.allOf(wso2.SCIMUsers, r.have.Users), r.allOf(wso2.SCIMGroups, r.have.Groups), r.allOf(wso2.SCIMRoles, r.have.Roles))
	}
	err := together(ctx, jobs)
	if err == nil {
		err = together(ctx, r.single)
	}
	if err == nil {
		err = together(ctx, r.selected())
	}
	if err != nil {
		return Everything{}, Reachable(err)
	}
	r.all.Have = r.have
	return r.all, nil
}

// nothing is what an empty server has.
func nothing() plan.Have {
	return plan.Have{
		KeyManagers: map[string]plan.Object{}, Scopes: map[string]plan.Object{},
		Roles: map[string]plan.Object{}, Groups: map[string]plan.Object{}, Users: map[string]plan.Object{},
		Certificates: map[string]plan.EndpointCertificate{}, APIs: map[plan.APIName]plan.API{}, Agreed: map[plan.APIName]plan.Agreed{}, Applications: map[string]plan.Application{},
	}
}

func (r *collector) allKeyManagers(ctx context.Context) error {
	list, err := r.Admin.KeyManagers(ctx)
	if err != nil {
		return err
	}
	for _, km := range list {
		if bootstrap.KeeperFirst(list, km.Name)[0].ID == km.ID {
			r.later(func(ctx context.Context) error {
				o, err := r.Admin.KeyManagerObject(ctx, km.ID)
				r.note(func(have *plan.Have) { have.KeyManagers[km.Name] = o.Fields })
				return about(fmt.Sprintf("key manager %q", km.Name), err)
			})
		}
	}
	return nil
}

func (r *collector) allAPIs(ctx context.Context) error {
	list, err := r.Publisher.APIs(ctx)
	if err != nil {
		return err
	}
	firsts := map[plan.APIName]wso2.API{}
	for _, api := range list {
		r.have.Versions = append(r.have.Versions, plan.APIVersion{ID: api.ID, Name: api.Name, Version: api.Version, Context: api.Context, State: api.LifeCycle})
		name := plan.APIName{Name: api.Name, Version: api.Version}
		if other, again := firsts[name]; !again || api.ID < other.ID {
			firsts[name] = api
		}
	}
	for _, api := range firsts {
		r.apis = append(r.apis, api)
	}
	return nil
}

// allApplications lists the applications of the agent's user, and reads those that are selected.
func (r *collector) allApplications(ctx context.Context) error {
	list, err := r.DevPortal.ApplicationObjects(ctx)
	if err != nil {
		return err
	}
	ids := map[string]string{}
	for _, app := range slices.DeleteFunc(list, isLease) {
		r.have.Names = append(r.have.Names, app.Name)
		if ids[app.Name] == "" || app.ID < ids[app.Name] {
			ids[app.Name] = app.ID
		}
	}
	for name, id := range ids {
		if !r.Whole() && !slices.Contains(r.Applications, name) {
			continue
		}
		want := desired.Application{ // with subscriptions and keys, so that both are read
			Name: text(name), Subscriptions: desired.List[desired.Subscription]{Set: true, Value: make([]desired.Field[desired.Subscription], 1)},
		}
		r.later(func(ctx context.Context) error { return r.readApplication(ctx, want, id) })
	}
	return nil
}

// allCertificates lists the endpoint certificates, and reads each.
func (r *collector) allCertificates(ctx context.Context) error {
	list, err := r.Publisher.EndpointCertificates(ctx)
	if err != nil {
		return err
	}
	for _, c := range list {
		r.later(func(ctx context.Context) error {
			der, err := r.Publisher.EndpointCertificate(ctx, c.Alias)
			r.note(func(have *plan.Have) {
				r.all.DER[c.Alias] = der
				have.Certificates[c.Alias] = plan.EndpointCertificate{Object: plan.Object{"alias": c.Alias, "endpoint": c.Endpoint}, Fingerprint: fingerprint(der)}
			})
			return about(fmt.Sprintf("endpoint certificate %q", c.Alias), err)
		})
	}
	return nil
}

// allOf returns a job that lists all objects of a kind of IS.
func (r *collector) allOf(kind wso2.SCIMKind, into map[string]plan.Object) job {
	return func(ctx context.Context) error {
		list, err := r.SCIM.List(ctx, kind)
		r.note(func(*plan.Have) {
			for _, o := range list {
				into[strings.TrimPrefix(o.Name, "PRIMARY/")] = o.Fields
			}
		})
		return err
	}
}

// selected returns the jobs that read the selected APIs.
func (r *collector) selected() (jobs []job) {
	subscribed := map[string]bool{}
	for _, app := range r.have.Applications {
		for id := range app.Subscriptions {
			subscribed[id] = true
		}
	}
	names := map[string]bool{} // all versions of a name count
	for _, api := range r.apis {
		if r.Whole() || slices.Contains(r.APIs, api.Name) || subscribed[api.ID] {
			names[api.Name] = true
		}
	}
	for _, api := range r.apis {
		switch {
		case !names[api.Name]:
		case !slices.Contains(r.Kinds, api.Type):
			r.all.Others = append(r.all.Others, api)
		default:
			jobs = append(jobs, func(ctx context.Context) error { return r.wholeAPI(ctx, api) })
		}
	}
	return jobs
}

// wholeAPI reads an API, where it is deployed, its documents, and a GraphQL schema.
func (r *collector) wholeAPI(ctx context.Context, listed wso2.API) error {
	name := plan.APIName{Name: listed.Name, Version: listed.Version}
	what := fmt.Sprintf("API %q %s", name.Name, name.Version)
	object, err := r.Publisher.APIObject(ctx, listed.ID)
	if err != nil {
		return about(what, err)
	}
	revisions, err := r.Publisher.Revisions(ctx, listed.ID)
	if err != nil {
		return about("the deployments of "+what, err)
	}
	api := plan.API{Object: object.Fields, Deployments: deployments(revisions...), Documents: map[string]plan.Document{}}
	if api.Revisions, err = r.revisions(ctx, desired.API{}, object.Fields, revisions); err != nil {
		return about("the deployed revision of "+what, err)
	}
	documents, err := r.Publisher.Documents(ctx, listed.ID)
	if err != nil {
		return about("the documents of "+what, err)
	}
	for _, d := range documents {
		document, err := r.wholeDocument(ctx, name, listed.ID, d)
		if err != nil {
			return about(fmt.Sprintf("document %q of %s", d.Name, what), err)
		}
		api.Documents[d.Name] = document
	}
	schema := ""
	if listed.Type == "GRAPHQL" {
		if schema, err = r.Publisher.GraphQLSchema(ctx, listed.ID); err != nil {
			return about("the schema of "+what, err)
		}
		api.Definition = []byte(schema)
	}
	r.note(func(have *plan.Have) {
		have.APIs[name] = api
		if schema != "" {
			r.all.Schemas[name] = schema
		}
	})
	return nil
}

// wholeDocument reads the content of a document. A file goes to File, and only its sum stays.
func (r *collector) wholeDocument(ctx context.Context, api plan.APIName, apiID string, d wso2.Object) (plan.Document, error) {
	document := plan.Document{Object: d.Fields}
	isFile := d.Fields["sourceType"] == "FILE"
	if d.Fields["sourceType"] == "URL" || isFile && r.File == nil {
		return document, nil
	}
	content, _, err := r.Publisher.ReadContent(ctx, apiID, d.ID)
	if err != nil {
		return document, err
	}
	document.Content = content
	if isFile {
		document.Content = ContentSum(content)
		return document, r.File(api, d.Fields, content)
	}
	return document, nil
}
