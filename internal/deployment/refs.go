package deployment

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"wso2agent/internal/remedy"
)

var reference = regexp.MustCompile(`\$(ref|env|sys)\{([^}]*)\}`)

// Resolved is the text at a path, with every $ref{…} replaced by the setting that it names, as the server does; numbers
// and booleans as they are written. What the file does not set comes from defaults, the product's own, by Path. ok is
// false where neither has the setting.
//
// Errors are an *Error: a $ref that neither the file nor defaults know, or that leads to itself; a $env or $sys, whose
// value only the server knows.
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
				err = remedy.Add(&Error{v.Line, fmt.Sprintf("%s: %s names no setting of this file", path, whole)}, "set %s", m[2])
			}
		}
		if failed == nil {
			failed = err
		}
		return value
	})
	return out, true, failed
}

// Variables are the names of the environment variables that values refer to with $env{NAME}, each once, sorted.
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
