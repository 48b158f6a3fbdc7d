package plan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"

	"wso2agent/internal/desired"
)

// Text returns changes for people: a line for each object, below it a line for each field and each effect, and a summary at the end.
// problems is the number of problems, for the summary. A line names the owned objects that stay although the file does not name them.
// No line has a secret or a character that a terminal acts on.
func Text(changes []Change, problems int, kept ...OwnedObject) string {
	var b strings.Builder
	for _, c := range changes {
		fmt.Fprintf(&b, "%s %s\n", signs[c.Action], c.Title())
		for _, line := range c.Lines() {
			fmt.Fprintf(&b, "    %s\n", line)
		}
		for _, e := range c.Effects {
			fmt.Fprintf(&b, "    effect: %s\n", escaped(e))
		}
	}
	b.WriteString(KeptText(kept))
	if count(changes, Delete) > 0 {
		b.WriteString("removals: all that the agent has made and that these files do not name, also what it made of other files\n")
	}
	parts := []string{fmt.Sprintf("%d to create", count(changes, Create)), fmt.Sprintf("%d to change", count(changes, Update))}
	if n := count(changes, Delete); n > 0 {
		parts = append(parts, fmt.Sprintf("%d to delete", n))
	}
	if n := count(changes, Unsure); n > 0 {
		parts = append(parts, fmt.Sprintf("%d that may exist", n))
	}
	if problems > 0 {
		parts = append(parts, fmt.Sprintf("%d for a person to solve", problems))
	}
	if len(changes) == 0 && problems == 0 {
		parts = []string{"no differences"}
	}
	fmt.Fprintf(&b, "plan: %s\n", strings.Join(parts, ", "))
	return b.String()
}

var signs = map[Action]string{Create: "+", Update: "~", Delete: "-", Unsure: "?"}

func title(kind, name, of string) string {
	if of == "" {
		return kind + " " + name
	}
	return kind + " " + name + " (" + of + ")"
}

func count(changes []Change, action Action) (n int) {
	for _, c := range changes {
		if c.Action == action {
			n++
		}
	}
	return n
}

// values returns both values of a field.
func values(d Difference) string {
	if d.Secret {
		return mask + " -> " + source(d)
	}
	have, want := d.Have, d.Want
	was, isMap := asMap(have)
	now, areMaps := asMap(want)
	if isMap && areMaps {
		have, want = unlike(was, now)
	}
	from, to := compact(have, "(none)"), compact(want, "(default)")
	if from == to {
		to += " (they differ in a part that this line leaves out)"
	}
	return from + " -> " + to
}

const mask = "*****"

// fromElsewhere is what a secret says of itself: the variables and files that it comes from.
var fromElsewhere = regexp.MustCompile(`^(\$\{[^{}]+\})+$`)

// source returns where a secret comes from, or a mask. It never returns a value.
func source(d Difference) string {
	if from, is := d.Want.(string); is && fromElsewhere.MatchString(from) {
		return escaped(from)
	}
	return mask
}

// compact returns a value in one line. absent stands for none.
func compact(value any, absent string) string {
	switch v := value.(type) {
	case nil:
		return absent
	case string:
		return strconv.Quote(desired.Shown(v))
	case int:
		return strconv.Itoa(v)
	case []string:
		return list(v, absent)
	case []any:
		return list(v, absent)
	}
	if m, is := asMap(value); is {
		var entries []string
		for _, name := range sortedKeys(m) {
			shown := name
			if !plain.MatchString(name) {
				shown = strconv.Quote(name)
			}
			entries = append(entries, shown+": "+compact(m[name], absent))
		}
		return "{" + strings.Join(entries, ", ") + "}"
	}
	if text := textOf(value); text != "" {
		return text
	}
	return strconv.Quote(desired.Shown(fmt.Sprint(value)))
}

// plain is a name that needs no quotes.
var plain = regexp.MustCompile(`^[A-Za-z0-9_]+$`)

func list[T any](values []T, absent string) string {
	var all []string
	for _, v := range values {
		all = append(all, compact(v, absent))
	}
	return "[" + strings.Join(all, ", ") + "]"
}

// asMap returns a value as a map of any values, and reports whether it is a map.
func asMap(value any) (map[string]any, bool) {
	switch v := value.(type) {
	case map[string]any:
		return v, true
	case Object:
		return v, true
	case map[string]string:
		m := map[string]any{}
		for name, text := range v {
			m[name] = text
		}
		return m, true
	}
	return nil, false
}

// unlike returns two maps without the entries that are equal in both, also in maps inside them.
func unlike(have, want map[string]any) (map[string]any, map[string]any) {
	has, wants := apart(have, want)
	for name := range has {
		was, isMap := asMap(has[name])
		now, areMaps := asMap(wants[name])
		if isMap && areMaps {
			has[name], wants[name] = unlike(was, now)
		}
	}
	return has, wants
}

// escaped returns a text of a server or a file in which no character steers a terminal.
func escaped(text string) string {
	var b strings.Builder
	for _, r := range text {
		if strconv.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
	}
	return b.String()
}

// jsonChange is a change in the output for programs.
type jsonChange struct {
	Action  Action      `json:"action"`
	Kind    string      `json:"kind"`
	Name    string      `json:"name"`
	Of      string      `json:"of"`
	Fields  []jsonField `json:"fields"`
	Effects []string    `json:"effects"`
}

// OwnedName is an owned object that stays although the file does not name it, in the output for programs.
type OwnedName struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
	Of   string `json:"of"`
}

// KeptNames returns the owned objects that stay, for programs. The array is never null.
func KeptNames(kept []OwnedObject) []OwnedName {
	all := []OwnedName{}
	for _, o := range kept {
		all = append(all, OwnedName{o.Kind, o.Name, o.Of})
	}
	return all
}

// KeptText returns a line that names the owned objects that stay; "" if there are none.
func KeptText(kept []OwnedObject) string {
	var all []string
	for _, o := range kept {
		all = append(all, title(o.Kind, o.Name, o.Of))
	}
	if len(all) == 0 {
		return ""
	}
	return "not in the file, and kept: " + escaped(strings.Join(all, ", ")) + "\n"
}

// jsonProblem is what a person must change. It has the form of a mistake in the output of agent validate.
type jsonProblem struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
}

type jsonField struct {
	Path string `json:"path"`
	Have any    `json:"have"`
	Want any    `json:"want"`
}

// JSON returns changes and problems for programs, with secrets masked. run is the correlation id of the run that has found them, or empty.
// An array is never null. A value is null if there is none. Characters that a terminal acts on are escaped, as JSON allows for every
// character.
func JSON(run string, changes []Change, problems desired.Problems, kept ...OwnedObject) ([]byte, error) {
	bad := []jsonProblem{}
	for _, p := range problems {
		bad = append(bad, jsonProblem{p.At.File, p.At.Line, p.At.Column, p.Message, p.Hint})
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(struct {
		Run      string        `json:"run,omitempty"`
		Changes  []jsonChange  `json:"changes"`
		Create   int           `json:"create"`
		Update   int           `json:"update"`
		Delete   int           `json:"delete"`
		Unsure   int           `json:"unsure,omitempty"`
		Kept     []OwnedName   `json:"kept"`
		Problems []jsonProblem `json:"problems"`
	}{run, forPrograms(changes), count(changes, Create), count(changes, Update), count(changes, Delete), count(changes, Unsure), KeptNames(kept), bad}); err != nil {
		return nil, fmt.Errorf("encode the plan: %w", err)
	}
	return EscapeControls(b.Bytes()), nil
}

// forPrograms returns changes in the form of their JSON, with secrets masked. An array is never nil.
func forPrograms(changes []Change) []jsonChange {
	all := []jsonChange{}
	for _, c := range changes {
		made := jsonChange{c.Action, c.Kind, c.Name, c.Of, []jsonField{}, append([]string{}, c.Effects...)}
		for _, d := range c.Fields {
			field := jsonField{d.Path, complete(d.Have), complete(d.Want)}
			if d.Secret {
				field.Have, field.Want = mask, source(d)
			}
			made.Fields = append(made.Fields, field)
		}
		all = append(all, made)
	}
	return all
}

// complete returns a value with empty lists in place of nil ones, and without passwords in addresses.
func complete(value any) any {
	switch v := value.(type) {
	case string:
		return desired.Hidden(v)
	case []string:
		texts := make([]any, len(v))
		for i := range v {
			texts[i] = desired.Hidden(v[i])
		}
		return texts
	case []any:
		values := make([]any, len(v))
		for i := range v {
			values[i] = complete(v[i])
		}
		return values
	}
	m, is := asMap(value)
	if !is {
		return value
	}
	whole := map[string]any{}
	for name, v := range m {
		whole[name] = complete(v)
	}
	return whole
}

// EscapeControls escapes characters in JSON that do not print and that the encoder leaves as they are, such as the C1 controls.
func EscapeControls(text []byte) []byte {
	var b bytes.Buffer
	for _, r := range string(text) {
		switch {
		case strconv.IsPrint(r), r == '\n':
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.Bytes()
}
