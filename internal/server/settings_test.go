package server

import (
	"encoding/base64"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/diff"

	"wso2agent/internal/config"
	"wso2agent/internal/deployment"
	"wso2agent/internal/testenv"
)

var update = flag.Bool("update", false, "write the golden diffs anew")

func isNeeds() Needs {
	return Needs{Product: config.IS, Hostname: "wso2is", User: "admin", Password: "admin",
		AMHost: "wso2am", AMPort: 9443, AMUser: "admin", AMPassword: "am-secret"}
}

func amNeeds() Needs {
	return Needs{Product: config.AM, User: "admin", Password: "admin"}
}

// withAll are needs with everything that can be chosen.
func withAll(n Needs) Needs {
	n.SideBySide, n.ServerAdmin, n.SecretsEnv = true, true, true
	n.EventWait = 100 * time.Millisecond
	n.PublicHost, n.ProxyPort, n.Reload = "api.example.com", 443, true
	n.User, n.Password = "root", "own-secret"
	n.TLS = &TLSKeystore{File: "wso2agent-tls.p12", Type: "PKCS12", Password: "tls-secret", Alias: "tls", KeyPassword: "tls-secret"}
	n.Database = &Database{Host: "postgres", Port: 5432, Pool: 20, Own: "apim_db", Shared: "shared_db", Schema: "wso2am", User: "wso2am", Password: "db-secret", PasswordEnv: "AM_DB_PASSWORD"}
	if n.Product == config.IS {
		n.Database.Own, n.Database.Schema, n.Database.User, n.Database.PasswordEnv = "identity_db", "wso2is", "wso2is", "IS_DB_PASSWORD"
	}
	return n
}

func shipped(t testing.TB, product string) []byte {
	t.Helper()
	text, err := os.ReadFile(testenv.Shared(t, "conf", map[string]string{config.IS: "is-7.1.0", config.AM: "apim-4.5.0"}[product], "deployment.toml"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func merge(t testing.TB, n Needs, text string, r Record) (string, []Change, Record) {
	t.Helper()
	out, changes, next, err := n.Merge([]byte(text), r, false)
	if err != nil {
		t.Fatal(err)
	}
	return string(out), changes, next
}

func TestTheProductsOwnFilesGetWhatIsNeededAndNothingElse(t *testing.T) {
	for name, n := range map[string]Needs{
		"is": isNeeds(), "am": amNeeds(), "is-all": withAll(isNeeds()), "am-all": withAll(amNeeds()),
	} {
		t.Run(name, func(t *testing.T) {
			before := shipped(t, n.Product)
			after, changes, record := merge(t, n, string(before), nil)
			golden := filepath.Join("testdata", "settings", name+".diff")
			got := diff.Diff("shipped", before, "merged", []byte(after))
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != string(want) {
				t.Errorf("the difference to the shipped file is\n%s\nwant\n%s", got, want)
			}
			for _, c := range changes {
				if c.Action == Kept {
					t.Errorf("%s of the shipped file counts as somebody's: %+v", c.Setting, c)
				}
			}
			again, changes, _ := merge(t, n, after, record)
			if again != after || len(changes) > 0 {
				t.Errorf("a second merge changes %+v:\n%s", changes, diff.Diff("first", []byte(after), "second", []byte(again)))
			}
		})
	}
}

// text is a value in the form of testenv.ReadTOML.
func text(s string) string { return "s:" + base64.StdEncoding.EncodeToString([]byte(s)) }

func TestTheServersOwnReaderFindsEveryValueAsItShouldBe(t *testing.T) {
	var names []string
	var before, after []string
	var all []Needs
	add := func(name string, n Needs, from string) {
		merged, _, _ := merge(t, n, from, nil)
		names, all = append(names, name), append(all, n)
		before, after = append(before, from), append(after, merged)
	}
	for _, n := range []Needs{isNeeds(), amNeeds(), withAll(isNeeds()), withAll(amNeeds())} {
		add("shipped "+n.Product, n, string(shipped(t, n.Product)))
		for name, from := range edited {
			add(name+" "+n.Product, n, from)
		}
	}
	was, refused := testenv.ReadTOML(t, before)
	for i, why := range refused {
		if why != "" {
			t.Fatalf("%s: refused as it is: %s", names[i], why)
		}
	}
	values, refused := testenv.ReadTOML(t, after)
	for i, name := range names {
		if refused[i] != "" {
			t.Errorf("%s: refused: %s\n%s", name, refused[i], after[i])
			continue
		}
		expected := maps.Clone(was[i])
		checkNeeds(t, name, all[i], values[i], expected, before[i])
		if !maps.Equal(values[i], expected) {
			t.Errorf("%s: other settings than those needed have changed:\n%s", name, diff.Diff("before", []byte(before[i]), "after", []byte(after[i])))
		}
	}
}

// checkNeeds holds that every needed setting has its value, unless the file had another that nobody ships. It makes
// expected what the values should be.
func checkNeeds(t *testing.T, name string, n Needs, values, expected map[string]string, before string) {
	t.Helper()
	needs, err := n.needs()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := deployment.Parse([]byte(before))
	if err != nil {
		t.Fatal(err)
	}
	for _, need := range needs {
		if need.array != nil {
			key := deployment.Path(need.array...)
			for _, w := range need.settings {
				if s, ok := w.data.(string); ok && !strings.Contains(values[key], text(s)) {
					t.Errorf("%s: %s lacks %s = %q", name, key, deployment.Path(w.path...), s)
				}
			}
			if !strings.HasSuffix(values[key], strings.TrimPrefix(expected[key], "[")) && !strings.HasPrefix(values[key], strings.TrimSuffix(expected[key], "]")) {
				t.Errorf("%s: other tables of %s have changed: %s, before %s", name, key, values[key], expected[key])
			}
			expected[key] = values[key]
			continue
		}
		if need.whole && slices.ContainsFunc(need.settings, func(w want) bool {
			v, ok := doc.Get(w.path...)
			return ok && !slices.Contains(w.stock, v.Data)
		}) {
			continue // somebody's, and expected to stay whole
		}
		for _, w := range need.settings {
			key := deployment.Path(w.path...)
			if v, ok := doc.Get(w.path...); ok && !slices.Contains(w.stock, v.Data) {
				continue // somebody's, and expected to stay
			} else if !ok && w.unsaid && w.data == w.stock[0] {
				continue // the product's default
			}
			switch v := w.data.(type) {
			case string:
				expected[key] = text(v)
			case int:
				expected[key] = fmt.Sprint("i:", v)
			case bool:
				expected[key] = fmt.Sprint("b:", v)
			case []string:
				expected[key] = "["
				for _, item := range v {
					expected[key] += text(item) + " "
				}
				expected[key] += "]"
			}
			if values[key] != expected[key] {
				t.Errorf("%s: %s = %s, want %s", name, key, values[key], expected[key])
			}
		}
	}
}

// edited are files as people leave them.
var edited = map[string]string{
	"empty":             "",
	"comments only":     "# nothing yet\n\n#[server]\n#hostname = \"x\"",
	"Windows line ends": "[server]\r\nhostname = \"localhost\" # ours\r\n\r\n[oauth.token]\r\nx = 1\r\n",
	"dotted keys":       "server.hostname = \"localhost\"\nkeystore.tls.file_name = \"mine.jks\"\noauth.x = true\n[database]\nshared_db.type = \"h2\"\n",
	"inline tables":     "server = {hostname = \"localhost\", node_ip = \"127.0.0.1\"}\nkeystore = {primary = {file_name = \"wso2carbon.jks\"}}\nsuper_admin = {username = \"admin\", password = \"admin\"}\n",
	"parts of tables":   "[oauth.jwt.other]\nx = 1\n\n# of the database\n[database.local]\nurl = \"u\"\n[[keystore.list]]\na = 1\n[role_mgt.x]\n[server.x]\n",
	"own tables of arrays": `[[resource.access_control]]
context = "(.*)/mine"
http_method = "all"

# a listener of ours
[[event_listener]]
id = "other"
[event_listener.properties]
x = "y"

[[event_listener]]
id = "last"
`,
	"references":   "[server]\nhostname = \"localhost\"\nbase_path = \"https://$ref{server.hostname}:${carbon.management.port}\"\n[x]\ny = \"$env{PATH}\"\n",
	"odd comments": "#[oauth]\n[ server ] # [server]\n  hostname='localhost'# = \"x\"\n\t# indented\n\n\n[a.'b.c']\n\"d e\" = [1, # one\n 2,]\n",
}
