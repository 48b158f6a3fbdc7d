package wso2sim

import (
	"fmt"
	"strings"

	"github.com/BurntSushi/toml"
)

// decodeTOML reads deployment.toml as the products' configuration mapper does. That one knows TOML 0.5 alone, refuses
// some of it, and dies of headers in an order that any other reader takes; the library used here knows TOML 1.1. So the
// library decides what is TOML at all, and a scan of the same text what of it the mapper stops at.
func decodeTOML(text string) (map[string]any, error) {
	if err := refuseBytes(text); err != nil {
		return nil, err
	}
	tree := map[string]any{}
	if _, err := toml.Decode(text, &tree); err != nil {
		return nil, err
	}
	s := &tomlScanner{text: text}
	if err := s.document(); err != nil {
		return nil, err
	}
	if len(s.unjoined) == 0 {
		return tree, nil
	}
	clear(tree)
	_, err := toml.Decode(s.withoutJoins(), &tree)
	return tree, err
}

// refuseBytes looks for what stops the mapper wherever it stands.
func refuseBytes(text string) error {
	if strings.HasPrefix(text, "\uFEFF") {
		return fmt.Errorf("line 1: the file begins with a byte-order mark, which the products' reader refuses; save it without")
	}
	for i := strings.IndexByte(text, '\r'); i >= 0; {
		if i+1 == len(text) || text[i+1] != '\n' {
			return fmt.Errorf("line %d: a carriage return without a line feed ends no line; save the file with LF or CRLF", lineOf(text, i))
		}
		next := strings.IndexByte(text[i+1:], '\r')
		if next < 0 {
			break
		}
		i += 1 + next
	}
	return nil
}

func lineOf(text string, at int) int { return 1 + strings.Count(text[:at], "\n") }

// tomlScanner walks over a text that is TOML.
type tomlScanner struct {
	text     string
	at       int
	table    []string       // the one that keys go into
	under    map[string]int // tables and dotted keys so far, joined by tablePath, and their lines
	unjoined []int          // where a backslash ends a line inside """…"""
}

// refuse is an error at the place of the scan.
func (s *tomlScanner) refuse(format string, args ...any) error {
	return fmt.Errorf("line %d: %s", lineOf(s.text, min(s.at, len(s.text))), fmt.Sprintf(format, args...))
}

func (s *tomlScanner) peek() byte {
	if s.at < len(s.text) {
		return s.text[s.at]
	}
	return 0
}

// skip passes blanks, and with lines line ends and comments too; it says whether there was a line end.
func (s *tomlScanner) skip(lines bool) (ended bool) {
	for s.at < len(s.text) {
		switch c := s.text[s.at]; {
		case c == ' ' || c == '\t':
		case lines && (c == '\n' || c == '\r'):
			ended = true
		case lines && c == '#':
			for s.at < len(s.text) && s.text[s.at] != '\n' {
				s.at++
			}
			continue
		default:
			return ended
		}
		s.at++
	}
	return ended
}

func (s *tomlScanner) document() error {
	s.under = map[string]int{}
	for {
		s.skip(true)
		var err error
		switch {
		case s.at >= len(s.text):
			return nil
		case s.peek() == '[':
			err = s.header()
		default:
			err = s.keyValue(s.table, true)
		}
		if err != nil {
			return err
		}
	}
}

// tablePath joins the parts of a name by what cannot stand in one.
func tablePath(parts []string) string { return strings.Join(parts, "\x00") + "\x00" }

// header reads [a.b] or [[a.b]]. The mapper has no parse error for a header that comes after one of its sub-tables: it
// runs into a StackOverflowError when it flattens the tree.
func (s *tomlScanner) header() error {
	line := lineOf(s.text, s.at)
	many := strings.HasPrefix(s.text[s.at:], "[[")
	s.at++
	if many {
		s.at++
	}
	parts, err := s.key()
	if err != nil {
		return err
	}
	s.at++ // ]
	if many {
		s.at++
	}
	path := tablePath(parts)
	_, again := s.under[path]
	for below, since := range s.under {
		if !strings.HasPrefix(below, path) || below == path {
			continue
		}
		if many && again { // a further element begins, with sub-tables of its own
			delete(s.under, below)
			continue
		}
		return fmt.Errorf("line %d: [%s] stands after its sub-table %s of line %d, which is a StackOverflowError in the products; put it before that",
			line, strings.Join(parts, "."), strings.ReplaceAll(strings.TrimSuffix(below, "\x00"), "\x00", "."), since)
	}
	s.under[path], s.table = line, parts
	return nil
}

// keyValue reads one line of a table, or with top unset one pair of an inline table.
func (s *tomlScanner) keyValue(table []string, top bool) error {
	line := lineOf(s.text, s.at)
	parts, err := s.key()
	if err != nil {
		return err
	}
	if top && len(parts) > 1 {
		s.under[tablePath(append(table[:len(table):len(table)], parts...))] = line
	}
	s.at++ // =
	s.skip(false)
	_, err = s.value()
	return err
}

// key reads the parts of a dotted key and the blanks around them.
func (s *tomlScanner) key() ([]string, error) {
	var parts []string
	for {
		s.skip(false)
		part, err := s.keyPart()
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
		s.skip(false)
		if s.peek() != '.' {
			return parts, nil
		}
		s.at++
	}
}

func (s *tomlScanner) keyPart() (string, error) {
	from := s.at
	if quote := s.peek(); quote == '"' || quote == '\'' {
		for s.at++; s.peek() != quote; s.at++ {
			if s.peek() == '\\' && quote == '"' {
				s.at++
			}
		}
		s.at++
		name := s.text[from+1 : s.at-1]
		if strings.ContainsAny(name, `"'`) {
			return "", s.refuse("the quoted key %s has a quote in it, which the products' reader refuses", s.text[from:s.at])
		}
		return name, nil
	}
	for s.at < len(s.text) && !strings.ContainsRune(" \t.=]", rune(s.text[s.at])) {
		if s.text[s.at] >= 0x80 {
			return "", s.refuse("a bare key has a character beyond ASCII; quote it")
		}
		s.at++
	}
	return s.text[from:s.at], nil
}
