package desired

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"wso2agent/internal/suggest"
)

// The rules that concern more than one field. They refuse what the servers refuse, and what the servers accept but drop or change
// without a word. They leave out what follows from a mistake that the reader has reported.

// check holds the merged files against the rules.
func (f *File) check(ps *Problems) {
	if f.APIs.Null && !f.APIs.Wrong {
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

// repeated takes texts that stand twice out of a list, of which the servers keep one. It reports addresses that stand twice: the
// gateway would call that backend more often than the others.
func repeated(v reflect.Value, ps *Problems) {
	for _, c := range columns(v.Type()) {
		field := v.FieldByIndex(c.index).FieldByName("Value")
		switch {
		case field.Type() == reflect.TypeFor[[]Text]():
			texts := field.Addr().Interface().(*[]Text)
			firsts := make(map[string]Place, len(*texts))
			*texts = slices.DeleteFunc(*texts, func(t Text) bool {
				at, again := firsts[t.Value]
				if again && c.form == "backend" {
					ps.Add(t.At, "remove it", "%s %q stands twice, first %s", c.item, t.Shown(), seen(at, t.At))
				}
				if !again && t.Value != "" {
					firsts[t.Value] = t.At
				}
				return again && c.form != "backend"
			})
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
	for i := range f.APIs.Value {
		at, a := f.APIs.Value[i].At, &f.APIs.Value[i].Value
		key := a.Name.Value + "\x00" + a.Version.Value
		if a.Name.Value == "" {
			key = ""
		}
		all = append(all, entry{key, fmt.Sprintf("API %q %s", a.Name.Shown(), a.Version.Shown()), at, a})
		for i := range a.Certificates.Value {
			c := &a.Certificates.Value[i]
			certificates = append(certificates, entry{c.Value.Alias.Value, fmt.Sprintf("the endpoint certificate %q", c.Value.Alias.Shown()), c.At, &c.Value})
		}
		if a.DefaultVersion.Value {
			if at, again := defaults[a.Name.Value]; again {
				ps.Add(a.DefaultVersion.At, "keep one of them", "API %q has another default version %s", a.Name.Shown(), seen(at, a.DefaultVersion.At))
			}
			defaults[a.Name.Value] = a.DefaultVersion.At
		}
		if f.APIs.Value[i].Set {
			a.check(at, f.words, ps)
		}
	}
	twice(all, f.words, ps)
	twice(certificates, f.words, ps)
	f.checkClashes(ps)
}

// checkClashes reports APIs that cannot be on a server because of another one. It compares each with the first one of its name, of its
// name in any letter case, of its context and of its path.
func (f *File) checkClashes(ps *Problems) {
	versions, indexes := map[string]bool{}, [4]map[string]*Field[API]{{}, {}, {}, {}}
	for i := range f.APIs.Value {
		one := &f.APIs.Value[i]
		a := &one.Value
		version := a.Name.Value + "\x00" + a.Version.Value
		if a.Name.Value == "" || versions[version] {
			continue // reported
		}
		versions[version] = true
		keys := []string{a.Name.Value, folded(a.Name.Value)}
		if a.Context.Value != "" {
			keys = append(keys, a.Context.Value, a.Path())
		}
		reported := false
		for k, key := range keys {
			if other, known := indexes[k][key]; !known {
				indexes[k][key] = one
			} else if !reported {
				reported = clash(one, other, ps)
			}
		}
	}
}

// folded returns one spelling for all texts that differ only in letter case, as strings.EqualFold compares them.
func folded(s string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return least
	}, s)
}

// clash reports whether an API cannot be on a server because of another one.
func clash(one, other *Field[API], ps *Problems) bool {
	a, b, where := &one.Value, &other.Value, seen(other.At, one.At)
	switch same := a.Name.Value == b.Name.Value; {
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
	var shared []entry
	names := map[string]Text{} // of the API that has the scope as a local one; the zero Text for a shared one
	add := func(s *Field[Scope], api Text) entry {
		name, shown := s.Value.Name.Value, s.Value.Name.Shown()
		e := entry{name, fmt.Sprintf("scope %q", shown), s.At, &s.Value}
		was, known := names[name]
		switch {
		case name == "", s.Value.Local.Wrong:
			return e
		case known && (was.Value == "") != (api.Value == ""):
			ps.Add(s.At, "give them different names", "scope %q is local in one place and shared in another", shown)
		case known && was.Value != api.Value:
			ps.Add(s.At, "make the scope shared", "scope %q is local in two APIs, %s and %s", shown, was.Shown(), api.Shown())
		case s.Value.Roles.Set || s.Value.Description.Set || s.Value.DisplayName.Set:
			if api.Value == "" {
				shared = append(shared, e)
			}
		}
		names[name] = api
		return e
	}
	for i := range f.Scopes.Value {
		s := &f.Scopes.Value[i]
		if s.Value.Local.Value {
			ps.Add(s.Value.Local.At, "move the scope into an API", "scope %q is local, and in no API", s.Value.Name.Shown())
			continue
		}
		add(s, Text{})
	}
	for i := range f.APIs.Value {
		a := &f.APIs.Value[i].Value
		var all []entry
		for j := range a.Scopes.Value {
			s, api := &a.Scopes.Value[j], Text{}
			if s.Value.Local.Value {
				api = a.Name
			}
			all = append(all, add(s, api))
		}
		twice(all, f.words, ps)
	}
	again(shared, func(e, first entry) {
		if here, there, differs := differ(e.value, first.value); differs {
			ps.Add(e.at, "write it once", "%s has different contents %s: %s", e.title, seen(first.at, e.at), f.words.where(here, there))
		}
	})
	f.checkUse(ps)
}

// checkUse reports operations whose scopes neither their API nor the shared scopes declare. API-M would drop them from the operation.
func (f *File) checkUse(ps *Problems) {
	if f.partial {
		return // the other file may declare them
	}
	shared, left := map[string]bool{}, mostGuesses
	for _, s := range f.Scopes.Value {
		shared[s.Value.Name.Value] = true
	}
	for i := range f.APIs.Value {
		a := &f.APIs.Value[i].Value
		declared := map[string]bool{}
		for _, s := range a.Scopes.Value {
			declared[s.Value.Name.Value] = true
		}
		for _, op := range a.Operations.Value {
			for _, s := range op.Value.Scopes.Value {
				if s.Value == "" || declared[s.Value] || shared[s.Value] || declared[""] || shared[""] { // "": one whose name is reported
					continue
				}
				hint := "add it to scopes of the API"
				if near := left.nearest(s.Shown(), shownScopes(a.Scopes, f.Scopes)); near != "" {
					hint = fmt.Sprintf("did you mean %q?", near)
				}
				ps.Add(s.At, hint, "scope %q is not declared, so API-M would drop it", s.Shown())
			}
		}
	}
}

// shownScopes returns the names of scopes as messages show them, when it is called.
func shownScopes(lists ...List[Scope]) func() []string {
	return func() (names []string) {
		for _, list := range lists {
			for _, s := range list.Value {
				names = append(names, s.Value.Name.Shown())
			}
		}
		return names
	}
}

// guesses is how many more mistakes get a suggestion. Each suggestion compares with all known names, so that a large file with the same
// mistake everywhere would take minutes without a bound.
type guesses int

const mostGuesses guesses = 20

// mostListed is how many names a hint lists.
const mostListed = 20

// nearest returns the known name that may be meant, or nothing.
func (g *guesses) nearest(name string, known func() []string) string {
	if *g == 0 {
		return ""
	}
	*g--
	return suggest.Nearest(name, known())
}
