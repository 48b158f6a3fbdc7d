package desired

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

const page = "../../docs/api-configuration.md"

// reference returns the tables of all fields, one for each struct of the model.
func reference() string {
	var b strings.Builder
	var seen []reflect.Type
	var visit func(t reflect.Type, path string)
	visit = func(t reflect.Type, path string) {
		if slices.Contains(seen, t) {
			return
		}
		seen = append(seen, t)
		title := "The file"
		if path != "" {
			title = "`" + path + "`"
		}
		fmt.Fprintf(&b, "### %s\n| field | value | what |\n|---|---|---|\n", title)
		for _, c := range columns(t) {
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", c.name, cell(c), explained(c))
		}
		b.WriteString("\n")
		for _, c := range columns(t) {
			if inner, path := below(c, path); inner != nil {
				visit(inner, path)
			}
		}
	}
	visit(reflect.TypeFor[document](), "")
	return b.String()
}

// below returns the struct that a field holds, and its path.
func below(c column, path string) (reflect.Type, string) {
	t, path := c.kind, strings.TrimPrefix(path+"."+c.name, ".")
	if t.Kind() == reflect.Slice {
		field, _ := t.Elem().FieldByName("Value")
		t, path = field.Type, path+"[]"
	}
	if t.Kind() != reflect.Struct || t == reflect.TypeFor[Secret]() || t.NumField() == 0 {
		return nil, ""
	}
	return t, path
}

// cell words the values that a field may have.
func cell(c column) string {
	if c.refuse != "" {
		return "refused"
	}
	kind := "text"
	inner := c.kind
	if inner.Kind() == reflect.Slice {
		field, _ := inner.Elem().FieldByName("Value")
		inner = field.Type
	}
	switch inner {
	case reflect.TypeFor[string]():
		if c.values != nil {
			kind = "`" + strings.ReplaceAll(c.choices(), ", ", "`, `") + "`"
		}
	case reflect.TypeFor[Secret]():
		kind = "secret"
	case reflect.TypeFor[bool]():
		kind = "`true` or `false`"
	case reflect.TypeFor[int]():
		kind = "number " + c.bounds()
	case reflect.TypeFor[time.Duration]():
		kind = "time such as `30s`, or milliseconds"
	case reflect.TypeFor[map[string]Text]():
		kind = "mapping of texts"
	default:
		kind = "mapping"
	}
	if c.kind.Kind() == reflect.Slice {
		kind = "list: " + kind
	}
	if c.short != "" {
		kind += ", or its `" + c.short + "`"
	}
	return kind
}

func explained(c column) string {
	text := c.doc
	if c.required {
		text += " Required."
	}
	if c.fallback != "" {
		text += " Default: `" + c.fallback + "`."
	}
	if c.aliases != nil {
		text += " Also: `" + strings.Join(c.aliases, "`, `") + "`."
	}
	return text
}

const begins, ends = "<!-- The tables come from the model: go test ./internal/desired -update writes them. -->\n", "<!-- The end of the tables. -->\n"

func TestTheReferenceIsTheOneOfTheModel(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), begins)
	there, after, closed := strings.Cut(rest, ends)
	if !found || !closed {
		t.Fatal("the page has no place for the tables")
	}
	if *update {
		if err := os.WriteFile(page, []byte(before+begins+reference()+ends+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if there != reference() {
		t.Error("the tables are others: go test ./internal/desired -update writes them")
	}
}

// Every example of the page has no mistake, and each kind of object is in one of them.
func TestTheExamplesOfThePageHaveNoMistakes(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	all := ""
	for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		source := Source{
			Env:      func(string) (string, bool) { return "Secret12345", true },
			ReadFile: func(string) ([]byte, error) { return []byte("Secret12345"), nil },
		}
		f, err := Parse(source, Input{"example.yaml", []byte(block[1])})
		if err != nil {
			t.Errorf("%v\n%s", err, block[1])
			continue
		}
		all += dump(f)
	}
	for _, kind := range []string{"apis", "apis[0].openapi", "apis[0].operations", "apis[0].scopes", "apis[0].endpoints.production.urls", "apis[0].endpoints.production.security", "apis[0].documents",
		"apis[0].endpoint_certificates", "apis[0].type: GRAPHQL", "apis[0].cors", "apis[0].environments", "scopes", "applications", "applications[0].keys", "applications[0].subscriptions",
		"key_managers", "identity_server.roles", "identity_server.groups", "identity_server.users"} {
		if !regexp.MustCompile(`(?m)^` + strings.ReplaceAll(regexp.QuoteMeta(kind), `\[0\]`, `\[\d+\]`) + `\b`).MatchString(all) {
			t.Errorf("no example has %s", kind)
		}
	}
}
