package deployment

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"wso2agent/internal/remedy"
)

var reference = regexp.MustCompile(`\$(ref|env|sys)\{([^}]*)\}`)

// Resolved returns the text at a path. It replaces every $ref{…} by the setting that it names, as the server does, and returns numbers
// and booleans as the file has them. defaults has the product's own values by Path, for settings that the file does not have. ok is
// false if neither has the setting.
//
// Errors are an *Error: a $ref to a setting that neither has, or that leads to itself, and a $env or $sys, whose value only the server
// knows.
func (d *Document) Resolved(defaults map[string]string, path ...string) (text string, ok bool, err error) {
	return d.resolve(defaults, Path(path...), nil)
}

func (d *Document) resolve(defaults map[string]string, path string, through []string) (string, bool, error) {
	v, ok := d.Get(strings.Split(path, ".")...)
	if !ok {
		v.Data, ok = defaults[path]
		if !ok {
			return "", false, nil
		}
	}
	text, isText := v.Data.(string)
	if !isText {
		return fmt.Sprint(v.Data), true, nil
	}
	through = append(through[:len(through):len(through)], path)
	var failed error
	out := reference.ReplaceAllStringFunc(text, func(whole string) string {
		m := reference.FindStringSubmatch(whole)
		value, err := "", error(nil)
		switch {
		case m[1] != "ref":
			err = &Error{v.Line, fmt.Sprintf("%s: the value of %s is known to the server alone", path, whole)}
		case slices.Contains(through, m[2]):
			err = &Error{v.Line, fmt.Sprintf("%s: %s leads back to itself, which stops the server at its start", path, whole)}
		default:
			var known bool
			if value, known, err = d.resolve(defaults, m[2], through); err == nil && !known {
				err = remedy.Add(&Error{v.Line, fmt.Sprintf("%s: the file has no setting for %s", path, whole)}, "set %s", m[2])
			}
		}
		if failed == nil {
			failed = err
		}
		return value
	})
	return out, true, failed
}

// Variables returns the names of the environment variables to which values refer with $env{NAME}, each once, sorted.
func (d *Document) Variables() []string {
	var names []string
	for _, st := range d.statements {
		if st.kind != keyValue {
			continue
		}
		for _, m := range reference.FindAllStringSubmatch(d.Text(*st.value), -1) {
			if m[1] == "env" {
				names = append(names, m[2])
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
