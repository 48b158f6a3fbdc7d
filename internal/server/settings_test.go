package server

import (
	"encoding/base64"
	"errors"
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
	n.PublicHost, n.ProxyPort = "api.example.com", 443
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

func TestWhatSomebodyMadeOtherwiseIsKeptAndReportedOrOverriddenOnRequest(t *testing.T) {
	before := "[server]\nhostname = \"login.example.com\" # public\n\n[[event_listener]]\nid = \"token_revocation\"\norder = 1\n[event_listener.properties]\nusername = \"${admin.username}\"\n"
	after, changes, record := merge(t, isNeeds(), before, nil)
	if !strings.Contains(after, `hostname = "login.example.com" # public`) || !strings.Contains(after, `username = "${admin.username}"`) {
		t.Errorf("somebody's settings are gone:\n%s", after)
	}
	kept := map[string]Change{}
	for _, c := range changes {
		if c.Action == Kept {
			kept[c.Setting] = c
		}
	}
	want := map[string]Change{
		"server.hostname": {"server.hostname", 2, `"login.example.com"`, `"wso2is"`, Kept, false},
		"event_listener[token_revocation].properties.username": {"event_listener[token_revocation].properties.username", 8, `"${admin.username}"`, `"admin"`, Kept, false},
	}
	if !maps.Equal(kept, want) {
		t.Errorf("kept: %+v, want %+v", kept, want)
	}
	if !strings.Contains(after, "'header.X-WSO2-KEY-MANAGER' = \"WSO2-IS\"") || strings.Count(after, "[[event_listener]]") != 1 {
		t.Errorf("the rest of the listener is not as needed:\n%s", after)
	}
	overridden, _, _, err := isNeeds().Merge([]byte(after), record, true)
	if err != nil || !strings.Contains(string(overridden), `hostname = "wso2is" # public`) || !strings.Contains(string(overridden), `username = "admin"`) {
		t.Errorf("overridden: %v\n%s", err, overridden)
	}
}

func TestATLSKeystoreOfSomebodysIsKeptWhole(t *testing.T) {
	for name, before := range map[string]string{
		"API-M's table with another file": "[keystore.tls]\nfile_name = \"company.jks\"\ntype = \"JKS\"\npassword = \"wso2carbon\"\nalias = \"wso2carbon\"\nkey_password = \"wso2carbon\"\n",
		"a table that leaves keys out":    "[keystore.tls]\nfile_name = \"company.p12\"\npassword = \"x\"\n",
	} {
		n := amNeeds()
		n.TLS = withAll(amNeeds()).TLS
		after, changes, record := merge(t, n, before, nil)
		if after != before || len(record) > 0 {
			t.Errorf("%s: it became\n%s", name, after)
		}
		if len(changes) == 0 || changes[0].Action != Kept {
			t.Errorf("%s: nothing is told: %+v", name, changes)
		}
		overridden, _, _, err := n.Merge([]byte(before), nil, true)
		if err != nil || !strings.Contains(string(overridden), `"wso2agent-tls.p12"`) {
			t.Errorf("%s: overridden: %v\n%s", name, err, overridden)
		}
	}
}

func TestTheAgentsOwnSettingsFollowItsSettings(t *testing.T) {
	first, _, record := merge(t, isNeeds(), string(shipped(t, config.IS)), nil)
	moved := isNeeds()
	moved.AMHost, moved.Hostname = "gateway", "login"
	second, changes, record := merge(t, moved, first, record)
	if !strings.Contains(second, `"https://gateway:9443/internal`) || !strings.Contains(second, `hostname = "login"`) {
		t.Errorf("after a change: %+v\n%s", changes, second)
	}
	back, _, _ := merge(t, isNeeds(), second, record)
	if back != first {
		t.Errorf("after the change back:\n%s", diff.Diff("first", []byte(first), "back", []byte(back)))
	}
	theirs := strings.Replace(second, `hostname = "login"`, `hostname = "theirs"`, 1)
	kept, _, _ := merge(t, isNeeds(), theirs, record)
	if !strings.Contains(kept, `hostname = "theirs"`) {
		t.Errorf("what somebody changed after the agent was replaced:\n%s", kept)
	}
}

func TestWhatIsNoLongerNeededGoesBackToWhatItWas(t *testing.T) {
	stock := string(shipped(t, config.AM))
	with, _, record := merge(t, withAll(amNeeds()), stock, nil)
	without, changes, record := merge(t, amNeeds(), with, record)
	for _, c := range changes {
		if c.Secret && !strings.Contains(c.Setting, "password") || !c.Secret && strings.Contains(c.Setting, "password") {
			t.Errorf("%s: secret is %v", c.Setting, c.Secret)
		}
	}
	was, now := values(t, stock), values(t, without)
	if !maps.Equal(was, now) {
		t.Errorf("settings are left:\n%s", diff.Diff("stock", []byte(stock), "now", []byte(without)))
	}
	if again, changes, _ := merge(t, amNeeds(), without, record); again != without || len(changes) > 0 {
		t.Errorf("a further merge changes %+v", changes)
	}
}

func values(t *testing.T, text string) map[string]any {
	t.Helper()
	doc, err := deployment.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]any{}
	for path, v := range doc.Settings() {
		out[path] = fmt.Sprint(v.Data)
	}
	return out
}

func TestWhatTheServerWouldRefuseIsNamedAndNotTouched(t *testing.T) {
	for text, reason := range map[string]string{
		"[oauth.x]\na = 1\n[oauth]\n":     "line 3: the table [oauth] stands after a part of it in line 1",
		"event_listener = [{id = 1}]\n":   "line 1: event_listener is written as one value",
		"[server]\nhostname = \"a\tb\"\n": "line 2: a tab stands",
	} {
		_, _, _, err := isNeeds().Merge([]byte(text), nil, false)
		if err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%q: error %v, want %q", text, err, reason)
		}
	}
	if _, _, _, err := isNeeds().Merge([]byte("[a]\n[a]\n"), nil, false); !errors.Is(err, ErrRefused) {
		t.Errorf("error %v is not ErrRefused", err)
	}
}

func TestValuesThatWouldNotArriveAreNamedWithoutBeingShown(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Needs)
		reason string
	}{
		"an ampersand":                  {func(n *Needs) { n.User = "top&secret" }, "super_admin.username in deployment.toml has &"},
		"a template":                    {func(n *Needs) { n.User = "top{{secret" }, "has {{"},
		"a character":                   {func(n *Needs) { n.Password = "töp-secret" }, "super_admin.password in deployment.toml has the character 0xC3"},
		"a dollar by name":              {func(n *Needs) { n.SecretsEnv = true; n.AMPassword = "top$secret" }, "AM_ADMIN_PASS has $ in it, which the server cannot read from its environment; choose another, or set SECRETS_ENV=false"},
		"an ampersand by name":          {func(n *Needs) { n.SecretsEnv = true; n.Password = "top&secret" }, "IS_ADMIN_PASS has & in it"},
		"an address by name":            {func(n *Needs) { n.Product, n.SecretsEnv = config.AM, true; n.Password = "top@secret" }, "AM_ADMIN_PASS has @ in it"},
		"a database's password by name": {func(n *Needs) { *n = withAll(*n); n.Database.Password = "top<secret" }, "the database's password has < in it, which the server cannot read from its environment; choose another"},
		"no password":                   {func(n *Needs) { *n = withAll(*n); n.SecretsEnv, n.Database.Password = false, "" }, "the database's password is missing; set IS_DB_PASSWORD or IS_DB_PASSWORD_FILE"},
		"localhost":                     {func(n *Needs) { n.AMHost = "localhost" }, "AM_HOST is localhost: IS would tell itself"},
		"the own address":               {func(n *Needs) { n.AMHost = "127.0.0.1" }, "AM_HOST is 127.0.0.1"},
	} {
		n := isNeeds()
		c.change(&n)
		_, _, _, err := n.Merge(nil, nil, false)
		if err == nil || !strings.Contains(err.Error(), c.reason) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: error %v, want %q and no secret", name, err, c.reason)
		}
	}
	both := isNeeds()
	both.AMHost, both.Hostname = "localhost", "localhost" // one network namespace
	if _, _, _, err := both.Merge(nil, nil, false); err != nil {
		t.Error(err)
	}
}

func TestSecretsCanStayInTheEnvironment(t *testing.T) {
	n := withAll(isNeeds())
	after, changes, record := merge(t, n, string(shipped(t, config.IS)), nil)
	for _, secret := range []string{"am-secret", "db-secret", "own-secret"} {
		if strings.Contains(after, secret) || strings.Contains(fmt.Sprint(record), secret) {
			t.Errorf("%s stands in the file or in the record", secret)
		}
	}
	for _, variable := range []string{"$env{AM_ADMIN_PASS}", "$env{IS_DB_PASSWORD}", "$env{IS_ADMIN_PASS}"} {
		if !strings.Contains(after, `"`+variable+`"`) {
			t.Errorf("%s is not referred to:\n%s", variable, after)
		}
	}
	for _, c := range changes {
		if strings.Contains(c.Setting, "password") && !c.Secret {
			t.Errorf("%s would be shown", c.Setting)
		}
	}
}

func TestStoresAreThoseThatTheServersSettingsName(t *testing.T) {
	none := func(string) bool { return false }
	for name, c := range map[string]struct {
		product, text string
		given         func(string) bool
		want          Stores
		reason        string
	}{
		"IS by default":    {config.IS, "", none, Stores{"wso2carbon.p12", "wso2carbon", "", "client-truststore.p12", "wso2carbon"}, ""},
		"API-M by default": {config.AM, "", none, Stores{"wso2carbon.jks", "wso2carbon", "", "client-truststore.jks", "wso2carbon"}, ""},
		"a primary keystore": {config.IS, "[keystore.primary]\nfile_name = \"p.p12\"\npassword = \"x\"\nalias = \"a\"\n", none,
			Stores{"p.p12", "x", "a", "client-truststore.p12", "wso2carbon"}, ""},
		"a keystore for TLS that leaves out some": {config.AM, "[keystore.tls]\nfile_name = \"tls.jks\"\n[keystore.primary]\nalias = \"a\"\npassword = \"x\"\n", none,
			Stores{"tls.jks", "x", "a", "client-truststore.jks", "wso2carbon"}, ""},
		"references to what the product sets": {config.AM, "[keystore.tls]\nfile_name = \"$ref{keystore.primary.file_name}\"\npassword = \"$ref{truststore.password}\"\n[truststore]\npassword = \"t\"\n", none,
			Stores{"wso2carbon.jks", "t", "", "client-truststore.jks", "t"}, ""},
		"a password that only the server knows": {config.AM, "[truststore]\npassword = \"$env{P}\"\n", none,
			Stores{}, "line 2: truststore.password: the value of $env{P} is known to the server alone; set TRUSTSTORE_PASS"},
		"a password that is given": {config.AM, "[truststore]\npassword = \"$env{P}\"\n", func(name string) bool { return name == "TRUSTSTORE_PASS" },
			Stores{"wso2carbon.jks", "wso2carbon", "", "client-truststore.jks", ""}, ""},
	} {
		got, err := ReadStores(c.product, []byte(c.text), c.given)
		switch {
		case c.reason != "":
			if err == nil || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("%s: error %v, want %q", name, err, c.reason)
			}
		case err != nil || got != c.want:
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, c.want)
		}
	}
}

// FuzzMerge holds that whatever parses still parses after a merge, with every other value as it was, that a second merge
// changes nothing, and that the way back ends where it began.
func FuzzMerge(f *testing.F) {
	for _, text := range edited {
		f.Add(text, false)
		f.Add(text, true)
	}
	f.Fuzz(func(t *testing.T, text string, all bool) {
		doc, err := deployment.Parse([]byte(text))
		if err != nil {
			return
		}
		n := isNeeds()
		if all {
			n = withAll(n)
		}
		merged, _, record, err := n.Merge([]byte(text), nil, false)
		if err != nil {
			return // somebody's setting is in the way, by name
		}
		after, err := deployment.Parse(merged)
		if err != nil {
			t.Fatalf("%v in\n%s", err, merged)
		}
		needed := map[string]bool{}
		needs, _ := n.needs()
		for _, need := range needs {
			for _, w := range need.settings {
				needed[deployment.Path(w.path...)] = need.array == nil
			}
		}
		now := after.Settings()
		for path, v := range doc.Settings() {
			if !needed[path] && fmt.Sprint(now[path].Data) != fmt.Sprint(v.Data) {
				t.Fatalf("%s was %v and is %v in\n%s", path, v.Data, now[path].Data, merged)
			}
		}
		again, changes, _, err := n.Merge(merged, record, false)
		if err != nil || string(again) != string(merged) || slices.ContainsFunc(changes, func(c Change) bool { return c.Action != Kept }) {
			t.Fatalf("a second merge: %v, %+v\n%s", err, changes, diff.Diff("first", merged, "second", again))
		}
	})
}

func TestAllScopesGoesOnlyWhenItMay(t *testing.T) {
	const earlier = "[server]\nhostname = \"wso2is\"\n\n[oauth]\nauthorize_all_scopes = true\n"
	ours := Record{AllScopesSetting: {Text: "true", Path: "oauth\nauthorize_all_scopes"}} // as an earlier agent wrote it
	tests := []struct {
		name           string
		record         Record
		keep, override bool
		all            bool
		value          string
		action         Action
	}{
		{"what the agent wrote stays for now", ours, true, false, false, "true", Waits},
		{"and goes later", ours, false, false, false, "false", Replaced},
		{"a person's own stays", nil, false, false, false, "true", Kept},
		{"a person's own stays for now, too", nil, true, false, false, "true", Kept},
		{"a person's own that is overridden stays for now", nil, true, true, false, "true", Waits},
		{"and goes later, too", nil, false, true, false, "false", Replaced},
		{"it stays where it is wanted", ours, true, false, true, "true", ""},
		{"a person's own that is wanted is nobody's matter", nil, true, false, true, "true", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := isNeeds()
			n.KeepAllScopes, n.AllScopes = tt.keep, tt.all
			text, changes, record, err := n.Merge([]byte(earlier), tt.record, tt.override)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(text), "authorize_all_scopes = "+tt.value+"\n") {
				t.Errorf("want %s:\n%s", tt.value, text)
			}
			var action Action
			for _, c := range changes {
				if c.Setting == AllScopesSetting {
					action = c.Action
				}
			}
			if action != tt.action {
				t.Errorf("action %q, want %q", action, tt.action)
			}
			if tt.action == Waits && record[AllScopesSetting].Text != "true" {
				t.Errorf("the agent does not know that it is to go: %v", record)
			}
			again, _, _, err := n.Merge(text, record, tt.override)
			if err != nil || string(again) != string(text) {
				t.Errorf("a second merge changes it: %v\n%s", err, again)
			}
		})
	}
}

func TestAFreshFileSaysNothingOfAllScopes(t *testing.T) {
	text, _, _ := merge(t, isNeeds(), "[server]\nhostname = \"wso2is\"\n", nil)
	if strings.Contains(text, "authorize_all_scopes") {
		t.Error(text)
	}
}

func TestTheEntryForSCIM11StandsBeforeEveryOther(t *testing.T) {
	const others = "[[resource.access_control]] # ours\ncontext = \"(.*)\"\nhttp_method = \"GET\"\nsecure = false\n\n[[resource.access_control]]\ncontext = \"/b\"\nhttp_method = \"all\"\n"
	first, _, record := merge(t, isNeeds(), others, nil)
	moved := strings.Replace(first, others, "", 1)
	if moved == first {
		t.Fatalf("somebody's entries are not as they were:\n%s", first)
	}
	behind := others + "\n" + moved // somebody puts theirs before it
	for name, text := range map[string]string{"new": first, "behind others": behind, "behind others, by somebody without a record": behind} {
		after, _, next := merge(t, isNeeds(), text, record)
		doc, err := deployment.Parse([]byte(after))
		if err != nil {
			t.Fatal(err)
		}
		elements, err := doc.Elements("resource", "access_control")
		if err != nil || len(elements) != 4 {
			t.Fatalf("%s: %d entries, %v\n%s", name, len(elements), err, after)
		}
		var contexts []string
		for _, e := range elements {
			v, _ := e.Get("context")
			contexts = append(contexts, fmt.Sprint(v.Data))
		}
		if contexts[0] != "(.*)/wso2/scim(.*)" {
			t.Errorf("%s: %q", name, contexts)
		}
		if again, changes, _ := merge(t, isNeeds(), after, next); again != after || len(changes) > 0 {
			t.Errorf("%s: a second merge changes %v", name, changes)
		}
	}
}
