package deployment

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestAllElementsAreListedWithTheirOwnLines(t *testing.T) {
	const text = `x = [
[1],
] # no header

[[l]] # the first
id = "a"
t = '''
[[l]]
# part of the text
'''
[l.p]
'q.r' = 2

# about what follows
[[ 'm.n'.o ]]
a = 1
[[l]]
[[l.inner]]
b = 1
[y]
[l.late]
c = 1
`
	for _, newline := range []string{"\n", "\r\n"} {
		d := mustParse(t, strings.ReplaceAll(text, "\n", newline))
		var got []string
		for _, e := range d.AllElements() {
			got = append(got, fmt.Sprintf("%d %q nested=%t %v", e.Line, e.Path(), e.Nested(), slices.Sorted(maps.Keys(e.Settings()))))
		}
		want := []string{
			`5 ["l"] nested=false [id p.'q.r' t]`,
			`15 ["m.n" "o"] nested=false [a]`,
			`17 ["l"] nested=true []`, // inner is an array, and late stands behind another table
		}
		if !slices.Equal(got, want) {
			t.Errorf("elements with line end %q:\n%s\nwant:\n%s", newline, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		first := d.AllElements()[0]
		if got, want := first.Text(), text[strings.Index(text, "[[l]]"):strings.Index(text, "\n# about")]; got != want {
			t.Errorf("text with line end %q = %q, want %q", newline, got, want)
		}
	}
}

func TestKeysAreThoseThatPathHasJoined(t *testing.T) {
	for path, keys := range map[string][]string{
		"":              nil,
		"a":             {"a"},
		"a.b-c.D_1":     {"a", "b-c", "D_1"},
		"a.'b.c'":       {"a", "b.c"},
		"'b.c'.a":       {"b.c", "a"},
		"''.a.''":       {"", "a", ""},
		"'.'.'..'.' x'": {".", "..", " x"},
	} {
		if got := Keys(path); !slices.Equal(got, keys) {
			t.Errorf("Keys(%s) = %q, want %q", path, got, keys)
		}
		if got := Path(keys...); got != path {
			t.Errorf("Path(%q) = %s, want %s", keys, got, path)
		}
	}
}

// FuzzElements checks that each listed element has the same values alone, at another place, and made from its settings.
func FuzzElements(f *testing.F) {
	f.Add("[[l]]\nid = 1\n[l.p]\n'q.r' = '''\n[[l]]\n'''\n[[l.m]]\nx = 2\n[y]\n[l.z]\nk = 1\n[[l.m]]\nx = 3\n")
	f.Add("a = [[1], [\n[]]]\n\n[[a-b.c]] # c\r\nt = {}\r\n\r\n# end")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := Parse([]byte(text))
		if err != nil {
			return
		}
		for path, v := range d.Settings() {
			if got, ok := d.Get(Keys(path)...); !ok || got.start != v.start {
				t.Fatalf("the keys of %s lead to %v, %t", path, got, ok)
			}
		}
		for _, e := range d.AllElements() {
			alone, err := Parse([]byte(e.Text()))
			if err != nil {
				continue // it ends with an array that needs the blank lines behind it
			}
			again := alone.AllElements()
			if len(again) != 1 || again[0].Text() != e.Text() || again[0].Nested() != e.Nested() || !slices.Equal(again[0].Path(), e.Path()) {
				t.Fatalf("%q gives the element %q, and that by itself %d", text, e.Text(), len(again))
			}
			settings := e.Settings()
			if got := again[0].Settings(); len(got) != len(settings) {
				t.Fatalf("%q has %d settings, and %d by itself", e.Text(), len(settings), len(got))
			}
			for path := range settings {
				got, ok := again[0].Get(Keys(path)...)
				if own, _ := e.Get(Keys(path)...); !ok || fmt.Sprint(got.Data) != fmt.Sprint(own.Data) {
					t.Fatalf("%s of %q is %v, and %v by itself", path, e.Text(), own.Data, got.Data)
				}
			}
		}
	})
}

func TestAnElementIsRemovedAsItWasAdded(t *testing.T) {
	const lines = "[[a.b]]\nid = \"new\"\n[a.b.properties]\nx = 1\n"
	for name, before := range map[string]string{
		"no other":            "[server]\nhostname = \"h\"\n",
		"others":              "[server]\nhostname = \"h\"\n\n# of the shop\n[[a.b]]\nid = \"old\"\n\n[c]\nd = 1\n",
		"ends as Windows has": "[server]\r\nhostname = \"h\"\r\n\r\n[[a.b]]\r\nid = \"old\"\r\n",
	} {
		for _, how := range []string{"append", "insert"} {
			d, err := Parse([]byte(before))
			if err != nil {
				t.Fatal(err)
			}
			elements, err := d.Elements("a", "b")
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case how == "append":
				err = d.Append(lines)
			case len(elements) > 0:
				err = elements[0].Insert(lines)
			default:
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range d.AllElements() {
				if v, _ := e.Get("id"); v.Data == "new" {
					err = e.Remove()
				}
			}
			if got := string(d.Bytes()); err != nil || got != before {
				t.Errorf("%s, %s: %v\n%q\nwas\n%q", name, how, err, got, before)
			}
		}
	}
}
