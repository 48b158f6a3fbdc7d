package desired

import (
	"fmt"
	"slices"
	"strings"
)

// check reports what is wrong with an API by itself.
func (a *API) check(at Place, w words, ps *Problems) {
	kind := a.Type.Or("HTTP")
	title := "the API"
	if a.Name.Value != "" {
		title = fmt.Sprintf("the API %q", a.Name.Shown())
	}
	if a.OpenAPI.Set && a.Operations.Set {
		ps.Add(a.Operations.At, "keep one of them", "%s and openapi (%s) exclude each other: the operations come from openapi", w.of(a.Operations.At, "operations"), a.OpenAPI.At)
	}
	if a.CopyOf.Value != "" && a.CopyOf.Value == a.Version.Value {
		ps.Add(a.CopyOf.At, "name another version", "copy_of is the version itself")
	}
	if a.Policies.Null && !a.Policies.Wrong {
		ps.Add(a.Policies.At, "leave it out, or name a policy", "an API without policies needs no subscription: the gateway would let every valid token in")
	}
	if state := a.Lifecycle.Or("PUBLISHED"); state != "CREATED" && state != "PROTOTYPED" && state != "RETIRED" && !a.Lifecycle.Wrong && !a.hasBackend() {
		ps.Add(at, "", "%s has no backend_url", title)
	}
	a.checkRoles(ps)
	if !a.Type.Wrong {
		a.checkKind(kind, title, at, ps)
	}
	a.checkOperations(w, ps)
	a.checkDocuments(w, ps)
	a.checkProperties(w, ps)
	a.checkLimits(w, ps)
	var environments []entry
	for i := range a.Environments.Value {
		e := &a.Environments.Value[i]
		environments = append(environments, entry{e.Value.Name.Value, fmt.Sprintf("environment %q", e.Value.Name.Shown()), e.At, &e.Value})
	}
	twice(environments, w, ps)
}

// checkKind reports what an API of a kind does not have, and what it lacks.
func (a *API) checkKind(kind, title string, at Place, ps *Problems) {
	if a.OpenAPI.Set && kind != "HTTP" {
		ps.Add(a.OpenAPI.At, "remove it", "openapi is for APIs of type HTTP, and the type is %s", kind)
	}
	if a.Schema.Set && kind != "GRAPHQL" {
		ps.Add(a.Schema.At, "remove it", "schema is for APIs of type GRAPHQL, and the type is %s", kind)
	}
	if kind == "GRAPHQL" && a.Schema.Or("") == "" && !a.Schema.Wrong {
		ps.Add(at, "name the file with the GraphQL schema", "%s has no schema", title)
	}
	if kind == "WS" && a.Transports.Set {
		ps.Add(a.Transports.At, "remove it", "API-M drops the transports of an API of type WS")
	}
	verbs := verbsOf(kind)
	for _, item := range a.Operations.Value {
		op := item.Value
		if op.Verb.Value != "" && !slices.Contains(verbs, op.Verb.Value) {
			ps.Add(op.Verb.At, "write "+strings.Join(verbs, ", "), "an API of type %s has no verb %s", kind, op.Verb.Shown())
		}
		if kind == "HTTP" && op.Target.Value != "" && !strings.HasPrefix(op.Target.Value, "/") {
			ps.Add(op.Target.At, "", "target %q must begin with /: API-M keeps it as it is, and no call matches it", op.Target.Shown())
		}
	}
	if !a.Endpoints.Value.Type.Wrong {
		a.Endpoints.Value.check(kind, ps)
	}
}

// hasBackend reports whether an API has a backend, or its file sets one that is wrong.
func (a *API) hasBackend() bool {
	e := a.Endpoints.Value
	return e.Production.Set && !e.Production.Null || e.Sandbox.Set && !e.Sandbox.Null || e.Type.Value == "default" || a.Endpoints.Wrong
}

// checkRoles reports roles that API-M would drop, and openings without roles.
func (a *API) checkRoles(ps *Problems) {
	for _, c := range []struct {
		name  string
		level Text
		opens string // the level without roles
		names string
		roles Texts
	}{
		{"visibility", a.Visibility, "PUBLIC", "visible_roles", a.VisibleRoles},
		{"access_control", a.AccessControl, "NONE", "access_control_roles", a.AccessControlRoles},
	} {
		restricted := c.level.Value == "RESTRICTED"
		switch {
		case c.level.Wrong, c.roles.Wrong:
		case restricted && len(c.roles.Value) == 0:
			ps.Add(c.level.At, "add "+c.names, "%s is RESTRICTED, and there are no roles", c.name)
		case !restricted && len(c.roles.Value) > 0:
			ps.Add(c.roles.At, "set "+c.name+" to RESTRICTED, or remove the roles", "%s has no effect while %s is %s", c.names, c.name, c.level.Or(c.opens))
		}
	}
}

// verbsOf returns the verbs of an API of a kind.
func verbsOf(kind string) []string {
	switch kind {
	case "GRAPHQL":
		return []string{"QUERY", "MUTATION", "SUBSCRIPTION"}
	case "WS":
		return []string{"SUBSCRIBE", "PUBLISH"}
	case "SSE":
		return []string{"SUBSCRIBE"}
	}
	return []string{"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"}
}

func (a *API) checkOperations(w words, ps *Problems) {
	var all []entry
	for i := range a.Operations.Value {
		item := &a.Operations.Value[i]
		op := &item.Value
		if op.Auth.Value == "None" && len(op.Scopes.Value) > 0 {
			ps.Add(op.Scopes.At, "remove them, or set auth", "the gateway asks for no token, so the scopes have no effect")
		}
		if op.Verb.Value == "" || op.Target.Value == "" {
			continue // reported
		}
		all = append(all, entry{op.Verb.Value + " " + op.Target.Value, fmt.Sprintf("operation %s %s", op.Verb.Shown(), op.Target.Shown()), item.At, op})
	}
	twice(all, w, ps)
}

func (a *API) checkDocuments(w words, ps *Problems) {
	var all []entry
	for i := range a.Documents.Value {
		item := &a.Documents.Value[i]
		d := &item.Value
		all = append(all, entry{d.Name.Value, fmt.Sprintf("document %q", d.Name.Shown()), item.At, d})
		sources := 0
		for _, s := range []Text{d.Content, d.URL, d.File} {
			if s.Set {
				sources++
			}
		}
		if sources != 1 {
			ps.Add(item.At, "", "the document %q needs one of content, url and file, and has %d of them", d.Name.Shown(), sources)
		}
		if d.Format.Set && !d.Content.Set {
			ps.Add(d.Format.At, "remove it", "format is for content")
		}
		if other := d.Type.Value == "OTHER"; other != (d.OtherType.Set && !d.OtherType.Null) && !d.Type.Wrong {
			ps.Add(item.At, "", "the document %q needs other_type if its type is OTHER, and only then", d.Name.Shown())
		}
	}
	twice(all, w, ps)
}

// Names of additional properties that API-M keeps for its search, and the agent's own mark.
var reserved = []string{"provider", "version", "context", "status", "description", "subcontext", "doc", "lcstate", "name", "tags", "wso2agent"}

func (a *API) checkProperties(w words, ps *Problems) {
	var all []entry
	for i := range a.AdditionalProperties.Value {
		p := &a.AdditionalProperties.Value[i]
		if slices.Contains(reserved, strings.ToLower(p.Value.Name.Value)) {
			ps.Add(p.Value.Name.At, "choose another name", "additional property %q is reserved", p.Value.Name.Shown())
		}
		all = append(all, entry{p.Value.Name.Value, fmt.Sprintf("additional property %q", p.Value.Name.Shown()), p.At, &p.Value})
	}
	twice(all, w, ps)
}

// checkLimits reports fields that have no effect without another one.
func (a *API) checkLimits(w words, ps *Problems) {
	if l := a.RateLimits.Value; l.Unit.Set && l.Production.Or(0) == 0 && l.Sandbox.Or(0) == 0 {
		ps.Add(l.Unit.At, "add production or sandbox", "unit has no effect without a number")
	}
	if c := a.ResponseCaching.Value; c.Timeout.Set && !c.Enabled.Value && !c.Enabled.Wrong {
		ps.Add(c.Timeout.At, "set enabled to true", "timeout has no effect while response_caching is not enabled")
	}
	c := a.CORS.Value
	for _, f := range []struct {
		name string
		set  bool
		at   Place
	}{
		{"allow_origins", c.Origins.Set, c.Origins.At}, {"allow_headers", c.Headers.Set, c.Headers.At},
		{"allow_methods", c.Methods.Set, c.Methods.At}, {"allow_credentials", c.Credentials.Set, c.Credentials.At},
	} {
		if f.set && !c.Enabled.Value && !c.Enabled.Wrong {
			ps.Add(f.at, "set enabled to true", "API-M drops %s while cors is not enabled", w.of(f.at, f.name))
		}
	}
}
