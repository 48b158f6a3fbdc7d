package deployment

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"wso2agent/internal/remedy"
	"wso2agent/internal/testenv"
)

// accepted are texts that the servers' reader accepts.
var accepted = map[string]string{
	"an empty file":                             "",
	"a comment without a line end":              "# nothing",
	"blank lines and comments":                  "\n# a\n  # b\n\t\n\na = 1 # c\n",
	"Windows line ends":                         "a = 1\r\n[t]\r\nb = \"x\"\r\n",
	"integers":                                  "a = 1_000\nb = 0xDEAD_beef\nc = 0o17\nd = 0b101\ne = -3\nf = +0",
	"numbers with a point":                      "a = 1.5\nb = -2e10\nc = 6.6e-3\nd = inf\ne = -inf\nf = 1_0.2_5",
	"booleans":                                  "a = true\nb = false",
	"dates and times":                           "a = 1979-05-27T07:32:00Z\nb = 1979-05-27 07:32:00.5-07:00\nc = 1979-05-27T07:32:00\nd = 1979-05-27\ne = 07:32:00.999\n",
	"texts":                                     `a = "x\"\\\b\f\n\r\t\u00e9\U0001F600"` + "\n" + `b = 'C:\x'` + "\nc = ''\nd = \"\"\ne = 'a\tb'",
	"texts of several lines":                    "a = \"\"\"\nx\ny\"\"\"\nb = '''\r\n\tz'''\nc = \"\"\"a\\  \n  b\"\"\"\nd = \"\"\"x \"\" y\"\"\"",
	"characters beyond ASCII in texts":          "a = \"é\" # ü",
	"a backslash in a key":                      `'a\b' = 1`,
	"keys of all kinds":                         "a-b_1 = 1\n1 = 2\n'x y' = 3\n\"p.q\" = 4\n\"\" = 5\na.b . c = 6",
	"tables":                                    "[ a ]\nx = 1\n[a.b]\ny = 2\n[a.'c.d']\nz = 3\n[e.f]\n[g]",
	"arrays of tables":                          "[[a]]\nx = 1\n[a.p]\ny = 2\n[[a]]\nx = 3\n[[a.q]]\nz = 1\n[[a.q]]\n[b]",
	"inline tables":                             "a = {x = 1, y.z = \"b\", 'q' = {r = [1]}}",
	"arrays":                                    "a = []\nb = [1, 2,]\nc = [\n  1, # one\n  2\n]\nd = [[1], [\"x\"]]\ne = [{a = 1}, {b = 2}]\nf = [ # c\n]",
	"an array that stays open once":             "a = [[], [1]]\nb = 2",
	"arrays that stay open, and a blank line":   "a = [[], []]\n\nb = 2",
	"arrays that stay open, and a comment line": "a = [[1,], [2,],]\n # c\n\nb = 2",
	"arrays that stay open at the end":          "a = [[], []]",
	"a key into a table of a header":            "[a]\nb.c = 1\n[a.d]\nx = 1",
	"a header below an inline table":            "a = {b = 1}\n[a.c]\nd = 2",
	"a key below an inline table":               "a = {b = 1}\na.c = 2",
	"a line end missing":                        "[a]\nb = 1",
}

// refusedTexts are texts that it refuses, each with a part of the expected reason.
var refusedTexts = map[string]struct{ text, reason string }{
	"a table behind its part":                 {"[a.b]\nx = 1\n[a]\ny = 2", "line 3: the table [a] stands after a part of it in line 1"},
	"a table behind an array in it":           {"[[a.b]]\n[a]", "line 2: the table [a] stands after"},
	"a table behind a dotted key":             {"a.x = 1\n[a]", "line 2: the table [a] stands after"},
	"a table behind a dotted key in a table":  {"[a]\nb.x = 1\n[a.b]", "line 3: the table [a.b] stands after"},
	"a table behind a dotted key in an array": {"[[e]]\np.y = 1\n[e.p]", "line 3: the table [e.p] stands after"},
	"a table behind an empty inline table":    {"a = {}\n[a]", "line 2: the table [a] stands after"},
	"a table twice":                           {"[a]\n[b]\n[a]", "line 3: [a] is defined twice, the first time in line 1"},
	"a key twice":                             {"a = 1\na = 2", "line 2: a is defined twice, the first time in line 1"},
	"a table next to an array":                {"[[x]]\n[x]", "line 2: [x] is defined twice"},
	"an array next to a table":                {"[x]\n[[x]]", "line 2: [[x]] adds to an array of tables, but line 1"},
	"an array of tables next to a list":       {"x = []\n[[x]]", "line 2: [[x]] adds"},
	"a key through an array":                  {"[[a.x]]\n[b]\n[a]\nx.y = 1", "stands after a part"},
	"a key through a value":                   {"a = 1\na.b = 2", "line 2: a is no table: line 1"},
	"a byte-order mark":                       {"\uFEFFa = 1", "line 1: the file begins with a byte-order mark"},
	"CR alone":                                {"a = 1\rb = 2", "line 1: a carriage return"},
	"an array of two types":                   {"a = [1, \"x\"]", "line 1: an array has values of two types"},
	"an array of two kinds of numbers":        {"a = [1, 2.0]", "line 1: an array has values of two types"},
	"an inline table on two lines":            {"a = {x = 1,\ny = 2}", "line 1"},
	"an inline table with a last comma":       {"a = {x = 1,}", "line 1: an inline table has a comma"},
	"an empty array in an inline table":       {"a = {x = []}", "line 1: an inline table contains an array that is empty"},
	"a comma at the beginning of a line":      {"a = [1\n, 2]", "line 2: a comma stands"},
	"a comma at the beginning of an array":    {"a = [, 1]", "line 1: a comma stands"},
	"a tab in a text":                         {"a = \"x\ty\"", "line 1: a text in double quotes contains a tab"},
	"a tab in a long text":                    {"a = \"\"\"\nx\ty\"\"\"", "line 2: a text in double quotes contains a tab"},
	"unknown escapes":                         {`a = "\/"`, `line 1: the server knows no \/`},
	"the escape e":                            {`a = "\e"`, `knows no \e`},
	"the escape x":                            {`a = "\x41"`, `knows no \x`},
	"too few digits":                          {`a = "\u41"`, "hexadecimal digits"},
	"a bare key beyond ASCII":                 {"schlüssel = 1", "line 1"},
	"a quote in a quoted key":                 {`'a"b' = 1`, "has a quote"},
	"an apostrophe in a quoted key":           {`"a'b" = 1`, "has a quote"},
	"no value":                                {"a =\nb = 1", "line 1: there is no value"},
	"no equals sign":                          {"a\nb = 1", "line 1: a has no value"},
	"two settings on a line":                  {"a = 1 b = 2", "line 1: \"b\" follows the end"},
	"something behind a header":               {"[a] x = 1", "line 1: \"x\" follows the end"},
	"a header that is not closed":             {"[a\nx = 1", "line 1: the table's name [a does not end"},
	"an array header that is not closed":      {"[[a]\nx = 1", "line 1: the table's name [[a does not end"},
	"an empty header":                         {"[]", "line 1"},
	"a text that is not closed":               {"a = \"x\nb = 1", "line 1: a text in \" is not closed"},
	"a long text that is not closed":          {"a = 1\nb = \"\"\"x\ny", "line 2: a text in \"\"\" is not closed"},
	"an array that is not closed":             {"a = [1, 2\nb = 3", "line 2: an array is not closed"},
	"text without quotes":                     {"a = wso2is", "line 1: a value is neither"},
	"a leading zero":                          {"a = 012", "line 1: a value is neither"},
	"an integer that is too large":            {"a = 9223372036854775808", "line 1: a value is neither"},
	"a date that does not exist":              {"a = 2024-02-30", "line 1: the date or time 2024-02-30 does not exist"},
	"arrays that stay open":                   {"a = [[], []]\nb = 2", "line 2: the array before this line"},
	"a key into {}":                           {"a = {}\nb = {}\na.x = 1", "line 3: x goes into a table written {}"},
	"a missing comma":                         {"a = [1 2]", "line 1: an array is not closed, or lacks a comma"},
	"a key that is a header's":                {"[a.b]\n[c]\n[a.b.d]\n[a]", "stands after"},
}

func TestParseAcceptsWhatTheServersAccept(t *testing.T) {
	for name, text := range accepted {
		if _, err := Parse([]byte(text)); err != nil {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
	}
}

func TestParseRefusesWhatTheServersRefuseWithLineAndReason(t *testing.T) {
	for name, c := range refusedTexts {
		_, err := Parse([]byte(c.text))
		var refused *Error
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), c.reason) {
			t.Errorf("%s: error %v, want %q in it", name, err, c.reason)
		}
	}
}

func TestATabInATextIsRefusedWithAHint(t *testing.T) {
	_, err := Parse([]byte("a = \"x\ty\""))
	if err == nil {
		t.Fatal("it is accepted")
	}
	if text, remedies := remedy.Split(err); strings.Contains(text, "write") || !slices.Equal(remedies, []string{`write \t`}) {
		t.Errorf("text %q, remedies %q", text, remedies)
	}
}

func TestTheServersOwnReaderAgrees(t *testing.T) {
	var names, texts []string
	for name, text := range accepted {
		names, texts = append(names, name), append(texts, text)
	}
	for name, c := range refusedTexts {
		if !strings.Contains(c.text, "{}") {
			names, texts = append(names, name), append(texts, c.text)
		}
	}
	for _, file := range []string{"conf/is-7.1.0/deployment.toml", "conf/apim-4.5.0/deployment.toml"} {
		if path, ok := testenv.Find(t, file); ok {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			names, texts = append(names, file), append(texts, string(text))
		}
	}
	random := rand.New(rand.NewPCG(7, 9))
	for i := range 2000 {
		names, texts = append(names, fmt.Sprint("random ", i)), append(texts, randomText(random))
	}
	// A key in a table written {} stays in all such tables as long as the Java machine runs.
	names, texts = append(names, "{}"), append(texts, refusedTexts["a table behind an empty inline table"].text)
	values, refused := testenv.ReadTOML(t, texts)
	takenByBoth := 0
	for i, text := range texts {
		d, err := Parse([]byte(text))
		switch {
		case err == nil && refused[i] != "":
			t.Errorf("%s: accepted, though the server says %s\n%s", names[i], refused[i], text)
		case err != nil && refused[i] == "":
			if !strings.Contains(err.Error(), "a date inside an array") {
				t.Errorf("%s: %v, though the server takes it\n%s", names[i], err, text)
			}
		case err == nil:
			takenByBoth++
			if got := forms(d); !maps.Equal(got, values[i]) {
				t.Errorf("%s: read as\n%v\nby the server as\n%v\n%s", names[i], got, values[i], text)
			}
		}
	}
	t.Logf("%d of %d texts are accepted by both", takenByBoth, len(texts))
	if takenByBoth < 300 || takenByBoth > len(texts)-300 {
		t.Errorf("%d of %d texts are accepted by both: the random ones try too little", takenByBoth, len(texts))
	}
}

// randomText returns lines that are likely to be accepted one by one, and likely to conflict with each other.
func randomText(r *rand.Rand) string {
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	key := func() string {
		k := pick("a", "b", "c", "'a'", `"b"`, "d")
		for r.IntN(3) == 0 {
			k += pick(".", " . ") + pick("a", "b", "x", "'y.z'")
		}
		return k
	}
	var value func(depth int) string
	value = func(depth int) string {
		switch n := r.IntN(9 - 2*min(depth, 2)); {
		case n < 5:
			return pick("1", "-0", "1_2", "0x1f", "1.5", "1e3", "true", `"s"`, "'l'", `"\t\u0041"`, "\"\"\"\nm\n\"\"\"", "1979-05-27", "12:00:00", "''", "inf", "nan")
		case n < 7:
			of, text := value(depth+1), "["+pick("", " ", "\n", "# c\n")
			for range r.IntN(3) {
				text += of + pick("", " ", "\n") + pick(",", ", ", ",\n", ", # c\n")
			}
			return text + pick(of, "", of+"\n", of+" # c\n") + "]"
		}
		text := "{"
		for i := range 1 + r.IntN(3) {
			text += pick("", " ") + pick("p", "q", "r.s") + fmt.Sprint(i) + " = " + value(depth+1) + pick(",", ", ", "", " ")
		}
		return strings.TrimRight(text, ", ") + pick("}", "}", "}", ",}")
	}
	var text strings.Builder
	for range 1 + r.IntN(7) {
		switch n := r.IntN(10); {
		case n < 3:
			text.WriteString(pick("[", "[", "[[") + pick("", " ") + key() + pick("]", "]", "]]"))
		case n < 9:
			text.WriteString(key() + pick(" = ", "=", "= ") + value(0))
		}
		text.WriteString(pick("", "", " ", " # c") + pick("\n", "\n", "\n", "\r\n", "\n\n"))
	}
	return text.String()
}
