package deployment

import (
	"maps"
	"strings"
	"testing"
)

func mustParse(t *testing.T, text string) *Document {
	t.Helper()
	d, err := Parse([]byte(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return d
}

func TestSetChangesItsSettingAndNothingElse(t *testing.T) {
	for name, c := range map[string]struct {
		before string
		path   []string
		data   any
		after  string
	}{
		"a value is replaced, its comment stays": {
			"[a]\nx = \"1\" # why\ny=2\n", []string{"a", "x"}, "new", "[a]\nx = \"new\" # why\ny=2\n"},
		"a value that is so stays as it is written": {
			"[a]\nx   =   0x10\n", []string{"a", "x"}, 16, "[a]\nx   =   0x10\n"},
		"a list is replaced": {
			"x = [\n 1,\n 2 ]\n", []string{"x"}, []string{"p", "q"}, "x = [\"p\", \"q\"]\n"},
		"a key goes behind the last one of its table": {
			"[a]\nx = 1\n\n# of b\n[b]\n", []string{"a", "y"}, true, "[a]\nx = 1\ny = true\n\n# of b\n[b]\n"},
		"a key goes right below an empty table's header": {
			"[a] # c\n\n[b]\n", []string{"a", "y"}, true, "[a] # c\ny = true\n\n[b]\n"},
		"a table that has only parts goes before the first, with its comment": {
			"[z]\n\n# of a.b\n# too\n[a.b]\nx = 1\n\n[a.c]\n", []string{"a", "y"}, 1, "[z]\n\n[a]\ny = 1\n\n# of a.b\n# too\n[a.b]\nx = 1\n\n[a.c]\n"},
		"a table that has only an array in it goes before that": {
			"[[a.b]]\nx = 1\n", []string{"a", "y"}, 1, "[a]\ny = 1\n\n[[a.b]]\nx = 1\n"},
		"a new table goes behind its relatives": {
			"[a.b]\nx = 1\n\n[c]\nz = 1\n", []string{"a", "d", "y"}, 1, "[a.b]\nx = 1\n\n[a.d]\ny = 1\n\n[c]\nz = 1\n"},
		"a new table without relatives goes to the end, where the line end is missing": {
			"[c]\nz = 1", []string{"a", "y"}, 1, "[c]\nz = 1\n\n[a]\ny = 1\n"},
		"a key goes next to dotted keys of its table": {
			"a.x = 1\n[b]\nz = 1\n", []string{"a", "y"}, 1, "a.x = 1\na.y = 1\n[b]\nz = 1\n"},
		"a key goes next to dotted keys within a table": {
			"[a]\nb.x = 1\nz = 1\n", []string{"a", "b", "y"}, 1, "[a]\nb.x = 1\nb.y = 1\nz = 1\n"},
		"a key goes next to an inline table": {
			"a = {x = 1}\n[b]\n", []string{"a", "y"}, 1, "a = {x = 1}\na.y = 1\n[b]\n"},
		"a value in an inline table is replaced": {
			"a = {x = 1, y = 2}\n", []string{"a", "y"}, "z", "a = {x = 1, y = \"z\"}\n"},
		"a key without table goes before the first table": {
			"# head\n\n# of a\n[a]\n", []string{"x"}, 1, "# head\n\nx = 1\n\n# of a\n[a]\n"},
		"a key without table goes behind the others": {
			"w = 1\n\n[a]\n", []string{"x"}, 1, "w = 1\nx = 1\n\n[a]\n"},
		"an empty file": {"", []string{"a", "x"}, 1, "[a]\nx = 1\n"},
		"Windows line ends": {
			"[a]\r\nx = 1\r\n", []string{"b", "y"}, 1, "[a]\r\nx = 1\r\n\r\n[b]\r\ny = 1\r\n"},
		"names that need quotes": {
			"[a]\n", []string{"a", "header.X"}, "v", "[a]\n'header.X' = \"v\"\n"},
		"backslashes and quotes": {
			"", []string{"x"}, `a"b\c`, "x = \"a\\\"b\\\\c\"\n"},
	} {
		t.Run(name, func(t *testing.T) {
			d := mustParse(t, c.before)
			for range 2 { // the second time changes nothing
				if err := d.Set(c.data, c.path...); err != nil {
					t.Fatal(err)
				}
				if got := string(d.Bytes()); got != c.after {
					t.Fatalf("got\n%s\nwant\n%s", got, c.after)
				}
			}
		})
	}
}

func TestAnEditThatFailsChangesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		before string
		path   []string
		data   any
		reason string
	}{
		"a key where a value is":             {"a = 1\n", []string{"a", "b"}, 1, "line"},
		"a key in an array of tables":        {"[[a]]\nx = 1\n", []string{"a", "b"}, 1, "is defined"},
		"a text of more than printable":      {"", []string{"a"}, "x\ny", "0x0A"},
		"a text beyond ASCII":                {"", []string{"a"}, "é", "printable ASCII"},
		"a table where a table in {} stands": {"a = {}\n", []string{"a", "b"}, 1, "{}"},
	} {
		t.Run(name, func(t *testing.T) {
			d := mustParse(t, c.before)
			err := d.Set(c.data, c.path...)
			if err == nil || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("error %v, want %q in it; text now\n%s", err, c.reason, d.Bytes())
			}
			if got := string(d.Bytes()); got != c.before {
				t.Errorf("the text became\n%s", got)
			}
		})
	}
}

func TestDeleteRemovesTheLineAndNothingElse(t *testing.T) {
	d := mustParse(t, "[a]\n# of x\nx = [\n1 ] # c\ny = 2\n")
	if err := d.Delete("a", "x"); err != nil {
		t.Fatal(err)
	}
	if err := d.Delete("a", "nothing"); err != nil {
		t.Fatal(err)
	}
	if got, want := string(d.Bytes()), "[a]\n# of x\ny = 2\n"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	d = mustParse(t, "a = {x = 1}\n")
	if err := d.Delete("a", "x"); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("deleting from an inline table: %v", err)
	}
}

const listeners = `[[event_listener]]
id = "first"
order = 1
[event_listener.properties]
url = "u"

# the second
[[event_listener]]
id = "second"

[other]
x = 1
`

func TestEachElementOfAnArrayIsReadAndEditedAlone(t *testing.T) {
	d := mustParse(t, listeners)
	elements, err := d.Elements("event_listener")
	if err != nil || len(elements) != 2 {
		t.Fatalf("%d elements, %v", len(elements), err)
	}
	if v, ok := elements[0].Get("properties", "url"); !ok || v.Data != "u" || v.Line != 5 {
		t.Errorf("url is %v, %v", v, ok)
	}
	if _, ok := elements[1].Get("properties", "url"); ok {
		t.Error("the second element has the first one's properties")
	}
	edit := func(element int, data any, path ...string) {
		t.Helper()
		elements, err := d.Elements("event_listener")
		if err != nil {
			t.Fatal(err)
		}
		if err := elements[element].Set(data, path...); err != nil {
			t.Fatal(err)
		}
	}
	edit(1, 2, "order")
	edit(1, "v", "properties", "url")
	edit(0, "w", "properties", "url")
	edit(0, "h", "properties", "header.X")
	want := strings.NewReplacer(
		`url = "u"`, "url = \"w\"\n'header.X' = \"h\"",
		`id = "second"`, "id = \"second\"\norder = 2\n\n[event_listener.properties]\nurl = \"v\"",
	).Replace(listeners)
	if got := string(d.Bytes()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	elements, err = d.Elements("event_listener")
	if err != nil {
		t.Fatal(err)
	}
	if err := elements[1].Insert("[[event_listener]]\nid = \"new\"\n"); err != nil {
		t.Fatal(err)
	}
	if got := string(d.Bytes()); got != strings.Replace(want, "# the second", "[[event_listener]]\nid = \"new\"\n\n# the second", 1) {
		t.Errorf("after an insertion:\n%s", got)
	}
}

func TestArraysThatCannotBeEditedAreNamed(t *testing.T) {
	for text, reason := range map[string]string{
		"x = [{a = 1}]\n":       "line 1: x is written as one value",
		"[[y]]\n[[y.x]]\na=1\n": "",
	} {
		_, err := mustParse(t, text).Elements("x")
		if reason == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), reason) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := mustParse(t, "[[y]]\n[[y.x]]\na=1\n[[y]]\n").Elements("y", "x"); err == nil {
		t.Error("an array inside an array was given")
	}
}

func TestReferencesAreFollowedAsTheServerDoes(t *testing.T) {
	d := mustParse(t, `
[a]
x = "$ref{b.y}-$ref{b.n}-${carbon.host}"
env = "$env{HOME}"
loop = "$ref{a.pool}"
pool = "$ref{a.loop}"
lost = "$ref{nowhere}"
default = "$ref{keystore.primary.alias}"
[b]
y = "$ref{b.z}"
z = "deep"
n = 7
`)
	defaults := map[string]string{"keystore.primary.alias": "wso2carbon", "only.default": "$ref{b.z}"}
	for _, c := range []struct{ path, want, reason string }{
		{"a.x", "deep-7-${carbon.host}", ""},
		{"a.default", "wso2carbon", ""},
		{"only.default", "deep", ""},
		{"a.env", "", "line 4: a.env: the value of $env{HOME} is known to the server alone"},
		{"a.loop", "", "leads back to itself"},
		{"a.lost", "", "line 7: a.lost: the file has no setting for $ref{nowhere}"},
	} {
		got, ok, err := d.Resolved(defaults, strings.Split(c.path, ".")...)
		switch {
		case c.reason != "":
			if err == nil || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("%s: error %v, want %q", c.path, err, c.reason)
			}
		case err != nil || !ok || got != c.want:
			t.Errorf("%s = %q, %v, %v; want %q", c.path, got, ok, err, c.want)
		}
	}
	if _, ok, err := d.Resolved(defaults, "c", "d"); ok || err != nil {
		t.Errorf("an absent setting: %v, %v", ok, err)
	}
}

func TestABlockHasTheSettingsOfWhichItIsMade(t *testing.T) {
	text, err := Block([]string{"event_listener"}, []Setting{
		{[]string{"id"}, "x"}, {[]string{"order"}, 1}, {[]string{"scopes"}, []string{}}, {[]string{"properties", "header.X"}, "v"}})
	if err != nil {
		t.Fatal(err)
	}
	d := mustParse(t, "[a]\n")
	if err := d.Append(text); err != nil {
		t.Fatal(err)
	}
	want := "[a]\n\n[[event_listener]]\nid = \"x\"\norder = 1\nscopes = []\n[event_listener.properties]\n'header.X' = \"v\"\n"
	if got := string(d.Bytes()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// FuzzSet checks that a text that parses still parses after an edit, with the new value and every other value as before.
func FuzzSet(f *testing.F) {
	for _, text := range accepted {
		f.Add(text, "a", "b", "v")
	}
	for _, c := range refusedTexts {
		f.Add(c.text, "x", "", "")
	}
	f.Add(listeners, "event_listener", "id", "x")
	f.Fuzz(func(t *testing.T, text, table, key, value string) {
		d, err := Parse([]byte(text))
		if err != nil {
			return
		}
		path := []string{table, key}
		if key == "" {
			path = path[:1]
		}
		before := forms(d)
		_, was := d.Get(path...)
		if err := d.Set(value, path...); err != nil {
			if string(d.Bytes()) != text {
				t.Fatalf("an error, and the text is another: %v", err)
			}
			return
		}
		again, err := Parse(d.Bytes())
		if err != nil {
			t.Fatalf("set %q: %v in\n%s", path, err, d.Bytes())
		}
		if v, ok := again.Get(path...); !ok || v.Data != value {
			t.Fatalf("set %q to %q: it is %q, %v in\n%s", path, value, v.Data, ok, d.Bytes())
		}
		after := forms(again)
		delete(before, Path(path...))
		delete(after, Path(path...))
		if !maps.Equal(before, after) {
			t.Fatalf("set %q: other values were\n%v\nand are\n%v\nin\n%s", path, before, after, d.Bytes())
		}
		if !was && !onlyAdded(text, string(d.Bytes())) {
			t.Fatalf("set %q: more than an insertion made\n%q\nof\n%q", path, d.Bytes(), text)
		}
	})
}

// onlyAdded reports whether after is equal to before with an insertion at one place.
func onlyAdded(before, after string) bool {
	same := 0
	for same < len(before) && same < len(after) && before[same] == after[same] {
		same++
	}
	return strings.HasSuffix(after[same:], before[same:])
}

func TestOnlyATableThatHasNothingIsDropped(t *testing.T) {
	for before, want := range map[string]string{
		"[a]\nb = 1\n\n[c]\n":                "[a]\nb = 1\n",
		"[c]\n\n[a]\nb = 1\n":                "\n[a]\nb = 1\n",
		"[a]\r\nb = 1\r\n\r\n[c]\r\n":        "[a]\r\nb = 1\r\n",
		"[c]\nd = 1\n":                       "",
		"[c]\n# here is something to come\n": "",
		"[c] # ours\n":                       "",
		"[c]\n[c.d]\ne = 1\n":                "",
		"[[c]]\n":                            "",
		"[other]\n":                          "",
	} {
		d, err := Parse([]byte(before))
		if err != nil {
			t.Fatal(err)
		}
		if want == "" {
			want = before
		}
		if err := d.DropEmpty("c"); err != nil || string(d.Bytes()) != want {
			t.Errorf("%q: %v, %q, want %q", before, err, d.Bytes(), want)
		}
	}
}
