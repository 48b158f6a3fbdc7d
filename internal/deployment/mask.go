package deployment

import (
	"regexp"
	"strings"

	"wso2agent/internal/sorting"
)

// secretName matches the names of settings whose values must not be shown.
var secretName = regexp.MustCompile(`(?i)pass|secret|token|credential|^hash$|_key$|^key$`)

// secretComment matches a commented-out line that may contain a secret.
var secretComment = regexp.MustCompile(`(?im)^(\s*#[^=\n]*(?:pass|secret|token|credential|hash|key)[^=\n]*=[ \t]*)[^\s].*$`)

// notSecret matches values that refer to a secret or switch something, and reveal nothing.
var notSecret = regexp.MustCompile(`^(?:"\$(?:env|ref|secret|sys)\{[^"]*"|"\$\{[^"]*"|""|true|false|[0-9]+)$`)

// Masked returns the text with mask applied to every value that may be a secret, also in comments.
func (d *Document) Masked(mask func(value string) string) string {
	type span struct{ start, end int }
	var spans []span
	var walk func(key string, v *Value)
	walk = func(key string, v *Value) {
		text := d.Text(*v)
		switch {
		case v.inline != nil:
			for key, e := range v.inline.entries {
				if e.value != nil && e.value.start >= v.start && e.value.end <= v.end {
					walk(key, e.value)
				}
			}
		case secretName.MatchString(key) && !notSecret.MatchString(text),
			strings.HasPrefix(text, "[") && strings.Contains(text, "{"): // tables in an array: mask the whole value
			spans = append(spans, span{v.start, v.end})
		}
	}
	for _, st := range d.statements {
		if st.kind == keyValue {
			walk(st.path[len(st.path)-1], st.value)
		}
	}
	sorting.By(spans, func(a, b span) int { return b.start - a.start })
	text := d.text
	for _, s := range spans {
		text = text[:s.start] + mask(text[s.start:s.end]) + text[s.end:]
	}
	return secretComment.ReplaceAllString(text, `${1}*****`)
}
