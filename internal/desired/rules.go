package desired

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"wso2agent/internal/suggest"
)

// The rules that concern more than one field. They refuse what the servers refuse, and what the servers accept but drop or change
// without a word.

// check holds the merged files against the rules.
func (f *File) check(ps *Problems) {
	if f.APIs.Null {
		ps.Add(f.begin, "", "%s lists no API", f.section)
	}
	repeated(reflect.ValueOf(f).Elem(), ps)
	f.checkAPIs(ps)
	f.checkScopes(ps)
	f.checkApplications(ps)
	f.checkKeyManagers(ps)
	f.checkIdentityServer(ps)
}

// seen words the place of something in a message about something else: the line alone if both are in one file.
func seen(at, from Place) string {
	if at.File == from.File {
		return fmt.Sprintf("on line %d", at.Line)
	}
	return "at " + at.String()
}

// repeated reports texts that stand twice in a list, of which the servers keep one.
func repeated(v reflect.Value, ps *Problems) {
	for _, c := range columns(v.Type()) {
		field := v.FieldByIndex(c.index).FieldByName("Value")
		switch {
		case field.Type() == reflect.TypeFor[[]Text]():
			texts := field.Interface().([]Text)
			for i, t := range texts {
				if first := slices.IndexFunc(texts[:i], func(u Text) bool { return u.Value == t.Value && t.Value != "" }); first >= 0 {
					ps.Add(t.At, "remove it", "%s %q stands twice, first %s", c.item, t.Shown(), seen(texts[first].At, t.At))
				}
			}
		case field.Kind() == reflect.Slice && field.Type().Elem() != reflect.TypeFor[Number]():
			for i := range field.Len() {
				repeated(field.Index(i).FieldByName("Value"), ps)
			}
		case field.Kind() == reflect.Struct && field.NumField() > 0 && field.Type() != reflect.TypeFor[Secret]():
			repeated(field, ps)
		}
	}
}

// checkAPIs reports APIs that are wrong by themselves, and those that cannot both be on a server.
func (f *File) checkAPIs(ps *Problems) {
	var all, certificates []entry
	defaults := map[string]Place{}
	for _, item := range f.APIs.Value {
		a := item.Value
		key := a.Name.Value + "\x00" + a.Version.Value
		if a.Name.Value == "" {
			key = ""
		}
		all = append(all, entry{key, fmt.Sprintf("API %q %s", a.Name.Shown(), a.Version.Shown()), item.At, a})
		for _, c := range a.Certificates.Value {
			certificates = append(certificates, entry{c.Value.Alias.Value, fmt.Sprintf("the endpoint certificate %q", c.Value.Alias.Shown()), c.At, c.Value})
		}
		if a.DefaultVersion.Value {
			if at, again := defaults[a.Name.Value]; again {
				ps.Add(a.DefaultVersion.At, "keep one of them", "API %q has another default version %s", a.Name.Shown(), seen(at, a.DefaultVersion.At))
			}
			defaults[a.Name.Value] = a.DefaultVersion.At
		}
		a.check(item.At, ps)
	}
	twice(all, ps)
	twice(certificates, ps)
	for i, one := range f.APIs.Value {
		for _, other := range f.APIs.Value[:i] {
			if clash(one, other, ps) {
				break
			}
		}
	}
}

// clash reports whether an API cannot be on a server because of another one, or has the same name and version.
func clash(one, other Field[API], ps *Problems) bool {
	a, b, where := one.Value, other.Value, seen(other.At, one.At)
	if a.Name.Value == "" || b.Name.Value == "" {
		return false
	}
	switch same := a.Name.Value == b.Name.Value; {
	case same && a.Version.Value == b.Version.Value: // reported
	case !same && strings.EqualFold(a.Name.Value, b.Name.Value):
		ps.Add(one.At, "", "API %q differs only in letter case from %q %s, which API-M refuses", a.Name.Shown(), b.Name.Shown(), where)
	case same && a.Context.Value != b.Context.Value:
		ps.Add(one.At, "", "API %q has the context %s here and %s %s: all versions of an API share one", a.Name.Shown(), a.Context.Shown(), b.Context.Shown(), where)
	case !same && a.Context.Value != "" && a.Context.Value == b.Context.Value:
		ps.Add(one.At, "", "API %q has the context %s, which API %q %s has", a.Name.Shown(), a.Context.Shown(), b.Name.Shown(), where)
	case !same && a.Context.Value != "" && a.Path() == b.Path():
		ps.Add(one.At, "", "API %q has the path %s at the gateway, which API %q %s has", a.Name.Shown(), pathOf(a.Context.Shown(), a.Version.Shown()), b.Name.Shown(), where)
	default:
		return false
	}
	return true
}

// Path returns the path at which the gateway serves the API. The version follows the context, unless the context has a place for it.
func (a API) Path() string { return pathOf(a.Context.Value, a.Version.Value) }

func pathOf(context, version string) string {
	if strings.Contains(context, "{version}") {
		return strings.ReplaceAll(context, "{version}", version)
	}
	return context + "/" + version
}

// checkScopes reports scopes of one name that the server would make one, and operations with scopes that nobody declares.
func (f *File) checkScopes(ps *Problems) {
	var shared, locals []entry
	names := map[string]Text{} // of the API that has the scope as a local one; the zero Text for a shared one
	add := func(s Field[Scope], api Text) {
		name, shown := s.Value.Name.Value, s.Value.Name.Shown()
		was, known := names[name]
		switch {
		case name == "":
		case known && (was.Value == "") != (api.Value == ""):
			ps.Add(s.At, "give them different names", "scope %q is local in one place and shared in another", shown)
		case known && was.Value != api.Value:
			ps.Add(s.At, "make the scope shared", "scope %q is local in two APIs, %s and %s", shown, was.Shown(), api.Shown())
		case s.Value.Roles.Set || s.Value.Description.Set || s.Value.DisplayName.Set:
			if api.Value == "" {
				shared = append(shared, entry{name, fmt.Sprintf("scope %q", shown), s.At, s.Value})
			}
		}
		names[name] = api
	}
	for _, s := range f.Scopes.Value {
		if s.Value.Local.Value {
			ps.Add(s.Value.Local.At, "move the scope into an API", "scope %q is local, and in no API", s.Value.Name.Shown())
			continue
		}
		add(s, Text{})
	}
	for _, a := range f.APIs.Value {
		locals = nil
		for _, s := range a.Value.Scopes.Value {
			api := Text{}
			if s.Value.Local.Value {
				api = a.Value.Name
			}
			add(s, api)
			locals = append(locals, entry{s.Value.Name.Value, fmt.Sprintf("scope %q", s.Value.Name.Shown()), s.At, s.Value})
		}
		twice(locals, ps)
	}
	different(shared, ps)
	f.checkUse(ps)
}

// different reports entries of one name with different contents.
func different(entries []entry, ps *Problems) {
	for i, e := range entries {
		first := slices.IndexFunc(entries[:i], func(f entry) bool { return f.key == e.key })
		if first < 0 {
			continue
		}
		if here, there, differs := differ(e.value, entries[first].value); differs {
			ps.Add(e.at, "write it once", "%s has different contents %s: %s", e.title, seen(entries[first].at, e.at), where(here, there))
		}
	}
}

// checkUse reports operations whose scopes neither their API nor the shared scopes declare. API-M would drop them from the operation.
func (f *File) checkUse(ps *Problems) {
	for _, a := range f.APIs.Value {
		var declared, shown []string
		for _, s := range slices.Concat(a.Value.Scopes.Value, f.Scopes.Value) {
			declared, shown = append(declared, s.Value.Name.Value), append(shown, s.Value.Name.Shown())
		}
		for _, op := range a.Value.Operations.Value {
			for _, s := range op.Value.Scopes.Value {
				if s.Value != "" && !slices.Contains(declared, s.Value) {
					hint := "add it to scopes of the API"
					if near := suggest.Nearest(s.Shown(), shown); near != "" {
						hint = fmt.Sprintf("did you mean %q?", near)
					}
					ps.Add(s.At, hint, "scope %q is not declared, so API-M would drop it", s.Shown())
				}
			}
		}
	}
}
