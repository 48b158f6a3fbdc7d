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

const inside = `://[^:/\s]*:(\S*)@|(?i:pass|password|pwd)=([^&;\s"']+)`

// secretComment matches a commented-out line that may contain a secret.
var secretComment = regexp.MustCompile(`(?im)^(\s*#[^=\n]*(?:pass|pwd|secret|salt|token|credential|hash|key)[^=\n]*=[ \t]*)[^\s].*$|^(\s*#[^=\n]*=[ \t]*).*(?:` + inside + `).*$`)

// comment matches every commented-out line.
var comment = regexp.MustCompile(`(?m)^\s*#[^=\n]*=[ \t]*([^\s].*)$`)

// secretsTable is the table whose values are all secrets: the servers replace "$secret{name}" by them.
const secretsTable = "secrets"

// notSecret matches values that refer to a secret or switch something, and reveal nothing.
var notSecret = regexp.MustCompile(`^(?:"\$(?:env|ref|secret|sys)\{[^"]*"|"\$\{[^"]*"|""|true|false|[0-9]+)$`)

// span is a part of the text that may be a secret.
type span struct {
	start, end int
	value      *Value // nil in a comment
	whole      bool   // every text in the value is a secret
}

// secrets returns the parts of the text that may be secrets.
func (d *Document) secrets() (spans []span) {
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
		case all, secretName.MatchString(key) && !notSecret.MatchString(text):
			spans = append(spans, span{v.start, v.end, v, true})
		case secretInside.MatchString(text), strings.HasPrefix(text, "[") && strings.Contains(text, "{"): // tables in an array
			spans = append(spans, span{v.start, v.end, v, false})
		}
	}
	var in []string // the table
	end := 0        // of the statement before
	comments := func(until int) {
		if len(in) > 0 && in[0] == secretsTable {
			for _, at := range comment.FindAllStringSubmatchIndex(d.text[end:until], -1) {
				spans = append(spans, span{end + at[2], end + at[3], nil, true})
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
	return spans
}

// Masked returns the text with mask applied to every value that may be a secret. In comments, ***** replaces it. A value is masked
// whole, even if only a part of it is a secret.
func (d *Document) Masked(mask func(value string) string) string {
	spans := d.secrets()
	sorting.By(spans, func(a, b span) int { return b.start - a.start })
	text := d.text
	for _, s := range spans {
		shown := "*****"
		if s.value != nil {
			shown = mask(text[s.start:s.end])
		}
		text = text[:s.start] + shown + text[s.end:]
	}
	return secretComment.ReplaceAllString(text, `${1}${2}*****`)
}

// Secrets returns the texts that may be secrets, as the servers read them.
func (d *Document) Secrets() (texts []string) {
	var collect func(data any, whole bool)
	collect = func(data any, whole bool) {
		switch data := data.(type) {
		case string:
			if whole {
				texts = append(texts, data)
			}
			for _, found := range secretInside.FindAllStringSubmatch(data, -1) {
				texts = append(texts, found[1]+found[2]) // one of them is empty
			}
		case []any:
			for _, v := range data {
				collect(v, whole)
			}
		case map[string]any:
			for key, v := range data {
				collect(v, whole || secretName.MatchString(key))
			}
		}
	}
	for _, s := range d.secrets() {
		if s.value != nil {
			collect(s.value.Data, s.whole)
		}
	}
	return texts
}
