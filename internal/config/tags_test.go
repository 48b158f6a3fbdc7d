package config

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/product"
)

// faults returns what is wrong with the tags of a struct of groups such as Config. A slip in a tag has no effect in Go: a
// misspelt key is ignored, and the variable has no default or no rule.
func faults(config reflect.Type) (all []string) {
	wrong := func(f reflect.StructField, format string, args ...any) {
		all = append(all, f.Name+": "+fmt.Sprintf(format, args...))
	}
	names := map[string]bool{}
	for i := range config.NumField() {
		group := config.Field(i)
		if group.Type == reflect.TypeFor[product.Release]() && group.Tag == "" { // detected, and no setting
			continue
		}
		if group.Type.Kind() != reflect.Struct {
			if group.Tag != "" {
				wrong(group, "has tags, but is no group")
			}
			continue
		}
		if keys, ok := tagKeys(group.Tag); !ok || !slices.Equal(keys, []string{"title"}) {
			wrong(group, "has the tags %s instead of a title", group.Tag)
		}
		for j := range group.Type.NumField() {
			f := group.Type.Field(j)
			keys, ok := tagKeys(f.Tag)
			if !ok {
				wrong(f, "has tags that are no list of key:\"value\": %s", f.Tag)
			}
			for i, key := range keys {
				if !slices.Contains([]string{"env", "default", "rule", "secret", "shown", "desc"}, key) {
					wrong(f, "has the unknown tag %s", key)
				}
				if slices.Contains(keys[:i], key) || f.Tag.Get(key) == "" {
					wrong(f, "has the tag %s twice or without a value", key)
				}
			}
			if value := f.Tag.Get("secret"); value != "" && value != "true" {
				wrong(f, "has secret:%q", value)
			}
			name := f.Tag.Get("env")
			if !regexp.MustCompile(`^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$`).MatchString(name) || names[name] {
				wrong(f, "has the name %q, or another has it too", name)
			}
			names[name] = true
		}
	}
	for _, s := range settingsOf(config) {
		word, _, _ := strings.Cut(s.rule, " ")
		if rules := rulesFor[s.field.Type]; !slices.Contains(rules, word) {
			wrong(s.field, "has the rule %q; a %s has one of %q", word, s.field.Type, rules)
		}
		if err := s.check(s.otherwise); errors.Is(err, errBug) || err != nil && s.otherwise != "" {
			wrong(s.field, "has a default that %v", err)
		}
		if s.secret && (s.rule != "" || s.field.Type.Kind() != reflect.String) {
			wrong(s.field, "is a secret with a rule, whose error shows the value")
		}
		if !regexp.MustCompile(`^[A-Za-z].*[.]$`).MatchString(s.sentence) || strings.Contains(s.sentence, "|") {
			wrong(s.field, "has no sentence for a table: %q", s.sentence)
		}
	}
	return all
}

// rulesFor are the rules that a field of each type can have. Only a string can have none: every value is a string, but not every
// value is a number or a time.
var rulesFor = map[reflect.Type][]string{
	reflect.TypeFor[string]():        {"", "oneof", "name", "host", "wait", "windows", "https", "hook", "address", "label", "path"},
	reflect.TypeFor[bool]():          {"bool"},
	reflect.TypeFor[int]():           {"port", "count", "spares"},
	reflect.TypeFor[time.Duration](): {"positive", "interval"},
	reflect.TypeFor[[]string]():      {"names", "sans", "clients"},
	reflect.TypeFor[Pins]():          {"pins"},
	reflect.TypeFor[Routes]():        {"routes"},
}

func TestTheTagsOfTheSettingsHaveNoMistakes(t *testing.T) {
	for _, fault := range faults(reflect.TypeFor[Config]()) {
		t.Error(fault)
	}
}

func TestEveryMistakeInATagIsFound(t *testing.T) {
	text, number := reflect.TypeFor[string](), reflect.TypeFor[int]()
	good := reflect.StructField{Name: "Good", Type: text, Tag: `env:"GOOD" default:"a" rule:"oneof a b" desc:"A choice."`}
	for _, tc := range []struct {
		name string
		kind reflect.Type
		tag  reflect.StructTag
		want string // empty if nothing is wrong
	}{
		{"a right one", number, `env:"F" default:"1" rule:"port" desc:"A port."`, ""},
		{"an unknown rule", text, `env:"F" rule:"hots" default:"a" desc:"A host."`, `no rule "hots"`},
		{"an unknown rule without a default", text, `env:"F" rule:"hots" desc:"A host."`, `no rule "hots"`},
		{"a rule with an operand too many", number, `env:"F" rule:"port 5" desc:"A port."`, `no rule "port 5"`},
		{"a choice without words", text, `env:"F" rule:"oneof" desc:"A choice."`, `no rule "oneof"`},
		{"a number without a rule", number, `env:"F" desc:"A number."`, `has the rule ""; a int has one of`},
		{"the rule of another type", reflect.TypeFor[bool](), `env:"F" rule:"port" desc:"A switch."`, "a bool has one of"},
		{"a type without a parser", reflect.TypeFor[[]int](), `env:"F" rule:"names" desc:"Numbers."`, "a []int has one of []"},
		{"a misspelt key", text, `env:"F" defualt:"x" desc:"A text."`, "the unknown tag defualt"},
		{"a value without quotes", text, `env:"F" default:x desc:"A text."`, `no list of key:"value"`},
		{"a comma between tags", text, `env:"F", desc:"A text."`, `no list of key:"value"`},
		{"a key twice", text, `env:"F" rule:"host" rule:"path" desc:"A host."`, "the tag rule twice"},
		{"an empty value", text, `env:"F" default:"" desc:"A text."`, "the tag default twice or without a value"},
		{"a default against the rule", text, `env:"F" rule:"oneof hot cold" default:"warm" desc:"A choice."`, `a default that is "warm"`},
		{"a secret with a rule", text, `env:"F" rule:"host" secret:"true" desc:"A secret."`, "a secret with a rule"},
		{"neither a secret nor none", text, `env:"F" secret:"yes" desc:"A text."`, `secret:"yes"`},
		{"no sentence", text, `env:"F"`, "no sentence"},
		{"a sentence without an end", text, `env:"F" desc:"no end"`, "no sentence"},
		{"no name", text, `desc:"A text."`, `has the name ""`},
		{"the name of another", text, `env:"GOOD" desc:"A text."`, "another has it too"},
	} {
		field := reflect.StructField{Name: "Field", Type: tc.kind, Tag: tc.tag}
		group := reflect.StructField{Name: "Group", Type: reflect.StructOf([]reflect.StructField{good, field}), Tag: `title:"Group"`}
		found := strings.Join(faults(reflect.StructOf([]reflect.StructField{group})), "\n")
		if !strings.Contains(found, tc.want) || tc.want == "" && found != "" || strings.Contains(found, "Good") {
			t.Errorf("%s: found %q, want %q", tc.name, found, tc.want)
		}
		group.Tag = `tilte:"Group"`
		if found := faults(reflect.StructOf([]reflect.StructField{group})); !slices.Contains(found, `Group: has the tags tilte:"Group" instead of a title`) {
			t.Errorf("a misspelt title is not found: %q", found)
		}
	}
}

// tagKeys returns the keys of a tag; ok is false if it is no list of key:"value".
func tagKeys(tag reflect.StructTag) (keys []string, ok bool) {
	form := regexp.MustCompile(`^(\w+):"((?:[^"\\]|\\.)*)"( |$)`)
	for rest := string(tag); rest != ""; {
		m := form.FindStringSubmatch(rest)
		if m == nil {
			return keys, false
		}
		keys, rest = append(keys, m[1]), rest[len(m[0]):]
	}
	return keys, true
}
