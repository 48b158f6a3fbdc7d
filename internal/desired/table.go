package desired

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"wso2agent/internal/yamlfile"
)

// column is one field of the model as its tags describe it.
type column struct {
	index    []int // in its struct
	name     string
	aliases  []string
	doc      string
	item     string // what messages call an entry of a list or a map
	short    string // the field that an entry stands for if it is a text
	refuse   string // why the agent refuses the field; empty: it does not
	fallback string // what the server makes of a field that is left out; empty: nothing, or a value of its own
	required bool
	moves    bool    // the field folds into another one, so that the model has it under another name
	values   []value // nil: any
	form     string
	min, max int // bounds of a number; max 0: none
	kind     reflect.Type
}

// value is one of the values that a text may have.
type value struct {
	is        string
	spellings []string       // what stands for it, itself first, without regard to case
	pattern   *regexp.Regexp // of all of them, for the reader and for the schema
}

// table has the fields of a struct of the model.
type table struct {
	columns []column
	byName  map[string]*column
	names   yamlfile.Names
	title   string // the first field that is required: messages call the struct by it
}

// tables has the fields of every struct of the model, which never change.
var tables = sync.OnceValue(func() map[reflect.Type]table {
	all := map[reflect.Type]table{}
	var add func(t reflect.Type)
	add = func(t reflect.Type) {
		all[t] = tableOf(tagged(t))
		for _, c := range all[t].columns {
			inner := c.kind
			if inner.Kind() == reflect.Slice {
				field, _ := inner.Elem().FieldByName("Value")
				inner = field.Type
			}
			if _, known := all[inner]; !known && inner.Kind() == reflect.Struct {
				add(inner)
			}
		}
	}
	add(reflect.TypeFor[document]())
	all[reflect.TypeFor[File]()] = tableOf(tagged(reflect.TypeFor[File]()))
	return all
})

func tableOf(columns []column) table {
	t := table{columns: columns, byName: map[string]*column{}, names: yamlfile.Names{Others: map[string]string{}}}
	for i, c := range columns {
		t.byName[c.name] = &columns[i]
		t.names.Known = append(t.names.Known, c.name)
		if c.required && t.title == "" {
			t.title = c.name
		}
		for _, alias := range c.aliases {
			t.names.Others[alias] = c.name
		}
	}
	slices.Sort(t.names.Known)
	return t
}

// columns returns the fields of a struct of the model in the order in which it has them.
func columns(t reflect.Type) []column { return tables()[t].columns }

// tagged reads the tags of a struct. It panics if one is wrong, which a test shows for the whole model.
func tagged(t reflect.Type) (all []column) {
	for f := range t.Fields() {
		switch name, isField := f.Tag.Lookup("yaml"); {
		case f.Anonymous:
			for _, c := range tagged(f.Type) {
				c.index = append(slices.Clone(f.Index), c.index...)
				all = append(all, c)
			}
		case isField:
			inner, _ := f.Type.FieldByName("Value")
			c := column{index: f.Index, name: name, doc: f.Tag.Get("doc"), item: f.Tag.Get("item"), short: f.Tag.Get("short"),
				fallback: f.Tag.Get("default"), required: f.Tag.Get("required") == "true", moves: f.Tag.Get("moves") == "true", refuse: f.Tag.Get("refuse"), form: f.Tag.Get("form"), kind: inner.Type}
			c.aliases = split(f.Tag.Get("alias"), ",")
			for _, one := range split(f.Tag.Get("enum"), ",") {
				is, others, _ := strings.Cut(one, "=")
				v := value{is: is, spellings: append([]string{is}, split(others, "|")...)}
				v.pattern = regexp.MustCompile(`^\s*(` + anyCase(v.spellings) + `)\s*$`)
				c.values = append(c.values, v)
			}
			c.min, c.max = number(f.Tag.Get("min")), number(f.Tag.Get("max"))
			all = append(all, c)
		}
	}
	return all
}

// split is strings.Split, but of an empty text it makes nothing.
func split(s, sep string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, sep)
}

// number returns the number of a tag, or 0.
func number(s string) int {
	if s == "" {
		return 0
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(err) // a wrong tag
	}
	return n
}

// choices are the values that a message offers.
func (c column) choices() string {
	var names []string
	for _, v := range c.values {
		names = append(names, v.is)
	}
	return strings.Join(names, ", ")
}

// spelled returns the value that a text stands for.
func (c column) spelled(text string) (string, bool) {
	for _, v := range c.values {
		if v.pattern.MatchString(text) {
			return v.is, true
		}
	}
	return "", false
}

// anyCase returns a pattern of texts in any letter case. A pattern of JSON Schema has no flag for that.
func anyCase(texts []string) string {
	var b strings.Builder
	for i, text := range texts {
		if i > 0 {
			b.WriteByte('|')
		}
		for _, r := range text {
			if lower, upper := unicode.ToLower(r), unicode.ToUpper(r); lower != upper {
				fmt.Fprintf(&b, "[%c%c]", lower, upper)
				continue
			}
			b.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	return b.String()
}
