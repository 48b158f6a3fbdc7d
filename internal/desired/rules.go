package desired

import (
	"fmt"
	"slices"
	"strings"

	"wso2agent/internal/suggest"
)

// check holds the merged files against the rules that concern more than one field.
func (f *File) check(problems *Problems) {
	if f.APIs.Null {
		problems.Add(f.begin, "", "%s lists no API", f.section)
	}
	f.checkAPIs(problems)
	for _, app := range f.Applications.Value {
		f.checkSubscriptions(app.Value, problems)
	}
}

// seen words the place of something in a message about something else: the line alone if both are in one file.
func seen(at, from Place) string {
	if at.File == from.File {
		return fmt.Sprintf("on line %d", at.Line)
	}
	return "at " + at.String()
}

// checkAPIs reports APIs that cannot both be on a server.
func (f *File) checkAPIs(problems *Problems) {
	var all []entry
	for _, a := range f.APIs.Value {
		all = append(all, entry{a.Value.Name.Value + "\x00" + a.Value.Version.Value, fmt.Sprintf("API %q %s", a.Value.Name.Value, a.Value.Version.Value), a.At, a.Value})
		if a.Value.Name.Value == "" {
			all[len(all)-1].key = ""
		}
	}
	twice(all, problems)
	for i, one := range f.APIs.Value {
		for _, other := range f.APIs.Value[:i] {
			a, b, where := one.Value, other.Value, seen(other.At, one.At)
			if a.Name.Value == "" || b.Name.Value == "" {
				continue
			}
			switch same := a.Name.Value == b.Name.Value; {
			case same && a.Version.Value == b.Version.Value:
			case !same && strings.EqualFold(a.Name.Value, b.Name.Value):
				problems.Add(one.At, "", "API %q differs only in letter case from %q %s, which API-M refuses", a.Name.Value, b.Name.Value, where)
			case same && a.Context.Value != b.Context.Value:
				problems.Add(one.At, "", "API %q has the context %s here and %s %s: all versions of an API share one", a.Name.Value, a.Context.Value, b.Context.Value, where)
			case !same && a.Context.Value != "" && a.Context.Value == b.Context.Value:
				problems.Add(one.At, "", "API %q has the context %s, which API %q %s has", a.Name.Value, a.Context.Value, b.Name.Value, where)
			default:
				continue
			}
			break
		}
	}
}

// checkSubscriptions reports subscriptions to APIs that no file lists, and second subscriptions to an API.
func (f *File) checkSubscriptions(app Application, problems *Problems) {
	var names []string
	for _, a := range f.APIs.Value {
		names = append(names, a.Value.Name.Value)
	}
	first := map[string]Place{}
	for _, s := range app.Subscriptions.Value {
		name := s.Value.APIName.Value
		if name == "" {
			continue
		}
		if at, again := first[name]; again {
			problems.Add(s.At, "", "the subscription to %q appears twice, first %s", name, seen(at, s.At))
			continue
		}
		first[name] = s.At
		if hint, known := suggest.Hint(name, names), slices.Contains(names, name); !known {
			problems.Add(s.At, strings.TrimPrefix(hint, ": "), "the subscription is to %q, which %s does not list", name, f.section)
		}
	}
}
