package server

import (
	"encoding/xml"
	"net/url"
	"strings"
	"testing"

	"wso2agent/internal/config"
	"wso2agent/internal/deployment"
)

// awkward are passwords with everything that XML, the products' templates, their references or an address would change.
var awkward = []string{
	"a&b", "a<b", "a>b", "]]>", "&amp;", "a\"b'c", "{{server.hostname}}", "{% x %}", "{# x #}", "$1", "a$", `a\b`, `\`,
	"$ref{server.hostname}", "$env{PATH}", "$sys{x}", "$secret{x}", "${admin.password}", "~^&*#`43d:3;", "p@ss/w%rd?", "with space", "<![CDATA[x]]>",
}

// arrives is what a server gets: the products fill a value into <Password>{{…}}</Password> (user-mgt.xml.j2 of
// carbon-kernel 4.10) as it is, and parse that.
func arrives(t *testing.T, value string) string {
	t.Helper()
	for _, part := range []string{"{{", "{%", "{#", "${", "$ref{", "$env{", "$sys{", "$secret{"} {
		if strings.Contains(value, part) {
			t.Errorf("%q has %s, which does not stay as it is on the way", value, part)
		}
	}
	var user struct{ Password string }
	if err := xml.Unmarshal([]byte("<AdminUser><Password>"+value+"</Password></AdminUser>"), &user); err != nil {
		t.Errorf("%q breaks user-mgt.xml: %v", value, err)
	}
	return user.Password
}

func textAt(t *testing.T, text string, path ...string) string {
	t.Helper()
	doc, err := deployment.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	v, _ := doc.Get(path...)
	value, _ := v.Data.(string)
	return value
}

func TestAnyPasswordReachesTheServersAsItIs(t *testing.T) {
	for _, password := range awkward {
		for _, n := range []Needs{isNeeds(), amNeeds()} {
			n.Password, n.AMPassword = password, password
			after, _, record := merge(t, n, string(shipped(t, n.Product)), nil)
			if got := arrives(t, textAt(t, after, "super_admin", "password")); got != password {
				t.Errorf("%s's administrator gets %q in place of %q", n.Product, got, password)
			}
			user, got, known, err := ReadAdministrator([]byte(after), nil)
			if err != nil || !known || user != "admin" || got != password {
				t.Errorf("%q is read back as %q, %q, %v: %v", password, user, got, known, err)
			}
			if n.Product == config.AM {
				broker, err := url.Parse("amqp://" + textAt(t, after, "apim", "throttling", "jms", "username") + ":" + textAt(t, after, "apim", "throttling", "jms", "password") + "@clientid/carbon")
				if err != nil {
					t.Fatalf("%q breaks the broker's address: %v", password, err)
				}
				if got, _ := broker.User.Password(); got != password || broker.User.Username() != "admin" {
					t.Errorf("the broker gets %q in place of %q", got, password)
				}
			} else {
				doc, err := deployment.Parse([]byte(after))
				if err != nil {
					t.Fatal(err)
				}
				listeners, err := doc.Elements("event_listener")
				if err != nil {
					t.Fatal(err)
				}
				v, _ := listeners[0].Get("properties", "password")
				if value, _ := v.Data.(string); arrives(t, value) != password {
					t.Errorf("the listener gets %q in place of %q", arrives(t, value), password)
				}
			}
			if again, changes, _ := merge(t, n, after, record); again != after || len(changes) > 0 {
				t.Errorf("%q: a second merge changes %+v", password, changes)
			}
		}
	}
}

func TestAPasswordIsReadAsTheServerReadsXML(t *testing.T) {
	for value, want := range map[string]string{
		"plain": "plain", "a&amp;b&#36;": "a&b$", "<![CDATA[a<b]]>": "a<b", "a<!-- why -->b": "ab", "": "", "a<q>b</q>c": "ac",
	} {
		if got, known := ofXML(value); !known || got != want {
			t.Errorf("%q is %q, %t; want %q", value, got, known, want)
		}
	}
	for _, value := range []string{"a<b", "a&b", "a</p>", "a</p><q>", "$env{X}", "{{x}}", "${x}"} {
		if got, known := ofXML(value); known {
			t.Errorf("%q is %q, which only the server knows", value, got)
		}
	}
}

func TestAPlainPasswordIsWrittenAsItIs(t *testing.T) {
	n := amNeeds()
	n.Password = "Plain-1.2_3~x"
	after, changes, _ := merge(t, n, "", nil)
	if after != "[super_admin]\npassword = \"Plain-1.2_3~x\"\n" {
		t.Errorf("%+v\n%s", changes, after)
	}
}

func TestOnAUsedDatabaseTheAdministratorStays(t *testing.T) {
	first := amNeeds()
	first.Password = "p@ss"
	made, _, record := merge(t, first, string(shipped(t, config.AM)), nil)
	for name, c := range map[string]struct {
		user, password string
		tells          []string
	}{
		"the same":          {"admin", "p@ss", nil},
		"another password":  {"admin", "plain", []string{"super_admin.password"}},
		"the product's own": {"admin", "admin", []string{"super_admin.password"}},
		"another name":      {"root", "p@ss", []string{"super_admin.username"}},
	} {
		for _, override := range []bool{false, true} {
			n := amNeeds()
			n.User, n.Password, n.Used = c.user, c.password, true
			after, changes, next, err := n.Merge([]byte(made), record, override)
			if err != nil || string(after) != made {
				t.Errorf("%s: %v, the file became\n%s", name, err, after)
			}
			var told []string
			for _, change := range changes {
				if change.Action != Settled || change.Secret != strings.HasSuffix(change.Setting, "password") {
					t.Errorf("%s: %+v", name, change)
				}
				told = append(told, change.Setting)
			}
			if strings.Join(told, " ") != strings.Join(c.tells, " ") {
				t.Errorf("%s: told of %q, want %q", name, told, c.tells)
			}
			n.Used = false // the database was lost, and is made again
			back, _, _, err := n.Merge(after, next, override)
			if _, got, _, _ := ReadAdministrator(back, nil); err != nil || got != c.password {
				t.Errorf("%s: a new database gets %q: %v", name, got, err)
			}
		}
	}
}

func TestAServerOfUnknownAgeKeepsTheAdministratorThatNoFileNames(t *testing.T) {
	n := amNeeds()
	n.Password, n.Used = "p@ss", true
	after, changes, _ := merge(t, n, "[server]\n", nil)
	if after != "[server]\n" || len(changes) != 1 || changes[0].Setting != "super_admin.password" || changes[0].Action != Settled {
		t.Errorf("%+v\n%s", changes, after)
	}
}

func TestAPasswordMovesIntoTheEnvironmentAndBackOnAUsedDatabase(t *testing.T) {
	n := amNeeds()
	n.Password = "secret-1"
	clear, _, record := merge(t, n, "", nil)
	n.Used, n.SecretsEnv = true, true
	moved, _, record := merge(t, n, clear, record)
	if !strings.Contains(moved, `"$env{AM_ADMIN_PASS}"`) {
		t.Errorf("it stays in clear:\n%s", moved)
	}
	_, password, known, err := ReadAdministrator([]byte(moved), func(name string) (string, bool) { return "of " + name, true })
	if err != nil || !known || password != "of AM_ADMIN_PASS" {
		t.Errorf("the password is read as %q, %v: %v", password, known, err)
	}
	if _, _, known, _ := ReadAdministrator([]byte(moved), func(string) (string, bool) { return "", false }); known {
		t.Error("a variable that is not known counts as known")
	}
	n.SecretsEnv = false
	if back, _, _ := merge(t, n, moved, record); back != clear {
		t.Errorf("it stays in the environment:\n%s", back)
	}
}

func TestTheListenersPasswordWaitsUntilAPIMHasAcceptedIt(t *testing.T) {
	n := isNeeds()
	made, _, record := merge(t, n, "", nil)
	n.AMPassword, n.KeepListener = "changed", true
	kept, changes, record := merge(t, n, made, record)
	if kept != made || len(changes) != 1 || changes[0].Action != Waits || !changes[0].Secret {
		t.Errorf("%+v\n%s", changes, kept)
	}
	n.KeepListener = false
	follows, _, _ := merge(t, n, kept, record)
	if !strings.Contains(follows, `password = "changed"`) || strings.Contains(follows, "am-secret") {
		t.Errorf("it does not follow:\n%s", follows)
	}
	n.KeepListener = true
	if fresh, _, _ := merge(t, n, "", nil); !strings.Contains(fresh, `password = "changed"`) {
		t.Errorf("a new listener lacks it:\n%s", fresh)
	}
}
