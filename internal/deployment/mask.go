package deployment

import (
	"regexp"
	"slices"
	"strings"

	"wso2agent/internal/sorting"
)

// secretName matches the names of settings whose values must not be shown.
var secretName = regexp.MustCompile(`(?i)pass|pwd|secret|salt|token|credential|^hash$|_key$|^key$`)

// secretInside matches values that contain a password: in front of the host of a URL, or as a parameter of one.
var secretInside = regexp.MustCompile(inside)

const inside = `://[^/\s]*:\S*@|(?i:pass|password|pwd)=`

// secretComment matches a commented-out line that may contain a secret.
var secretComment = regexp.MustCompile(`(?im)^(\s*#[^=\n]*(?:pass|pwd|secret|salt|token|credential|hash|key)[^=\n]*=[ \t]*)[^\s].*$|^(\s*#[^=\n]*=[ \t]*).*(?:` + inside + `).*$`)

// comment matches every commented-out line.
var comment = regexp.MustCompile(`(?m)^\s*#[^=\n]*=[ \t]*([^\s].*)$`)

// secretsTable is the table whose values are all secrets: the servers replace "$secret{name}" by them.
const secretsTable = "secrets"

// notSecret matches values that refer to a secret or switch something, and reveal nothing.
var notSecret = regexp.MustCompile(`^(?:"\$(?:env|ref|secret|sys)\{[^"]*"|"\$\{[^"]*"|""|true|false|[0-9]+)$`)

// Masked returns the text with mask applied to every value that may be a secret. In comments, ***** replaces it.
func (d *Document) Masked(mask func(value string) string) string {
	type span struct {
		start, end int
		comment    bool
	}
	var spans []span
	var walk func(key string, v *Value, all bool)
	walk = func(key string, v *Value, all bool) {
		text := d.Text(*v)
		switch {
		case v.inline != nil:
			for key, e := range v.inline.entries {
				if e.value != nil && e.value.start >= v.start && e.value.end <= v.end {
					walk(key, e.value, all)
				}
			}
		case all, secretName.MatchString(key) && !notSecret.MatchString(text), secretInside.MatchString(text),
			strings.HasPrefix(text, "[") && strings.Contains(text, "{"): // tables in an array: mask the whole value
			spans = append(spans, span{v.start, v.end, false})
		}
	}
	var in []string // the table
	end := 0        // of the statement before
	comments := func(until int) {
		if len(in) > 0 && in[0] == secretsTable {
			for _, at := range comment.FindAllStringSubmatchIndex(d.text[end:until], -1) {
				spans = append(spans, span{end + at[2], end + at[3], true})
			}
		}
	}
	for _, st := range d.statements {
		comments(st.start)
		end = st.end
		if st.kind == keyValue {
			walk(st.path[len(st.path)-1], st.value, slices.Concat(in, st.path)[0] == secretsTable)
		} else {
			in = st.path
		}
	}
	comments(len(d.text))
	sorting.By(spans, func(a, b span) int { return b.start - a.start })
	text := d.text
	for _, s := range spans {
		shown := "*****"
		if !s.comment {
			shown = mask(text[s.start:s.end])
		}
		text = text[:s.start] + shown + text[s.end:]
	}
	return secretComment.ReplaceAllString(text, `${1}${2}*****`)
}
