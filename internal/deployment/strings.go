package deployment

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"wso2agent/internal/remedy"
)

// shortString reads "…" or '…', on one line.
func (p *parser) shortString(quote byte) (string, error) {
	p.at++
	var out strings.Builder
	for {
		switch c := p.peek(); {
		case p.at == len(p.text) || c == '\n' || c == '\r':
			return "", p.refuse("a text in %c is not closed on its line", quote)
		case c == quote:
			p.at++
			return out.String(), nil
		case c == '\\' && quote == '"':
			if err := p.escape(&out); err != nil {
				return "", err
			}
		case isControl(c) && (c != '\t' || quote == '"'):
			return "", p.control(c)
		default:
			out.WriteByte(c)
			p.at++
		}
	}
}

// longString reads a text in three double or three single quotes, over any number of lines. The servers read line ends in it as LF,
// and ignore one right after the opening quotes.
func (p *parser) longString(quote byte) (string, error) {
	end := strings.Repeat(string(quote), 3)
	began := p.line
	p.at += len(end)
	p.newline()
	var out strings.Builder
	for {
		switch c := p.peek(); {
		case p.at == len(p.text):
			return "", &Error{began, "a text in " + end + " is not closed"}
		case strings.HasPrefix(p.text[p.at:], end):
			p.at += len(end)
			return out.String(), nil
		case p.newline():
			out.WriteByte('\n')
		case c == '\\' && quote == '"':
			if p.joinsLines() {
				continue
			}
			if err := p.escape(&out); err != nil {
				return "", err
			}
		case isControl(c) && (c != '\t' || quote == '"'):
			return "", p.control(c)
		default:
			out.WriteByte(c)
			p.at++
		}
	}
}

// joinsLines skips a backslash at the end of a line. In the servers' reader it does not join lines: the line end stays.
func (p *parser) joinsLines() bool {
	rest := strings.TrimLeft(p.text[p.at+1:], " \t")
	if !strings.HasPrefix(rest, "\n") && !strings.HasPrefix(rest, "\r\n") {
		return false
	}
	p.at = len(p.text) - len(rest)
	return true
}

// escape reads a backslash and the character that it stands for.
func (p *parser) escape(out *strings.Builder) error {
	rest := p.text[p.at+1:]
	if rest == "" {
		return p.refuse("a text ends with a backslash")
	}
	if plain := strings.IndexByte(`"\bfnrt`, rest[0]); plain >= 0 {
		out.WriteByte("\"\\\b\f\n\r\t"[plain])
		p.at += 2
		return nil
	}
	digits := map[byte]int{'u': 4, 'U': 8}[rest[0]]
	if digits == 0 {
		return remedy.Add(p.refuse("the server knows no \\%c in a text in double quotes", rest[0]),
			"write \\\\ for a backslash, or use single quotes")
	}
	if len(rest) > digits {
		n, err := strconv.ParseUint(rest[1:1+digits], 16, 32)
		if err == nil && utf8.ValidRune(rune(n)) {
			out.WriteRune(rune(n))
			p.at += 2 + digits
			return nil
		}
	}
	return p.refuse("\\%c is not followed by the %d hexadecimal digits of a character", rest[0], digits)
}

func isControl(c byte) bool { return c < 0x20 || c == 0x7F }

func (p *parser) control(c byte) error {
	switch c {
	case '\t':
		return remedy.Add(p.refuse(`a text in double quotes contains a tab, which the server refuses`), `write \t`)
	case '\r':
		return remedy.Add(p.refuse("a carriage return without a line feed ends no line for the server"), "save the file with LF or CRLF line ends")
	}
	return p.refuse("a text contains a control character (0x%02X)", c)
}
