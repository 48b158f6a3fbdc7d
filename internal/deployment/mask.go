package deployment

import (
	"regexp"
	"slices"
	"strings"
)

// secretName is what the name of a setting has in it whose value is not to be shown.
var secretName = regexp.MustCompile(`(?i)pass|secret|token|credential|^hash$|_key$|^key$`)

// secretComment is a line that has been commented out and may hold a secret.
var secretComment = regexp.MustCompile(`(?im)^(\s*#[^=\n]*(?:pass|secret|token|credential|hash|key)[^=\n]*=[ \t]*)[^\s].*$`)

// notSecret are values that name a secret or switch something, and tell nothing.
var notSecret = regexp.MustCompile(`^(?:"\$(?:env|ref|secret|sys)\{[^"]*"|"\$\{[^"]*"|""|true|false|[0-9]+)$`)

// Masked is the text with every value that may be a secret replaced by what mask makes of it, also in comments.
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
			strings.HasPrefix(text, "[") && strings.Contains(text, "{"): // tables in an array: all or nothing
			spans = append(spans, span{v.start, v.end})
		}
	}
	for _, st := range d.statements {
		if st.kind == keyValue {
			walk(st.path[len(st.path)-1], st.value)
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return b.start - a.start })
	text := d.text
	for _, s := range spans {
		text = text[:s.start] + mask(text[s.start:s.end]) + text[s.end:]
	}
	return secretComment.ReplaceAllString(text, `${1}*****`)
}
