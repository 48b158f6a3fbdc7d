package wso2sim

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wso2agent/internal/testenv"
)

func TestTheProductsReaderRefusesWhatOtherReadersTake(t *testing.T) {
	for _, tc := range []struct{ name, text, say string }{
		{"a header after its sub-table", "[a.b]\nx = 1\n[a]\ny = 2\n", "line 3: [a] stands after its sub-table a.b of line 1"},
		{"a header after its sub-sub-table", "[a.b.c]\n[a]\n", "StackOverflowError"},
		{"a header after an array of its sub-tables", "[[a.b]]\nx = 1\n[a]\ny = 2\n", "StackOverflowError"},
		{"a header after a dotted key of the top", "a.x = 1\n[a]\ny = 2\n", "a"},
		{"a header after a dotted key of its parent", "[a]\nb.x = 1\n[a.b]\ny = 2\n", "a.b"},
		{"a header after a dotted key in an array of tables", "[[e]]\np.y = 1\n[e.p]\nz = 2\n", "p"},
		{"a sub-table's header after its own sub-table", "[a]\n[a.b.c]\n[a.b]\n", "line 3: [a.b]"},
		{"the same inside an element of an array", "[[e]]\n[e.p.q]\n[e.p]\n", "line 3: [e.p]"},
		{"the same in the second element of an array", "[[e]]\n[e.p]\n[[e]]\n[e.p.q]\n[e.p]\n", "line 5: [e.p]"},
		{"quoted parts of a header", "[a.\"b\"]\n[\"a\"]\n", "StackOverflowError"},
		{"a table twice", "[a]\nx = 1\n[a]\ny = 2\n", "a"},
		{"a key twice", "[a]\nx = 1\nx = 2\n", "x"},
		{"a table beside an array of tables", "[x]\na = 1\n[[x]]\nb = 1\n", "x"},
		{"an array of tables beside a table", "[[x]]\na = 1\n[x]\nb = 1\n", "x"},
		{"an empty array beside an array of tables", "x = []\n[[x]]\nb = 1\n", "x"},
		{"a byte-order mark", "\uFEFFx = 1\n", "byte-order mark"},
		{"CR alone", "x = 1\ry = 2\n", "carriage return"},
		{"CR alone at the end", "x = 1\r", "carriage return"},
		{"CR alone after lines with CRLF", "x = 1\r\ny = 2\rz = 3\r\n", "line 2: a carriage return"},
		{"an array of a string and an integer", `x = ["a", 1]`, "string and of type integer"},
		{"an array of an integer and a float", `x = [1, 2.0]`, "integer and of type float"},
		{"an array of a float with an exponent and an integer", `x = [1e3, 2]`, "float and of type integer"},
		{"an array of arrays of mixed types", `x = [[1, "a"]]`, "integer and of type string"},
		{"an array of a boolean and a date", `x = [true, 1979-05-27]`, "boolean and of type date"},
		{"an array in an inline table", `x = {y = [1, "a"]}`, "integer and of type string"},
		{"an inline table over several lines", "x = {a = 1,\n b = 2}\n", "several lines"},
		{"an inline table with a trailing comma", "x = {a = 1, b = 2,}\n", "comma"},
		{"a comma at the start of an array's next line", "x = [\n 1\n , 2\n]\n", "comma begins a line"},
		{"a comma behind a comment", "x = [\n 1 # one\n , 2\n]\n", "comma begins a line"},
		{"a tab inside a string", "x = \"a\tb\"", "tab"},
		{"the escape of a slash", `x = "a\/b"`, `\/`},
		{"the escape of ESC", `x = "a\e"`, `\e`},
		{"a hexadecimal escape", `x = "\x41"`, `\x`},
		{"an escape in a string of several lines", "x = \"\"\"\n\\e\"\"\"", `\e`},
		{"a bare key beyond ASCII", "größe = 1", ""},
		{"a double quote inside a quoted key", `"a\"b" = 1`, "quote in it"},
		{"a double quote inside a key in single quotes", `'a"b' = 1`, "quote in it"},
		{"a single quote inside a quoted key", `"it's" = 1`, "quote in it"},
		{"nothing but a bracket", "[server\n", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := decodeTOML(tc.text)
			if err == nil {
				t.Fatalf("taken as %v", got)
			}
			if !strings.Contains(err.Error(), tc.say) {
				t.Errorf("the error %q does not say %q", err, tc.say)
			}
		})
	}
}

func TestTheProductsReaderTakesTheRest(t *testing.T) {
	for _, tc := range []struct{ name, text string }{
		{"a header before its sub-table", "[a]\n[a.b]\n"},
		{"a sub-table without its parent's header", "[a.b.c]\n[a.b.d]\n"},
		{"a further element of an array with sub-tables", "[[e]]\nx = 1\n[e.p]\ny = 1\n[[e]]\nx = 2\n[e.p]\ny = 2\n"},
		{"a name that another begins with", "[ab.c]\n[a]\n"},
		{"CRLF", "[a]\r\nx = 1\r\n"},
		{"an inline table on one line", `x = {a = 1, "b.c" = [1, 2], d = {e = "}"}}`},
		{"dotted keys", "[a]\nb.c = 1\nb.d = 2\n"},
		{"a quoted key with dots", `'header.X-WSO2-KEY-MANAGER' = "WSO2-IS"`},
		{"an array over several lines with comments", "x = [ # what\n  1, # one\n  2,\n  # last\n]\n"},
		{"an array of arrays of different types", `x = [[1], ["a"]]`},
		{"dates, times and numbers", "a = 1979-05-27T07:32:00Z\nb = 1_000\nc = 0xE5\nd = [0x1E, 2]\ne = 1979-05-27 07:32:00\n"},
		{"what looks like structure inside strings", "a = '[x]' # [a]\nb = \"[a.b] = { , }\"\nc = '''\n[a.b]\n[a]\n'''\nd = \"\"\"\n[a.b]\n\"\"\"\n"},
		{"quotes before closing quotes", "a = \"\"\"x\"\"\"\"\"\nb = '''y'''''\nc = 1\n"},
		{"a tab between single quotes", "x = 'a\tb'"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := decodeTOML(tc.text); err != nil {
				t.Errorf("refused: %v", err)
			}
		})
	}
}

func TestABackslashAtALinesEndJoinsNothing(t *testing.T) {
	got, err := decodeTOML("x = \"\"\"a\\\n   b\"\"\"\ny = 1\n")
	if err != nil {
		t.Fatal(err)
	}
	if got["x"] != "a\\\n   b" {
		t.Errorf("read as %q", got["x"])
	}
}

func TestTheShippedConfigurationIsTaken(t *testing.T) {
	for _, dir := range []string{"is-7.1.0", "apim-4.5.0"} {
		if _, err := decodeTOML(string(readFile(t, testenv.Shared(t, "conf", dir, "deployment.toml")))); err != nil {
			t.Errorf("%s: %v", dir, err)
		}
	}
}

func TestAppendingToTheShippedConfigurationIsDeadlyWhereTheProductsDie(t *testing.T) {
	for dir, headers := range map[string]map[string]bool{
		"is-7.1.0":   {"keystore": true, "database": true, "identity": true, "account_recovery": true, "oauth": false, "role_mgt": false},
		"apim-4.5.0": {"oauth": true, "keystore": true, "database": true, "apim.gateway": true, "role_mgt": false},
	} {
		text := string(readFile(t, testenv.Shared(t, "conf", dir, "deployment.toml")))
		for header, deadly := range headers {
			if _, err := decodeTOML(text + "\n[" + header + "]\nx = 1\n"); (err != nil) != deadly {
				t.Errorf("%s with [%s] appended: %v", dir, header, err)
			}
		}
	}
}

func FuzzDecodeTOML(f *testing.F) {
	for _, seed := range []string{isSettings, amSettings, "a.b = [1, {c = '''x'''}]\n[[e]]\n[e.p]\n", "x = \"\"\"\\\n\"\"\""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) { _, _ = decodeTOML(text) })
}

// readSettingsOf reads a configuration as a server does at its start.
func readSettingsOf(t *testing.T, text string) (settings, error) {
	t.Helper()
	home := t.TempDir()
	if err := writeNew(filepath.Join(home, settingsFile), []byte(text)); err != nil {
		t.Fatal(err)
	}
	return readSettings(home)
}

func TestReferencesInTheConfiguration(t *testing.T) {
	t.Setenv("PLAIN", "from the environment")
	t.Setenv("DOLLAR", "pa$$word")
	t.Setenv("GROUP", "${x}")
	t.Setenv("BACKSLASH", `a\b`)
	t.Setenv("EMPTY", "")
	if err := os.Unsetenv("UNSET_HERE"); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ name, text, path, want, refused string }{
		{"a variable of the environment", `x = "<$env{PLAIN}>"`, "x", "<from the environment>", ""},
		{"an empty one", `x = "<$env{EMPTY}>"`, "x", "<>", ""},
		{"an unset one", `x = "$env{UNSET_HERE}"`, "", "", "$env{UNSET_HERE} has no value"},
		{"an unset one in an array", `x = ["$env{UNSET_HERE}"]`, "", "", "UNSET_HERE"},
		{"a system property that is there", `x = "$sys{user.dir}"`, "x", "", ""},
		{"one that is not", `x = "$sys{no.such}"`, "", "", "$sys{no.such} has no value"},
		{"another key", "[a]\nb = 'c'\n[d]\nx = \"$ref{a.b}\"", "d.x", "c", ""},
		{"another key that is a number", "[a]\nb = 5\n[d]\nx = \"$ref{a.b}\"", "d.x", "5", ""},
		{"a key that refers to a third", "x = \"$ref{y}\"\ny = \"$ref{z}\"\nz = \"deep\"", "x", "deep", ""},
		{"a key that only the product's defaults have", `x = "$ref{keystore.primary.file_name}"`, "x", "wso2carbon.jks", ""},
		{"a key that is not there", `x = "$ref{no.such}"`, "", "", "$ref{no.such} has no value"},
		{"keys that refer to each other", "x = \"$ref{y}\"\ny = \"$ref{x}\"", "", "", "refer to each other"},
		{"a dollar in a variable", `x = "$env{DOLLAR}"`, "", "", "Illegal group reference"},
		{"a group in a variable", `x = "$env{GROUP}"`, "", "", "Illegal group reference"},
		{"a dollar in the key referred to", "x = \"$ref{y}\"\ny = \"a$b\"", "", "", "Illegal group reference"},
		{"a backslash in a variable is dropped", `x = "$env{BACKSLASH}"`, "x", "ab", ""},
		{"dollar and backslash written in the file", `x = 'pa$$wo\rd'`, "x", `pa$$wo\rd`, ""},
		{"what the server fills in later", `x = "${carbon.host}"`, "x", "${carbon.host}", ""},
		{"what is beyond ASCII is misread", `x = "é"`, "x", "\uFFFD\uFFFD", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := readSettingsOf(t, tc.text)
			if tc.refused != "" {
				if err == nil || !strings.Contains(err.Error(), tc.refused) {
					t.Errorf("read as %v: %v", s.tree, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := s.at(tc.path); tc.want != "" && got != tc.want {
				t.Errorf("read as %q, want %q", got, tc.want)
			}
		})
	}
	t.Run("no secret value stands in the error", func(t *testing.T) {
		if _, err := readSettingsOf(t, `x = "$env{DOLLAR}"`); strings.Contains(err.Error(), "pa$$word") {
			t.Error(err)
		}
	})
}

func TestReferencesInsideArraysOfTables(t *testing.T) {
	t.Setenv("PLAIN", "set")
	s, err := readSettingsOf(t, "[a]\nb = \"c\"\n[[e]]\nref = \"$ref{a.b}\"\nenv = \"$env{PLAIN}\"\n[e.p]\nref = \"$ref{no.such}\"\nenv = \"$env{PLAIN}\"\n")
	if err != nil {
		t.Fatal(err)
	}
	e := s.tables("e")[0]
	for path, want := range map[string]string{"ref": "$ref{a.b}", "env": "set", "p.ref": "$ref{no.such}", "p.env": "set"} {
		if got := e.at(path); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
}

func TestAServerDiesOfValuesThatBreakItsGeneratedXML(t *testing.T) {
	for value, broken := range map[string]bool{"a&b": true, "a<b": true, "a&amp;b": false, "a>b": false} {
		home := newHome(t, ProductIS)
		if err := replaceIn(filepath.Join(home, settingsFile), `node_ip = "127.0.0.1"`, `node_ip = "`+value+`"`); err != nil {
			t.Fatal(err)
		}
		is, err := StartIS(t.Context(), Options{Home: home, Listen: "127.0.0.1:0"})
		if err == nil {
			is.Close()
		}
		if (err != nil) != broken || broken && !strings.Contains(err.Error(), "node_ip") {
			t.Errorf("%s: %v", value, err)
		}
	}
}

func TestWhatLooksLikeATemplateIsEvaluated(t *testing.T) {
	s, err := readSettingsOf(t, "[a]\nb = \"c\"\nx = \"<{{a.b}}{{ no.such }}>\"\n")
	if err != nil {
		t.Fatal(err)
	}
	if got := s.at("a.x"); got != "<c>" {
		t.Errorf("read as %q", got)
	}
}
