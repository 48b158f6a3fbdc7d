package desired

import (
	"slices"
	"strings"
	"testing"
)

func TestAMessageShowsNoPasswordOfAnAddress(t *testing.T) {
	for value, want := range map[string]string{
		"http://backend:8080/path":         "http://backend:8080/path",
		"http://user:pw@backend":           "http://(hidden)@backend",
		"http://user:p/w@backend/path":     "http://(hidden)@backend/path",
		"http://user:p@w@backend":          "http://(hidden)@backend",
		"user:pw@backend":                  "(hidden)@backend",
		"user:p/w@backend":                 "(hidden)@backend",
		"me@example.com":                   "me@example.com",
		"see http://a:b@c and mail me@x.y": "see http://(hidden)@c and mail me@x.y",
		"http:user:pw@backend":             "(hidden)@backend",
	} {
		if got := Shown(value); got != want {
			t.Errorf("%q is shown as %q, want %q", value, got, want)
		}
	}
}

func TestAMessageShortensALongText(t *testing.T) {
	long := strings.Repeat("ü", 5000)
	if got := Shown(long); len([]rune(got)) != 101 || !strings.HasSuffix(got, "ü…") {
		t.Errorf("got %d characters", len([]rune(got)))
	}
	if got := Shown("http://user:" + strings.Repeat("hunter2", 100) + "@backend"); got != "http://(hidden)@backend" {
		t.Errorf("got %q", got)
	}
	for _, text := range []string{api("visibility: " + long), api("tags: ['" + long + "']"), "apis: [{name: " + long + ", version: '1', context: /a, lifecycle: CREATED}, {name: " + long + "}]\n", long + ": x\n"} {
		if _, err := parse(text); err == nil || len(err.Error()) > 4000 {
			t.Errorf("the error has %d bytes", len(err.Error()))
		}
	}
}

func TestEveryNameOfAValueCountsInAnyLetterCase(t *testing.T) {
	s := schema{forms: forms()}
	for _, table := range tables() {
		for _, c := range table.columns {
			validator := compileNode(t, s.text(c, true))
			for _, v := range c.values {
				for _, name := range v.spellings {
					for _, text := range []string{name, strings.ToLower(name), strings.ToUpper(name), strings.ToUpper(name[:1]) + strings.ToLower(name[1:]), " " + name + " "} {
						if is, ok := c.spelled(text); !ok || is != v.is || validator.Validate(text) != nil {
							t.Errorf("%s %q is read as %q, and the schema says %v", c.name, text, is, validator.Validate(text))
						}
					}
					if _, ok := c.spelled(name + "x"); ok || validator.Validate(name+"x") == nil {
						t.Errorf("%s %q is taken", c.name, name+"x")
					}
				}
			}
		}
	}
	f, err := parse(api("type: Rest\nlifecycle: Published\noperations: [{target: /a, verb: Get, auth: application & application user}]"))
	if err != nil {
		t.Fatal(err)
	}
	a := f.APIs.Value[0].Value
	if op := a.Operations.Value[0].Value; a.Type.Value != "HTTP" || a.Lifecycle.Value != "PUBLISHED" || op.Verb.Value != "GET" || op.Auth.Value != "Application & Application User" {
		t.Errorf("got %s, %s and %+v", a.Type.Value, a.Lifecycle.Value, op)
	}
}

// TestReaderAndSchemaTakeTheSameAddresses holds both against all combinations of parts.
func TestReaderAndSchemaTakeTheSameAddresses(t *testing.T) {
	taken := 0
	for _, form := range []string{"url", "backend"} {
		f, validator := forms()[form], compileNode(t, schema{forms: forms()}.text(column{form: form}, true))
		for _, scheme := range []string{"http://", "HTTPS://", "Http://", "ws://", "WSS://", "ftp://", "http:/", "http:", "//", "", " http://"} {
			for _, host := range []string{"", "a", "a.b-c", "ü", "A!b", "a b", "a\\b", "a{b}", "[::1]", "[::1", "a]", "me@a", "me:pw@a", "a%41", "127.0.0.1", "a\tb", "a:b"} {
				for _, port := range []string{"", ":", ":80", ":x", ":-1"} {
					for _, path := range []string{"", "/", "/b/c", "/b c", "/@b", "/%41", "/%4", "/{id}", "/ü", "?", "?x=%4&y=@", "/b?x=1#f", "#f", "#%4", "#a#b", "?a\tb", "/a\x7f", "/b ", "\n"} {
						text := scheme + host + port + path
						_, err := f.apply(text)
						if says := validator.Validate(text); (err == nil) != (says == nil) {
							t.Errorf("%s %q: the reader says %v, and the schema %v", form, text, err, says)
						}
						if err == nil {
							taken++
						}
					}
				}
			}
		}
	}
	if taken < 500 {
		t.Errorf("only %d addresses are taken", taken)
	}
	for _, text := range []string{"http://a?x=1", "HTTP://a", "http://a/@b", "http://a/b c", "http://[::1]:80/x"} {
		if _, err := forms()["url"].apply(text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestAGraphQLSchemaInTheFileItselfIsNoFileName(t *testing.T) {
	const want = "schema is what a file contains: put it into a file, and write the name of the file"
	for _, text := range []string{"type Query { a: Int }", "schema {\n  query: Q\n}", "schema { query: Q }", "# comment\ntype Query {\n  a: Int\n}\n", "extend type Query{a: Int}"} {
		_, err := parse(bare("type: GRAPHQL\nbackend_url: http://a\nschema: |\n" + indent(text, 2)))
		if err == nil || !strings.Contains(err.Error(), "f:7:13: schema ") || !strings.Contains(err.Error(), strings.TrimPrefix(want, "schema ")) || strings.Contains(err.Error(), "cannot read") {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, text := range []string{"catalogue.graphql", "type definitions.graphql", "https://a/{schema}"} {
		if _, err := forms()["source"].apply(text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	if !slices.ContainsFunc(samples["source"].bad, func(s string) bool { return strings.Contains(s, "type") }) {
		t.Error("the schema is not held against such a text")
	}
}
