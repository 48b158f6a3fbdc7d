package plan

import (
	"bytes"
	"encoding/json"
	"slices"

	"wso2agent/internal/desired"
)

// Title returns what a change is about, such as "subscription to API Orders 1.0.0 (application Shop)", without characters that a terminal
// acts on.
func (c Change) Title() string { return escaped(title(c.Kind, c.Name, c.Of)) }

// Lines returns the fields that an update changes, each with both values: secrets are masked, and no line has a character that a
// terminal acts on.
func (c Change) Lines() (lines []string) {
	for _, d := range c.Fields {
		lines = append(lines, escaped(d.Path)+": "+values(d))
	}
	return lines
}

// Kinds returns the kinds of objects, in the order in which their objects are made.
func Kinds() []string { return slices.Clone(order) }

// At returns where the file names the object of a change. It is empty if no file does, as for a removal.
func (c Change) At() desired.Place {
	switch w := c.Want.(type) {
	case desired.KeyManager:
		return w.Name.At
	case desired.Scope:
		return w.Name.At
	case desired.EndpointCertificate:
		return w.Alias.At
	case desired.API:
		return w.Name.At
	case desired.Document:
		return w.Name.At
	case desired.User:
		return w.Username.At
	case desired.Users:
		return w.Name.At
	case desired.Role:
		return w.Name.At
	case desired.Application:
		return w.Name.At
	case WantedSubscription:
		return w.Want.APIName.At
	case desired.Key:
		return w.Type.At
	}
	return desired.Place{}
}

// Escaped returns a text of a server or a file without characters that a terminal acts on.
func Escaped(text string) string { return escaped(text) }

// EncodeJSON returns a value for programs in one line, with characters that a terminal acts on escaped.
func EncodeJSON(value any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return nil, err
	}
	return EscapeControls(b.Bytes()), nil
}

// Problem is a [desired.Problem] in the output for programs, in the form of a mistake in the output of agent validate.
type Problem struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
}

// Problems returns problems for programs. The array is never null.
func Problems(problems desired.Problems) []Problem {
	all := []Problem{}
	for _, p := range problems {
		all = append(all, Problem{p.At.File, p.At.Line, p.At.Column, p.Message, p.Hint})
	}
	return all
}
