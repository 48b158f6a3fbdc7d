package plan

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"wso2agent/internal/desired"
)

// ReadGraphQL reads a GraphQL schema as far as it takes to find its operations: the fields of its root types, also of their extensions.
// It returns the first mistake. API-M itself checks the types of fields and arguments.
func ReadGraphQL(text []byte) (Definition, []Mistake) {
	s := &graphQL{text: string(text), line: 1, column: 1, types: map[string][]string{}, roots: map[string]string{}}
	if !utf8.Valid(text) {
		return Definition{}, []Mistake{{Text: "it is no UTF-8 text", Hint: "name a file with a GraphQL schema"}}
	}
	s.next()
	for s.mistake == nil && s.token.text != "" {
		s.definition()
	}
	if s.mistake != nil {
		return Definition{}, []Mistake{*s.mistake}
	}
	d := Definition{Text: text}
	for _, verb := range []string{"QUERY", "MUTATION", "SUBSCRIPTION"} {
		for _, field := range s.types[s.root(verb)] {
			d.Operations = append(d.Operations, desired.Operation{Target: given(field), Verb: given(verb)})
		}
	}
	if len(s.types[s.root("QUERY")]) == 0 {
		return Definition{}, []Mistake{{Line: 1, Column: 1, Text: "it has no query", Hint: "add the type Query with a field: API-M refuses a schema without one"}}
	}
	return d, nil
}

// graphQL is a schema while it is read, up to its first mistake (https://spec.graphql.org/October2021/#sec-Type-System).
type graphQL struct {
	text         string // what is still to be read
	line, column int
	token        token               // the one that is looked at
	types        map[string][]string // the fields of object types
	roots        map[string]string   // type names by verb, as the schema names them
	mistake      *Mistake
}

// token is a name, a number, a string, or a character; empty at the end.
type token struct {
	text         string
	line, column int
}

func (t token) isName() bool {
	return t.text != "" && isNameByte(t.text[0]) && (t.text[0] < '0' || t.text[0] > '9')
}

func (t token) isString() bool { return strings.HasPrefix(t.text, `"`) }

// root returns the type whose fields are the operations of a verb.
func (s *graphQL) root(verb string) string {
	if len(s.roots) > 0 {
		return s.roots[verb]
	}
	return verb[:1] + strings.ToLower(verb[1:])
}

// fail notes the first mistake, and ends the reading.
func (s *graphQL) fail(format string, args ...any) {
	if s.mistake == nil {
		s.mistake = &Mistake{Line: s.token.line, Column: s.token.column, Text: fmt.Sprintf(format, args...), Hint: "correct the schema"}
	}
	s.text, s.token = "", token{}
}

// next goes to the next token. It leaves out spaces, commas and comments.
func (s *graphQL) next() {
	for s.text != "" {
		switch c := s.text[0]; {
		case strings.IndexByte(" \t\r\n,", c) >= 0:
			s.skip(1)
		case strings.HasPrefix(s.text, "\ufeff"):
			s.skip(3)
		case c == '#':
			end := strings.IndexAny(s.text, "\r\n")
			if end < 0 {
				end = len(s.text)
			}
			s.skip(end)
		default:
			s.token = token{line: s.line, column: s.column}
			size := s.size()
			if s.mistake == nil {
				s.token.text = s.text[:size]
				s.skip(size)
			}
			return
		}
	}
	s.token = token{line: s.line, column: s.column}
}

// size returns how many bytes the token at the beginning of the text has.
func (s *graphQL) size() int {
	switch {
	case strings.HasPrefix(s.text, `"""`):
		for i := 3; i < len(s.text); i++ {
			switch {
			case strings.HasPrefix(s.text[i:], `\"""`):
				i += 3
			case strings.HasPrefix(s.text[i:], `"""`):
				return i + 3
			}
		}
	case s.text[0] == '"':
		for i := 1; i < len(s.text) && s.text[i] != '\n'; i++ {
			switch s.text[i] {
			case '\\':
				i++
			case '"':
				return i + 1
			}
		}
	case isNameByte(s.text[0]), s.text[0] == '-':
		end := strings.IndexFunc(s.text[1:], func(r rune) bool { return r > 127 || !isNameByte(byte(r)) && r != '.' })
		if end < 0 {
			return len(s.text)
		}
		return end + 1
	case strings.IndexByte("!$&()[]{}:=@|.", s.text[0]) >= 0:
		return 1
	default:
		r, _ := utf8.DecodeRuneInString(s.text)
		s.fail("the character %q has no meaning here", r)
		return 0
	}
	s.fail("a string does not end")
	return 0
}

func isNameByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// skip goes over bytes of the text.
func (s *graphQL) skip(size int) {
	for _, r := range s.text[:size] {
		s.column++
		if r == '\n' {
			s.line, s.column = s.line+1, 1
		}
	}
	s.text = s.text[size:]
}

// take goes over a token, and reports whether it was there.
func (s *graphQL) take(text string) bool {
	if s.token.text != text || text == "" {
		return false
	}
	s.next()
	return true
}

// expect goes over a token that must be there.
func (s *graphQL) expect(text string) {
	if s.mistake == nil && !s.take(text) {
		s.fail("%q must stand here, not %s", text, s.found())
	}
}

// name goes over a name that must be there.
func (s *graphQL) name() string {
	t := s.token
	if !t.isName() {
		s.fail("a name must stand here, not %s", s.found())
		return ""
	}
	s.next()
	return t.text
}

func (s *graphQL) found() string {
	if s.token.text == "" {
		return "the end of the schema"
	}
	text, _, _ := strings.Cut(s.token.text, "\n")
	return fmt.Sprintf("%q", desired.Shown(text))
}

// definition reads a definition with its description.
func (s *graphQL) definition() {
	if s.token.isString() {
		s.next()
	}
	s.take("extend")
	switch kind := s.token.text; kind {
	case "schema":
		s.next()
		s.directives()
		if s.token.text == "{" {
			s.schema()
		}
	case "type", "interface":
		s.next()
		name := s.name()
		if s.take("implements") {
			s.list("&")
		}
		s.directives()
		if fields := s.fields(); kind == "type" {
			for _, field := range fields {
				if !slices.Contains(s.types[name], field) {
					s.types[name] = append(s.types[name], field)
				}
			}
		}
	case "input", "enum", "scalar", "union":
		s.next()
		s.name()
		s.directives()
		if s.take("=") {
			s.list("|")
		}
		s.group("{", "}")
	case "directive":
		s.next()
		s.expect("@")
		s.name()
		s.group("(", ")")
		s.take("repeatable")
		s.expect("on")
		s.list("|")
	default:
		s.fail("a definition such as type or schema must stand here, not %s", s.found())
	}
}

// list reads names with a character between them, which may also stand before the first one.
func (s *graphQL) list(between string) {
	s.take(between)
	s.name()
	for s.mistake == nil && (s.take(between) || between == "&" && s.token.isName()) {
		s.name()
	}
}

// schema reads which types are the roots.
func (s *graphQL) schema() {
	s.expect("{")
	for s.mistake == nil && !s.take("}") {
		verb := strings.ToUpper(s.name())
		s.expect(":")
		s.roots[verb] = s.name()
		s.directives()
	}
}

// directives goes over directives with their arguments.
func (s *graphQL) directives() {
	for s.mistake == nil && s.take("@") {
		s.name()
		s.group("(", ")")
	}
}

// fields reads the names of fields, if a list of fields stands here.
func (s *graphQL) fields() (names []string) {
	if !s.take("{") {
		return nil
	}
	for s.mistake == nil && !s.take("}") {
		if s.token.isString() {
			s.next()
		}
		names = append(names, s.name())
		s.group("(", ")")
		s.expect(":")
		for s.take("[") {
		}
		s.name()
		for s.take("]") || s.take("!") {
		}
		s.directives()
	}
	return names
}

// group goes over everything up to the bracket that ends the one here, if one stands here.
func (s *graphQL) group(begin, end string) {
	if !s.take(begin) {
		return
	}
	for depth := 1; depth > 0 && s.mistake == nil; {
		switch s.token.text {
		case "":
			s.fail("%q must stand here, not the end of the schema", end)
		case begin:
			depth++
			s.next()
		case end:
			depth--
			s.next()
		default:
			s.next()
		}
	}
}

// firstLine returns the first line in which a schema differs from the one that the server has. Line breaks at the end do not count.
func firstLine(have, want []byte) (at string, was, is any, differs bool) {
	if have == nil {
		return "the schema", nil, "as the file has it", true
	}
	h, w := linesOf(have), linesOf(want)
	for i := range max(len(h), len(w)) {
		line := fmt.Sprintf("line %d", i+1)
		switch {
		case i >= len(h):
			return line, nil, w[i], true
		case i >= len(w):
			return line, h[i], nil, true
		case h[i] != w[i]:
			return line, h[i], w[i], true
		}
	}
	return "", nil, nil, false
}

func linesOf(text []byte) []string {
	return strings.Split(strings.TrimRight(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n"), "\n")
}
