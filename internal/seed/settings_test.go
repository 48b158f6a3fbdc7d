package seed

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"wso2agent/internal/config"
	"wso2agent/internal/deployment"
	"wso2agent/internal/testenv"
)

// rules are two tables of an array in which the first that matches wins.
const rules = `[[resource.access_control]]
context = "(.*)/a"
http_method = "GET"
secure = true

[[resource.access_control]]
context = "(.*)"
http_method = "all"
secure = true
`

func TestSettingsAreMergedOneByOne(t *testing.T) {
	for _, test := range []struct {
		name            string
		base, seed, own string
		want            string
		told            string
	}{
		{"a default that changed arrives", "[a]\nx = 1\ny = 1\n", "[a]\nx = 2\ny = 1\n", "[a]\nx = 1 # ours\ny = 7\n",
			"[a]\nx = 2 # ours\ny = 7\n", "a.x replaced"},
		{"a new setting arrives in its table", "[a]\nx = 1\n", "[a]\nx = 1\ny = \"n\"\n", "[a]\nx = 3\n[b]\nz = 1\n",
			"[a]\nx = 3\ny = \"n\"\n[b]\nz = 1\n", "a.y added"},
		{"a new table arrives before a part of it", "x = 1\n", "x = 1\n[a]\ny = 1\n", "x = 2\n\n[a.b]\nz = 1\n",
			"x = 2\n\n[a]\ny = 1\n\n[a.b]\nz = 1\n", "a.y added"},
		{"a setting that the image drops goes", "[a]\nx = 1\ny = 1\n", "[a]\ny = 1\n", "[a]\nx = 1\ny = 2\n",
			"[a]\ny = 2\n", "a.x dropped"},
		{"one that was changed here and by the image stays", "[a]\nx = 1\n", "[a]\nx = 2\n", "[a]\nx = 3\n",
			"[a]\nx = 3\n", "a.x kept"},
		{"one that was changed here and dropped by the image stays", "[a]\nx = 1\ny = 1\n", "[a]\ny = 1\n", "[a]\nx = 3\ny = 1\n",
			"[a]\nx = 3\ny = 1\n", "a.x kept"},
		{"one that was removed here and changed by the image stays removed", "[a]\nx = 1\ny = 1\n", "[a]\nx = 2\ny = 1\n", "[a]\ny = 1\n",
			"[a]\ny = 1\n", "a.x kept"},
		{"one that both made the same is nobody's news", "[a]\nx = 1\n", "[a]\nx = 2\n", "[a]\nx = 2\nz = 1\n", "[a]\nx = 2\nz = 1\n", ""},
		{"another way of writing the same is no change", "[a]\nx = 1000\n", "[a]\nx = 1_000 # now with a comment\n", "[a]\nx = 5\n", "[a]\nx = 5\n", ""},
		{"a table in place of a value", "a = 1\nb = 1\n", "b = 1\n[a]\nx = 1\n", "a = 1\nb = 2\n", "b = 2\n\n[a]\nx = 1\n", "a dropped, a.x added"},
		{"what the server's reader would refuse is kept", "b = 1\n", "b = 1\n[a]\nx = 1\n", "a = 5\nb = 1\n", "a = 5\nb = 1\n", "a.x kept"},
		{"the names and passwords of stores stay", "[keystore.primary]\nfile_name = \"a.jks\"\n", "[keystore.primary]\nfile_name = \"b.p12\"\n",
			"[keystore.primary]\nfile_name = \"a.jks\"\n", "[keystore.primary]\nfile_name = \"a.jks\"\n", "keystore.primary.file_name kept"},
		{"a key with dots and Windows line ends", "[a]\r\n'b.c' = 1\r\n", "[a]\n'b.c' = [\n  1,\n  2\n]\n", "[a]\r\n'b.c' = 1\r\nd = 1\r\n",
			"[a]\r\n'b.c' = [\r\n  1,\r\n  2\r\n]\r\nd = 1\r\n", "a.'b.c' replaced"},

		{"a new table of an array goes to the end", "[[l]]\nid = \"a\"\n", "[[l]]\nid = \"a\"\n\n# of the new image\n[[l]]\nid = \"b\"\nx = 1 # why\n[l.p]\n'q.r' = 2\n",
			"[[l]]\nid = \"a\"\nx = 5\n", "[[l]]\nid = \"a\"\nx = 5\n\n[[l]]\nid = \"b\"\nx = 1 # why\n[l.p]\n'q.r' = 2\n", "l[b] added"},
		{"a new rule goes before the one that it precedes in the image", strings.SplitAfter(rules, "\n\n")[1], rules, "# mine\n" + strings.SplitAfter(rules, "\n\n")[1] + "extra = 1\n",
			strings.SplitAfter(rules, "\n\n")[0] + "# mine\n" + strings.SplitAfter(rules, "\n\n")[1] + "extra = 1\n", "resource.access_control[(.*)/a GET] added"},
		{"a setting of a table that both have follows", rules, strings.Replace(rules, "secure = true", "secure = false", 1), "[[resource.access_control]]\ncontext = \"mine\"\nhttp_method = \"GET\"\n" + rules,
			"[[resource.access_control]]\ncontext = \"mine\"\nhttp_method = \"GET\"\n" + strings.Replace(rules, "secure = true", "secure = false", 1), "resource.access_control[(.*)/a GET].secure replaced"},
		{"a setting of a table that was changed here stays", "[[l]]\nname = \"a\"\nx = 1\ny = 1\n", "[[l]]\nname = \"a\"\nx = 2\ny = 2\nz = 2\n", "[[l]]\nname = \"a\"\nx = 5\ny = 1\n",
			"[[l]]\nname = \"a\"\nx = 5\ny = 2\nz = 2\n", "l[a].x kept, l[a].y replaced, l[a].z added"},
		{"a table that the image drops stays and is told, and so is a setting of one", "[[l]]\nid = \"a\"\nx = 1\n[[l]]\nid = \"b\"\n", "[[l]]\nid = \"a\"\n", "[[l]]\nid = \"a\"\nx = 1\n[[l]]\nid = \"b\"\n",
			"[[l]]\nid = \"a\"\nx = 1\n[[l]]\nid = \"b\"\n", "l[a].x kept, l[b] kept"},
		{"a table that was removed here stays removed", "[[l]]\nid = \"a\"\nx = 1\n[[l]]\nid = \"b\"\n", "[[l]]\nid = \"a\"\nx = 2\n[[l]]\nid = \"b\"\n", "[[l]]\nid = \"b\"\n",
			"[[l]]\nid = \"b\"\n", "l[a] kept"},
		{"tables without a name are told by all that is in them", "[[l]]\nx = 1\n", "[[l]]\nx = 1\n[[l]]\nx = 2\n", "[[l]]\nx = 1\n[[l]]\nx = 9\n",
			"[[l]]\nx = 1\n[[l]]\nx = 9\n\n[[l]]\nx = 2\n", "l[1] added"},
		{"two tables with one name are not mixed up", "[[l]]\nid = \"a\"\nx = 1\n[[l]]\nid = \"a\"\nx = 2\n", "[[l]]\nid = \"a\"\nx = 1\n[[l]]\nid = \"a\"\nx = 3\n",
			"[[l]]\nid = \"a\"\nx = 2\n[[l]]\nid = \"a\"\nx = 1\n", "[[l]]\nid = \"a\"\nx = 2\n[[l]]\nid = \"a\"\nx = 1\n\n[[l]]\nid = \"a\"\nx = 3\n", "l[a] added, l[a] kept"},
		{"a table with tables in it is left to people", "[[l]]\nid = \"a\"\n[[l.m]]\nx = 1\n", "[[l]]\nid = \"a\"\n[[l.m]]\nx = 2\n", "[[l]]\nid = \"a\"\n[[l.m]]\nx = 1\n",
			"[[l]]\nid = \"a\"\n[[l.m]]\nx = 1\n", "l[a] kept"},
		{"a bracket inside a value is no table", "[[l]]\nid = \"a\"\nx = \"\"\"\n[[l]]\n\"\"\"\n", "[[l]]\nid = \"a\"\nx = \"\"\"\n[[l]]\n\"\"\"\n[[l]]\nid = \"b\"\n", "[[l]]\nid = \"a\"\n",
			"[[l]]\nid = \"a\"\n\n[[l]]\nid = \"b\"\n", "l[b] added"},
		{"an array on one line is left to people", "x = 1\n", "x = 1\n[[l]]\nid = \"b\"\n", "x = 1\nl = [ { id = \"c\" } ]\n", "x = 1\nl = [ { id = \"c\" } ]\n", "l[b] kept"},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := newVolume(t)
			v.upgrade(settingsFile, test.base, test.seed, test.own)
			r := v.apply()
			if got := v.content(v.own(settingsFile)); got != test.want {
				t.Errorf("merged:\n%s\nwant:\n%s", got, test.want)
			}
			got := ""
			if len(r.Files) > 0 {
				got = told(r.Files[0].Changes)
				for _, c := range r.Files[0].Changes {
					if (c.Action == Kept) != (c.Why != "") {
						t.Errorf("%s is %s because: %q", c.What, c.Action, c.Why)
					}
				}
			}
			if got != test.told {
				t.Errorf("told: %s\nwant: %s", got, test.told)
			}
			before := v.snapshot()
			if r := v.apply(); len(r.Files) > 0 || v.snapshot() != before {
				t.Errorf("a second run did something: %+v", r)
			}
			// A run that was killed before it could remember the new stock.
			v.write(v.stock(settingsFile), test.base)
			v.apply()
			if got := v.content(v.own(settingsFile)); got != test.want {
				t.Errorf("merged once more:\n%s\nwant:\n%s", got, test.want)
			}
		})
	}
}

func TestAKeptSettingIsToldWithItsLineAndBothValues(t *testing.T) {
	v := newVolume(t)
	v.upgrade(settingsFile, "[a]\nx = 1\npassword = \"p\"\n", "y = 0\n[a]\nx = 2\npassword = \"q\"\n", "# mine\n\n[a]\nx = 3\npassword = \"r\"\n")
	r := v.apply()
	changes := r.Files[0].Changes
	if c := changes[1]; c.What != "a.x" || c.Line != 4 || c.Was != "3" || c.Now != "2" || c.Secret {
		t.Errorf("change = %+v", c)
	}
	if c := changes[2]; c.What != "a.password" || c.Line != 5 || !c.Secret {
		t.Errorf("change = %+v", c)
	}
}

func TestSettingsThatTheServerRefusesAreLeftAloneUntilTheyAreMended(t *testing.T) {
	v := newVolume(t)
	broken := "[a]\nx = 1\nx = 2\n"
	v.upgrade(settingsFile, "[a]\nx = 1\n", "[a]\nx = 1\ny = 1\n", broken)
	for range 2 {
		r := v.apply()
		var refused *deployment.Error
		if len(r.Files) != 1 || !errors.As(r.Files[0].Err, &refused) || !strings.Contains(r.Files[0].Err.Error(), "line 3") || v.content(v.own(settingsFile)) != broken {
			t.Fatalf("report = %+v", r)
		}
	}
	v.write(v.own(settingsFile), "[a]\nx = 2\n")
	v.apply()
	if got := v.content(v.own(settingsFile)); got != "[a]\nx = 2\ny = 1\n" {
		t.Errorf("merged:\n%s", got)
	}
}

// TestTheProductsOwnSettingsTakeANewStockAndKeepWhatPeopleMade changes every value of the products' files in turn.
func TestTheProductsOwnSettingsTakeANewStockAndKeepWhatPeopleMade(t *testing.T) {
	for _, test := range []struct{ product, dir string }{{config.IS, "is-7.1.0"}, {config.AM, "apim-4.5.0"}} {
		t.Run(test.dir, func(t *testing.T) {
			var v volume
			v.t = t
			base := v.content(testenv.Shared(t, "conf", test.dir, "deployment.toml"))
			own := strings.Replace(base, `hostname = "localhost"`, `hostname = "mine" # ours`, 1) + "\n[mine]\nx = 1\n"
			doc, err := deployment.Parse([]byte(base))
			if err != nil {
				t.Fatal(err)
			}
			for path := range doc.Settings() {
				next, err := deployment.Parse([]byte(base))
				if err == nil {
					err = next.Set("other", deployment.Keys(path)...)
				}
				if err != nil {
					t.Fatal(err)
				}
				merged, changes, err := mergeSettings(versions{[]byte(base), next.Bytes(), []byte(own)})
				if err != nil || len(changes) != 1 || changes[0].What != path {
					t.Fatalf("%s: %v, %v", path, changes, err)
				}
				want := own
				if path != "server.hostname" && stays(path) == "" {
					want = setIn(t, own, path)
				}
				if string(merged) != want {
					t.Errorf("%s: merged\n%s", path, merged)
				}
			}
			listener := "\n[[event_listener]]\nid = \"new\"\n[event_listener.properties]\n'a.b' = 1\n"
			merged, changes, err := mergeSettings(versions{[]byte(base), []byte(base + listener), []byte(own)})
			if err != nil || string(merged) != own+listener {
				t.Errorf("with a new listener: %v, %v\n%s", changes, err, merged)
			}
		})
	}
}

func setIn(t *testing.T, text, path string) string {
	t.Helper()
	doc, err := deployment.Parse([]byte(text))
	if err == nil {
		err = doc.Set("other", deployment.Keys(path)...)
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(doc.Bytes())
}

// FuzzMergeStockSettings holds that a merge of files that the server reads is one that it reads, and settled.
func FuzzMergeSettings(f *testing.F) {
	f.Add("[a]\nx = 1\n", "[a]\nx = 2\n[[l]]\nid = 1\n", "[a]\nx = 1\n[[l]]\nid = 2\n")
	f.Add("a = 1\n", "[a]\n'b.c' = [\n[\n1]]\n", "a = 1\n[[l]]\n[[l.m]]\n")
	f.Fuzz(func(t *testing.T, base, seed, own string) {
		merged, _, err := mergeSettings(versions{[]byte(base), []byte(seed), []byte(own)})
		if err != nil {
			return
		}
		if _, err := deployment.Parse(merged); err != nil {
			t.Fatalf("the server would refuse %q: %v", merged, err)
		}
		again, changes, err := mergeSettings(versions{[]byte(base), []byte(seed), merged})
		if err != nil {
			t.Fatal(err)
		}
		if string(again) != string(merged) && string(merged) != base {
			t.Errorf("a second merge changes %q to %q: %s", merged, again, fmt.Sprint(changes))
		}
	})
}
