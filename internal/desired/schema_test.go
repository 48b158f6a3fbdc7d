package desired

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// schemaFile is the schema in the repository.
const schemaFile = "../../docs/api-config.schema.json"

func TestTheSchemaInTheRepositoryIsTheOneOfTheModel(t *testing.T) {
	made, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(schemaFile, made, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	there, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(made, there) {
		t.Errorf("%s is another one: go test ./internal/desired -update writes it", schemaFile)
	}
}

// compiled is the schema as a validator of its own kind reads it.
func compiled(t testing.TB) *jsonschema.Schema {
	t.Helper()
	text, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	return compile(t, text)
}

// compile makes a validator of a schema.
func compile(t testing.TB, text []byte) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// compileNode makes a validator of which a value needs one schema.
func compileNode(t testing.TB, anyOf []any) *jsonschema.Schema {
	t.Helper()
	text, err := json.Marshal(node{"anyOf": anyOf, "$defs": node{"variable": node{"type": "string", "pattern": `\$\{`}}})
	if err != nil {
		t.Fatal(err)
	}
	return compile(t, text)
}

func TestTheSchemaAcceptsEveryExample(t *testing.T) {
	s := compiled(t)
	for _, path := range append(shapes(t), "../../examples/api-config.yaml") {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var doc any
		if err := yaml.Unmarshal(text, &doc); err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(doc); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	if err := s.Validate(map[string]any{"gateway": map[string]any{"port": "${PORT}", "host": "a.${DOMAIN}"}}); err != nil {
		t.Errorf("variables: %v", err)
	}
}

// samples are texts that have a form, and texts that do not.
var samples = map[string]struct{ good, bad []string }{
	"":                    {good: []string{"x"}},
	"value":               {good: []string{"any thing", ""}},
	"description":         {good: []string{"any thing, too", ""}, bad: []string{strings.Repeat("x", 32767)}},
	"text512":             {good: []string{"any thing", ""}, bad: []string{strings.Repeat("ü", 513)}},
	"name":                {good: []string{"Order API", "Bücher", strings.Repeat("ü", 60)}, bad: []string{"", " ", "a/b", "a,b", "a[b", "a]", "a\\b", strings.Repeat("x", 61)}},
	"version":             {good: []string{"1.0.0", "v1-a_b"}, bad: []string{"", "1 0", "1/0", "a$", strings.Repeat("1", 31)}},
	"context":             {good: []string{"/orders", "orders", "/{version}/x"}, bad: []string{"", "/", "/a/", "/a b", "/ü"}},
	"summary":             {good: []string{"about"}, bad: []string{"", " "}},
	"text100":             {good: []string{"x y"}, bad: []string{"", strings.Repeat("x", 101)}},
	"text120":             {good: []string{"x y"}, bad: []string{"", strings.Repeat("x", 121)}},
	"text255":             {good: []string{"x y"}, bad: []string{"", "\t", strings.Repeat("x", 256)}},
	"text256":             {good: []string{"x y"}, bad: []string{"", strings.Repeat("x", 257)}},
	"alias":               {good: []string{"a-b", "..."}, bad: []string{"a/b", `a\b`, "", "a b", ".", " .. "}},
	"content":             {good: []string{"any thing", " "}, bad: []string{""}},
	"word":                {good: []string{"a-b"}, bad: []string{"", "a b", "a\tb"}},
	"tag":                 {good: []string{"a b"}, bad: []string{"", "a,b", ","}},
	"policy":              {good: []string{"10KPerMin"}, bad: []string{""}},
	"subscription_policy": {good: []string{"Gold"}, bad: []string{"", "DefaultSubscriptionless"}},
	"application":         {good: []string{"My App & yours"}, bad: []string{"", strings.Repeat("x", 101)}},
	"key_manager":         {good: []string{"Resident Key Manager"}, bad: []string{"", strings.Repeat("x", 101)}},
	"role":                {good: []string{"Internal/creator"}, bad: []string{""}},
	"is_role":             {good: []string{"buyer of all"}, bad: []string{"", "a/b", "/"}},
	"permission":          {good: []string{"orders:read"}, bad: []string{"", "a b", "internal_user_mgt_create"}},
	"scope":               {good: []string{"orders:read"}, bad: []string{"", "a b", "apim:api_view", "APIM:x"}},
	"document":            {good: []string{"How to", "Prüfung & [a]: b?"}, bad: []string{"", " ", "a/b", "a(b)", "a,b", "it's", `a\b`}},
	"environment":         {good: []string{"Default", "a_b-1"}, bad: []string{"", "a b", "ü"}},
	"host":                {good: []string{"localhost", "api.example.com"}, bad: []string{"", "a b", "http://a", "a:80", "-a"}},
	"header":              {good: []string{"X-Key"}, bad: []string{"", "a b", "a:b"}},
	"email":               {good: []string{"a@b.c"}, bad: []string{"", "a", "a@", "a b@c"}},
	"target":              {good: []string{"/a/{id}", "products"}, bad: []string{"", "/a b"}},
	"grant":               {good: []string{"client_credentials", "urn:ietf:params:oauth:grant-type:token-exchange"}, bad: []string{"", "token_exchange", "a b:c"}},
	"callback":            {good: []string{"https://a/b", "myapp:/done", "urn:a:b", "http://[::1]:80/?[x]"}, bad: []string{"", "/a", "https://a,https://b", "https://a b", "https://", "a:", "https://a/{b}", "https://a/%4", "https://a/[b]", "https://a\u3000b"}},
	"url":                 {good: []string{"https://a:8443/b/c", "http://a"}, bad: []string{"", "a", "ftp://a", "https://", "https://u:p@a", "ws://a"}},
	"backend":             {good: []string{"https://a:8443/b", "ws://a"}, bad: []string{"", "a:80", "ftp://a", "https://u:p@a", "http:///x"}},
	"source":              {good: []string{"orders.yaml", "https://a/o.yaml", "type x.graphql"}, bad: []string{"", "type Query { a: Int }", "schema {", "a: b\nc: d"}},
	"file":                {good: []string{"a/b.md"}, bad: []string{"", "https://a/b"}},
	"user":                {good: []string{"anna", "PRIMARY/anna"}, bad: []string{"", "ab", "a b c", "a*cd", strings.Repeat("x", 51)}},
	"password":            {good: []string{"Abcdefg1"}, bad: []string{"", "Abc1", "abcdefg1", "ABCDEFG1", "Abcdefgh", "Abcdefg1" + strings.Repeat("x", 60)}},
}

func TestTheReaderAndTheSchemaKnowEveryForm(t *testing.T) {
	for name, f := range forms() {
		s := compileNode(t, schema{forms: forms()}.text(column{form: name}, true))
		for _, text := range samples[name].good {
			if _, err := f.apply(text); err != nil || s.Validate(text) != nil {
				t.Errorf("%s: %q: the reader says %v, and the schema %v", name, text, err, s.Validate(text))
			}
		}
		for _, text := range samples[name].bad {
			if _, err := f.apply(text); err == nil || s.Validate(text) == nil {
				t.Errorf("%s: %q: the reader says %v, and the schema %v", name, text, err, s.Validate(text))
			}
		}
		if samples[name].good == nil {
			t.Errorf("%s has no samples", name)
		}
	}
}

// writer makes random documents that have the form of the model.
type writer struct{ *rand.Rand }

func pick[T any](w writer, all []T) T { return all[w.IntN(len(all))] }

// object makes a mapping for a struct. The deeper it is, the fewer fields it has.
func (w writer) object(t reflect.Type, depth int) map[string]any {
	made := map[string]any{}
	for _, c := range columns(t) {
		if c.refuse != "" || !c.required && w.IntN(2+depth*2) > 0 {
			continue
		}
		name := pick(w, append([]string{c.name}, c.aliases...))
		made[name] = w.value(c, c.kind, depth)
		if !c.required && w.IntN(10) == 0 {
			made[name] = nil
		}
	}
	return made
}

func (w writer) value(c column, t reflect.Type, depth int) any {
	switch t {
	case reflect.TypeFor[string](), reflect.TypeFor[Secret]():
		if c.values != nil {
			return pick(w, pick(w, c.values).spellings)
		}
		text := pick(w, samples[c.form].good)
		if t == reflect.TypeFor[Secret]() && text == "" {
			return "x"
		}
		return text
	case reflect.TypeFor[bool]():
		return w.IntN(2) == 0
	case reflect.TypeFor[int]():
		return max(c.min, min(c.min+w.IntN(3), max(c.max, c.min+3)))
	case reflect.TypeFor[time.Duration]():
		return pick(w, []any{"30s", "500ms", "24h", "1440m", "86400s", 1, 86400000})
	case reflect.TypeFor[map[string]Text]():
		return map[string]any{"a": "b", "c d": pick(w, samples[c.form].good)}
	}
	if t.Kind() == reflect.Slice {
		list := []any{}
		inner, _ := t.Elem().FieldByName("Value")
		for range w.IntN(3) {
			list = append(list, w.value(c, inner.Type, depth+1))
		}
		return list
	}
	if c.short != "" && w.IntN(3) == 0 {
		for _, inner := range columns(t) {
			if inner.name == c.short {
				return w.value(inner, inner.kind, depth)
			}
		}
	}
	return w.object(t, depth+1)
}

// spot is a place in a document that a mutation can change.
type spot struct {
	set    func(any)
	object map[string]any // nil in a list
	key    string
	is     any
}

func spots(v any, into *[]spot) {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) { // a seed makes the same again
			inner := v[key]
			*into = append(*into, spot{func(x any) { v[key] = x }, v, key, inner})
			spots(inner, into)
		}
	case []any:
		for i, inner := range v {
			*into = append(*into, spot{func(x any) { v[i] = x }, nil, "", inner})
			spots(inner, into)
		}
	}
}

// mutate changes one thing at random, and says what.
func (w writer) mutate(doc map[string]any) string {
	var all []spot
	spots(doc, &all)
	if len(all) == 0 {
		doc["unknown"] = 1
		return "an unknown section"
	}
	s := pick(w, all)
	switch n := w.IntN(6); {
	case n == 0 && s.object != nil:
		s.object["unknown_"+s.key] = s.is
		return "an unknown key next to " + s.key
	case n == 1 && s.object != nil:
		delete(s.object, s.key)
		return "without " + s.key
	case n == 2 && s.object != nil:
		var other string
		eachType(func(t reflect.Type) {
			for _, c := range columns(t) {
				if c.name == s.key && c.aliases != nil {
					other = pick(w, c.aliases)
				}
			}
		})
		if other != "" {
			s.object[other] = s.is
		}
		return s.key + " also as " + other
	case n == 3:
		var texts []string
		for _, name := range slices.Sorted(maps.Keys(samples)) {
			texts = append(texts, samples[name].bad...)
		}
		text := pick(w, texts)
		s.set(text)
		return fmt.Sprintf("%s is %.40q", s.key, text)
	}
	value := pick(w, []any{nil, "x", "", 5, -1, 70000, 1.5, true, []any{}, []any{"x"}, []any{nil}, map[string]any{}, map[string]any{"x": 1}, "30s", "25h", "0s", "1441m"})
	s.set(value)
	return fmt.Sprintf("%s is %#v", s.key, value)
}

// TestSchemaAndReaderAcceptTheSame holds both against random documents and mutants of them. The rules that concern more than one field
// are no part of the schema, and no part of this test.
func TestSchemaAndReaderAcceptTheSame(t *testing.T) {
	s := compiled(t)
	good, mutants := 0, 0
	for seed := range uint64(600) {
		w := writer{rand.New(rand.NewPCG(seed, 19))}
		doc := w.object(reflect.TypeFor[document](), 0)
		change := "as it was made"
		for range seed % 3 {
			change = w.mutate(doc)
		}
		text, err := yaml.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		var plain any
		if err := yaml.Unmarshal(text, &plain); err != nil {
			t.Fatal(err)
		}
		says := s.Validate(plain)
		_, problems := read(text, "f", testSource())
		if (says == nil) != (len(problems) == 0) {
			t.Fatalf("seed %d, %s: the schema says %v\nand the reader %v of\n%s", seed, change, says, problems, text)
		}
		if says == nil {
			good++
		} else {
			mutants++
		}
		if seed%3 == 0 && says != nil {
			t.Fatalf("seed %d: a document without a mutation is refused: %v", seed, says)
		}
	}
	if good < 250 || mutants < 150 {
		t.Errorf("%d documents are accepted and %d refused", good, mutants)
	}
}
