package wso2sim

import (
	"regexp"
	"strings"
)

// The types of values that the mapper tells apart inside an array.
const (
	tomlString  = "string"
	tomlInteger = "integer"
	tomlFloat   = "float"
	tomlBoolean = "boolean"
	tomlTime    = "date or time"
	tomlArray   = "array"
	tomlTable   = "inline table"
)

// value passes one value and says of which type it is.
func (s *tomlScanner) value() (kind string, err error) {
	rest := s.text[s.at:]
	switch {
	case strings.HasPrefix(rest, `"""`):
		return tomlString, s.multiLine()
	case strings.HasPrefix(rest, `'''`):
		s.at += 3 + strings.Index(rest[3:], `'''`) + 3
		for s.peek() == '\'' { // up to two quotes may stand before the closing three
			s.at++
		}
		return tomlString, nil
	case rest[0] == '"':
		return tomlString, s.basic()
	case rest[0] == '\'':
		s.at += 1 + strings.IndexByte(rest[1:], '\'') + 1
		return tomlString, nil
	case rest[0] == '[':
		return tomlArray, s.array()
	case rest[0] == '{':
		return tomlTable, s.inlineTable()
	}
	return s.bare(), nil
}

// basic passes "…".
func (s *tomlScanner) basic() error {
	for s.at++; s.peek() != '"'; s.at++ {
		switch s.peek() {
		case '\t':
			return s.refuse(`there is a tab inside "…", which the products' reader refuses; write \t`)
		case '\\':
			s.at++
			if err := s.escape(); err != nil {
				return err
			}
		}
	}
	s.at++
	return nil
}

// escape looks at the character behind a backslash.
func (s *tomlScanner) escape() error {
	if strings.IndexByte(`btnfr"\uU`, s.peek()) < 0 {
		return s.refuse(`the products' reader does not know the escape \%c`, s.peek())
	}
	return nil
}

// multiLine passes """…""", and notes where a backslash ends a line: it does not join lines in the products.
func (s *tomlScanner) multiLine() error {
	for s.at += 3; !strings.HasPrefix(s.text[s.at:], `"""`); s.at++ {
		if s.peek() != '\\' {
			continue
		}
		if strings.HasPrefix(strings.TrimLeft(s.text[s.at+1:], " \t\r"), "\n") {
			s.unjoined = append(s.unjoined, s.at)
			continue
		}
		s.at++
		if err := s.escape(); err != nil {
			return err
		}
	}
	s.at += 3
	for s.peek() == '"' { // up to two quotes may stand before the closing three
		s.at++
	}
	return nil
}

// withoutJoins is the text with each backslash at a line's end doubled: it stays, and so does the line end.
func (s *tomlScanner) withoutJoins() string {
	var out strings.Builder
	from := 0
	for _, at := range s.unjoined {
		out.WriteString(s.text[from:at] + `\`)
		from = at
	}
	out.WriteString(s.text[from:])
	return out.String()
}

// array passes […], whose values must be of one type and have their commas behind them, on the same line.
func (s *tomlScanner) array() error {
	s.at++
	first := ""
	for {
		s.skip(true)
		if s.peek() == ']' {
			s.at++
			return nil
		}
		kind, err := s.value()
		if err != nil {
			return err
		}
		if first == "" {
			first = kind
		}
		if kind != first {
			return s.refuse("an array has values of type %s and of type %s, which the products' reader refuses", first, kind)
		}
		ended := s.skip(true)
		if s.peek() == ',' {
			if ended {
				return s.refuse("a comma begins a line of an array, which the products' reader refuses; put it at the end of the line before")
			}
			s.at++
		}
	}
}

// inlineTable passes {…}, which must stand on one line and have no comma at its end.
func (s *tomlScanner) inlineTable() error {
	s.at++
	afterComma := false
	for {
		if s.skip(true) {
			return s.refuse("an inline table goes over several lines, which the products' reader refuses; write it as a table with a header")
		}
		if s.peek() == '}' {
			if afterComma {
				return s.refuse("an inline table ends with a comma, which the products' reader refuses")
			}
			s.at++
			return nil
		}
		if s.peek() == ',' {
			s.at++
			afterComma = true
			continue
		}
		afterComma = false
		if err := s.keyValue(nil, false); err != nil {
			return err
		}
	}
}

var dateOrTime = regexp.MustCompile(`^(\d{4}-\d\d-\d\d|\d\d:\d\d)`)

// bare passes a value without quotes or brackets.
func (s *tomlScanner) bare() string {
	end := strings.IndexAny(s.text[s.at:], ",]}#\r\n")
	if end < 0 {
		end = len(s.text) - s.at
	}
	word := strings.TrimSpace(s.text[s.at : s.at+end])
	s.at += end
	switch {
	case word == "true" || word == "false":
		return tomlBoolean
	case dateOrTime.MatchString(word):
		return tomlTime
	case strings.HasPrefix(word, "0x") || strings.HasPrefix(word, "0o") || strings.HasPrefix(word, "0b"):
		return tomlInteger
	case strings.ContainsAny(word, ".eE") || strings.HasSuffix(word, "inf") || strings.HasSuffix(word, "nan"):
		return tomlFloat
	}
	return tomlInteger
}
