package deployment

import (
	"fmt"
	"strings"

	"wso2agent/internal/remedy"
)

// parser reads the text from start to end. Its rules and their oddities come from cava-toml's grammar (TomlLexer.g4,
// TomlParser.g4) unless a comment names another source.
type parser struct {
	text string
	at   int // offset of the next byte
	line int // of that byte, counted from 1

	statements []statement
	root       *table
	current    *table
}

// refuse returns an error at the current line.
func (p *parser) refuse(format string, args ...any) error {
	return &Error{p.line, fmt.Sprintf(format, args...)}
}

func (p *parser) document() error {
	p.root = newTable(false)
	p.current = p.root
	if strings.HasPrefix(p.text, "\xEF\xBB\xBF") {
		return remedy.Add(p.refuse("the file begins with a byte-order mark, which the server refuses"), "save it as UTF-8 without one")
	}
	for p.at < len(p.text) {
		start := p.at
		p.blanks()
		switch c := p.peek(); {
		case p.at == len(p.text):
			return nil
		case c == '\n' || c == '\r' || c == '#':
			if err := p.lineEnd(); err != nil {
				return err
			}
		default:
			if err := p.statement(start); err != nil {
				return err
			}
		}
	}
	return nil
}

// statement reads a header, or a key with its value, and the rest of the line.
func (p *parser) statement(start int) error {
	s := statement{start: start, line: p.line}
	var unclosed int
	var err error
	if p.peek() == '[' {
		err = p.header(&s)
	} else {
		unclosed, err = p.keyValue(&s)
	}
	if err != nil {
		return err
	}
	if err := p.lineEnd(); err != nil {
		return err
	}
	s.end = p.at
	p.statements = append(p.statements, s)
	return p.reopened(unclosed)
}

// reopened checks the lines after an array that is empty or has a comma after its last value. The servers' reader leaves
// such an array only at a line end: one such array needs one line end, and each further one inside it one more blank line.
func (p *parser) reopened(unclosed int) error {
	for ; unclosed > 1; unclosed-- {
		p.blanks()
		if c := p.peek(); unclosed == 2 && (c == '"' || c == '\'') {
			return nil // the reader takes a quoted key for the last value, which ends the array
		}
		if p.at < len(p.text) && p.peek() != '\n' && p.peek() != '\r' && p.peek() != '#' {
			return remedy.Add(p.refuse("the array before this line ends with empty arrays or with commas after last values, and the server's reader then does not see that it has ended"),
				"leave the commas out, or put %d blank lines behind it", unclosed-1)
		}
		if err := p.lineEnd(); err != nil {
			return err
		}
	}
	return nil
}

func (p *parser) header(s *statement) error {
	open, end := "[", "]"
	s.kind = tableHeader
	if strings.HasPrefix(p.text[p.at:], "[[") {
		open, end = "[[", "]]"
		s.kind = arrayHeader
	}
	p.at += len(open)
	var err error
	if s.path, err = p.key(); err != nil {
		return err
	}
	if !strings.HasPrefix(p.text[p.at:], end) {
		return p.refuse("the table's name %s%s does not end with %s", open, Path(s.path...), end)
	}
	p.at += len(end)
	if s.kind == arrayHeader {
		p.current, err = p.root.element(s.path, s.line)
	} else {
		p.current, err = p.root.define(s.path, s.line)
	}
	s.table = p.current
	return err
}

func (p *parser) keyValue(s *statement) (unclosed int, err error) {
	if s.path, err = p.key(); err != nil {
		return 0, err
	}
	if p.peek() != '=' {
		return 0, p.refuse("%s has no value: a setting is written name = value", Path(s.path...))
	}
	p.at++
	if s.value, unclosed, err = p.value(false); err != nil {
		return 0, err
	}
	return unclosed, p.current.set(s.path, s.value)
}

// key reads the parts of a key and the blanks around them.
func (p *parser) key() ([]string, error) {
	var path []string
	for {
		p.blanks()
		part, err := p.keyPart()
		if err != nil {
			return nil, err
		}
		path = append(path, part)
		p.blanks()
		if p.peek() != '.' {
			return path, nil
		}
		p.at++
	}
}

func (p *parser) keyPart() (string, error) {
	switch c := p.peek(); {
	case c == '"' || c == '\'':
		name, err := p.shortString(c)
		if err != nil {
			return "", err
		}
		if strings.ContainsAny(name, `"'`) {
			// The servers' configuration mapper joins keys without escaping and parses the result again.
			return "", remedy.Add(p.refuse("the key %q has a quote in it, which the server cannot read back", name), "choose another name")
		}
		return name, nil
	case bareKeyLen(p.text[p.at:]) > 0:
		n := bareKeyLen(p.text[p.at:])
		p.at += n
		return p.text[p.at-n : p.at], nil
	case c >= 0x80:
		return "", remedy.Add(p.refuse("a name has a character beyond ASCII"), "put it in quotes")
	case c == 0 || c == '\n' || c == '\r':
		return "", p.refuse("the line ends where a name is expected")
	}
	return "", p.refuse("%q stands where a name is expected; a setting is written name = value, a comment begins with #", p.peek())
}

// bareKeyLen returns how many bytes at the start of s may belong to a key without quotes.
func bareKeyLen(s string) int {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return i
		}
	}
	return len(s)
}

// peek returns the next byte, or 0 at the end of the text.
func (p *parser) peek() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

func (p *parser) blanks() {
	for p.peek() == ' ' || p.peek() == '\t' {
		p.at++
	}
}

// lineEnd reads blanks, a comment and the line end. It refuses anything else.
func (p *parser) lineEnd() error {
	p.blanks()
	if p.peek() == '#' {
		if n := strings.IndexByte(p.text[p.at:], '\n'); n >= 0 {
			p.at += n
		} else {
			p.at = len(p.text)
		}
	}
	switch {
	case p.at == len(p.text):
		return nil
	case p.newline():
		return nil
	case p.peek() == '\r':
		return remedy.Add(p.refuse("a carriage return without a line feed ends no line for the server"), "save the file with LF or CRLF line ends")
	}
	return p.refuse("%q follows the end of a setting or of a table's name; only a comment may follow on the same line", p.rest())
}

// newline skips LF or CRLF and reports whether there was one.
func (p *parser) newline() bool {
	switch {
	case p.peek() == '\n':
		p.at++
	case strings.HasPrefix(p.text[p.at:], "\r\n"):
		p.at += 2
	default:
		return false
	}
	p.line++
	return true
}

// rest returns the next byte of the line, for errors. It is only one byte, because it may be part of a password.
func (p *parser) rest() string { return p.text[p.at : p.at+1] }
