package deployment

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"wso2agent/internal/remedy"
)

// Forms of values. Integers and exponents have no leading zeros.
const decimal = `[-+]?(?:[1-9](?:_?[0-9])+|[0-9])`

var (
	integerForm = regexp.MustCompile(`^` + decimal + `$`)
	radixForm   = regexp.MustCompile(`^0(x[0-9A-Fa-f](?:_?[0-9A-Fa-f])*|o[0-7](?:_?[0-7])*|b[01](?:_?[01])*)$`)
	floatForm   = regexp.MustCompile(`^` + decimal + `(?:[eE]` + decimal + `|\.[0-9](?:_?[0-9])*(?:[eE]` + decimal + `)?)$`)
	wordForm    = regexp.MustCompile(`^[-+.:_0-9A-Za-z]+`)
	dateForm    = regexp.MustCompile(`^(?:[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[-+][0-9]{2}:[0-9]{2})?)?|[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?)`)
)

// value reads a value and the blanks before it. unclosed is the number of arrays in it that the servers' reader leaves only at the end
// of a line (see reopened). nested says that the value is part of another.
func (p *parser) value(nested bool) (v *Value, unclosed int, err error) {
	p.blanks()
	v = &Value{Line: p.line, start: p.at}
	switch c := p.peek(); {
	case strings.HasPrefix(p.text[p.at:], `"""`) || strings.HasPrefix(p.text[p.at:], "'''"):
		v.Data, err = p.longString(c)
	case c == '"' || c == '\'':
		v.Data, err = p.shortString(c)
	case c == '[':
		v.Data, unclosed, err = p.array()
	case c == '{':
		v.inline, err = p.inlineTable()
		v.Data = map[string]any{}
		if err == nil {
			v.Data = v.inline.asMap()
		}
	default:
		v.Data, err = p.word(nested)
	}
	v.end = p.at
	return v, unclosed, err
}

// word reads a value without quotes: a number, a boolean, a date.
func (p *parser) word(nested bool) (any, error) {
	if date := dateForm.FindString(p.text[p.at:]); date != "" {
		return p.date(date, nested)
	}
	word := wordForm.FindString(p.text[p.at:])
	if word == "" {
		return nil, remedy.Add(p.refuse("there is no value"), "an empty one is written \"\"")
	}
	data, ok := scalar(word)
	if !ok {
		return nil, remedy.Add(p.refuse("a value is neither a number nor true, false or a date"), "text stands in quotes")
	}
	p.at += len(word)
	return data, nil
}

func scalar(word string) (any, bool) {
	switch word {
	case "true":
		return true, true
	case "false":
		return false, true
	case "inf", "+inf":
		return math.Inf(1), true
	case "-inf":
		return math.Inf(-1), true
	case "nan", "+nan", "-nan":
		return math.NaN(), true
	}
	plain := strings.ReplaceAll(word, "_", "")
	switch {
	case integerForm.MatchString(word):
		n, err := strconv.ParseInt(plain, 10, 64)
		return n, err == nil
	case radixForm.MatchString(word):
		n, err := strconv.ParseInt(plain, 0, 64)
		return n, err == nil
	case floatForm.MatchString(word):
		f, err := strconv.ParseFloat(plain, 64)
		tooSmall := f == 0 && strings.ContainsAny(strings.SplitN(strings.ToLower(plain), "e", 2)[0], "123456789")
		return f, err == nil && !tooSmall
	}
	return nil, false
}

// date reads a date or a time. After one, the servers' reader accepts no bracket and no brace.
func (p *parser) date(date string, nested bool) (any, error) {
	if nested {
		return nil, remedy.Add(p.refuse("the server does not read a date inside an array or an inline table"),
			"put it in quotes, or into a table of its own")
	}
	form, padded := time.RFC3339Nano, strings.Replace(strings.ToUpper(date), " ", "T", 1)
	switch hasDate, hasTime := strings.Contains(date, "-") && date[2] != ':', strings.Contains(date, ":"); {
	case !hasTime:
		form = time.DateOnly
	case !hasDate:
		form = "15:04:05.999999999"
	case !strings.HasSuffix(padded, "Z") && !strings.ContainsAny(padded[len(time.DateOnly):], "+-"):
		form = "2006-01-02T15:04:05.999999999"
	}
	if _, err := time.Parse(form, padded); err != nil {
		return nil, p.refuse("the date or time %s does not exist", date)
	}
	p.at += len(date)
	return Date(date), nil
}

// array reads [ … ]. Its values are of one type; line ends may stand before a value and before the end, but not before
// a comma.
func (p *parser) array() (items []any, unclosed int, err error) {
	p.at++
	items = []any{}
	for {
		if err := p.arrayBlanks(); err != nil {
			return nil, 0, err
		}
		if p.peek() == ']' {
			p.at++
			return items, unclosed + 1, nil // empty, or with a comma after its last value
		}
		if p.peek() == ',' {
			return nil, 0, remedy.Add(p.refuse("a comma stands at the beginning of an array's line, or where a value is missing"),
				"the server takes a comma only behind a value on the same line")
		}
		v, inside, err := p.value(true)
		if err != nil {
			return nil, 0, err
		}
		if len(items) > 0 && typeName(v.Data) != typeName(items[0]) {
			return nil, 0, remedy.Add(p.refuse("an array has values of two types, %s and %s", typeName(items[0]), typeName(v.Data)),
				"the server takes only one")
		}
		items, unclosed = append(items, v.Data), unclosed+inside
		p.arrayComment()
		switch {
		case p.peek() == ',':
			p.at++
			continue
		case p.peek() == ']':
		default:
			if err := p.arrayBlanks(); err != nil {
				return nil, 0, err
			}
			if p.peek() == ',' {
				return nil, 0, remedy.Add(p.refuse("a comma stands at the beginning of an array's line"),
					"the server takes it only behind a value on the same line")
			}
			if p.peek() != ']' {
				return nil, 0, p.refuse("an array is not closed, or lacks a comma between two values")
			}
		}
		p.at++
		return items, unclosed, nil
	}
}

// arrayBlanks skips blanks, comments and line ends inside an array.
func (p *parser) arrayBlanks() error {
	for {
		p.arrayComment()
		switch {
		case p.at == len(p.text):
			return p.refuse("an array is not closed")
		case p.newline():
		case p.peek() == '\r':
			return p.lineEnd()
		default:
			return nil
		}
	}
}

// arrayComment skips blanks and a comment, up to the line end.
func (p *parser) arrayComment() {
	p.blanks()
	if p.peek() == '#' {
		if n := strings.IndexByte(p.text[p.at:], '\n'); n >= 0 {
			p.at += n
			return
		}
		p.at = len(p.text)
	}
}

func typeName(data any) string {
	switch data.(type) {
	case string:
		return "text"
	case int64:
		return "integer"
	case float64:
		return "number with a decimal point"
	case bool:
		return "boolean"
	case []any:
		return "array"
	}
	return "table"
}

// inlineTable reads { … }, which must be on one line.
func (p *parser) inlineTable() (*table, error) {
	p.at++
	p.blanks()
	if p.peek() == '}' {
		p.at++
		return &table{entries: map[string]*entry{}, implicit: true, shared: true}, nil
	}
	t := newTable(false)
	for {
		path, err := p.key()
		if err != nil {
			return nil, err
		}
		if p.peek() != '=' {
			return nil, p.refuse("%s has no value in an inline table", Path(path...))
		}
		p.at++
		v, unclosed, err := p.value(true)
		if err != nil {
			return nil, err
		}
		if unclosed > 0 {
			return nil, remedy.Add(p.refuse("an inline table contains an array that is empty or has a comma after its last value, which the server cannot read"),
				"use a table of its own")
		}
		if err := t.set(path, v); err != nil {
			return nil, err
		}
		p.blanks()
		switch p.peek() {
		case '}':
			p.at++
			return t, nil
		case ',':
			p.at++
			if p.blanks(); p.peek() == '}' {
				return nil, p.refuse("an inline table has a comma after its last value, which the server refuses")
			}
		case '\n', '\r', 0, '#':
			return nil, p.refuse("an inline table must end on the line that it begins on")
		default:
			return nil, p.refuse("an inline table lacks a comma or its closing brace")
		}
	}
}
