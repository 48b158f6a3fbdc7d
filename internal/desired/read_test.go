package desired

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

func TestAVariableStandsForItsValue(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"a variable", "http://${HOST}:8080", "http://orders:8080"},
		{"two variables", "http://${HOST}:${PORT}", "http://orders:8443"},
		{"a default that is not used", "http://${HOST:-other}", "http://orders"},
		{"the default of a variable that is not set", "http://${NOWHERE:-other:80/x}", "http://other:80/x"},
		{"the default of an empty variable", "http://${EMPTY:-other}", "http://other"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := parse(bare("backend_url: " + c.text))
			if err != nil {
				t.Fatal(err)
			}
			if got := f.APIs.Value[0].Value.Endpoints.Value.Production.Value.URL.Value; got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	f, err := parse(api("description: 'a $${HOST} and $5 and ${file:/run/secrets/x}'\nschema_validation: ${YES}\ntimeout: ${PORT}") + "gateway: {port: \"${PORT}\"}\n")
	if err != nil {
		t.Fatal(err)
	}
	a := f.APIs.Value[0].Value
	if a.Description.Value != "a ${HOST} and $5 and from a file" {
		t.Errorf("got %q", a.Description.Value)
	}
	if !a.SchemaValidation.Value || f.Gateway.Value.Port.Value != 8443 || a.Endpoints.Value.Production.Value.Timeout.Value != 8443*time.Millisecond {
		t.Errorf("got %v, %v and %v", a.SchemaValidation, f.Gateway.Value.Port, a.Endpoints.Value.Production.Value.Timeout)
	}
}

func TestAVariableThatCannotBeReadIsAMistakeWithItsPlace(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"description: ${NOWHERE}", `f:6:18: description "${NOWHERE}" needs the environment variable NOWHERE, which is not set (for the text itself, write $${NOWHERE})`},
		{"operations:\n  - {target: /a, verb: GET, description: 'Returns ${orderId}'}", `f:7:46: description "Returns ${orderId}" needs the environment variable orderId, which is not set (for the text itself, write $${orderId})`},
		{"copy_of: 1\n# comment\ndocuments: [{name: x, summary: 'a ${b}', content: x}]", `f:8:36: summary "a ${b}" needs the environment variable b, which is not set (for the text itself, write $${b})`},
		{"description: '${A:-${HOST}}'", `f:6:18: description "${A:-${HOST}}" has a ${ inside another one`},
		{"description: ${a-b}", `f:6:18: description "${a-b}" has a ${…} that is neither ${VARIABLE}`},
		{"description: 'x ${HOST'", `f:6:18: description "x ${HOST" has a ${ without a }`},
		{"description: ${file:/missing}", `f:6:18: description "${file:/missing}" names a file that the agent cannot read`},
		{"schema_validation: ${HOST}", `f:6:24: schema_validation "${HOST}" does not stand for true or false`},
		{"rate_limits: {production: '${SECRET}'}", `f:6:31: production "${SECRET}" does not stand for a whole number`},
		{"tags: ['${SECRET},b']", `f:6:12: tag "${SECRET},b" must not contain a comma`},
		{"lifecycle: ${SECRET}", `f:6:16: lifecycle "${SECRET}" is none of`},
		{"timeout: ${SECRET}", `f:6:14: timeout must be a number of milliseconds`},
	} {
		_, err := parse(api(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("the error does not say %q:\n%v", c.want, err)
		}
		if err != nil && strings.Contains(strings.ToLower(err.Error()), "hunter2") {
			t.Errorf("the error has the value: %v", err)
		}
	}
}

func TestASecretRemembersItsNameAndShowsNothing(t *testing.T) {
	const user = "identity_server: {users: [{username: anna, password: %s}]}\n"
	for text, want := range map[string]struct{ value, from string }{
		"'${SECRET}'":              {"hunter2Hunter", "${SECRET}"},
		"'Pre${SECRET}'":           {"Prehunter2Hunter", "${SECRET}"}, // what stands in the file itself may be a part of the secret
		"'${NONE:-hunter2Hunter}'": {"hunter2Hunter", "${NONE}"},
		"'${SECRET}-${file:/x}'":   {"hunter2Hunter-from a file", "${SECRET}${file:/x}"},
		"hunter2Hunter":            {"hunter2Hunter", ""},
		"'hunter2$${Hunter'":       {"hunter2${Hunter", ""},
	} {
		f, err := parse(fmt.Sprintf(user, text))
		if err != nil {
			t.Fatal(err)
		}
		s := f.IdentityServer.Value.Users.Value[0].Value.Password.Value
		if s.Reveal() != want.value || s.From() != want.from {
			t.Errorf("%s: got %q from %q", text, s.Reveal(), s.From())
		}
		whole, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		for _, shown := range []string{fmt.Sprint(s), fmt.Sprintf("%+v %#v %s %q %x", s, s, s, s, s), fmt.Sprintf("%+v", f), string(whole)} {
			if strings.Contains(strings.ToLower(shown), "hunter2") || strings.Contains(shown, fmt.Sprintf("%x", "hunter2")) {
				t.Errorf("%s is shown as %s", text, shown)
			}
		}
	}
	for text, want := range map[string]string{
		"'${NOWHERE}'":   "password needs the environment variable NOWHERE, which is not set (for the text itself, write $${NOWHERE})",
		"'${EMPTY}'":     "password must not be empty",
		"[a]":            "password must be a text, not a list",
		"'${HOST}'":      "password must contain a digit",
		"'${a-hunter2}'": "password has a ${…} that is neither",
	} {
		if _, err := parse(fmt.Sprintf(user, text)); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error does not say %q: %v", text, want, err)
		}
	}
}

func TestAnUnknownKeyIsShownInItsLineWithoutWhatMayBeASecret(t *testing.T) {
	for _, c := range []struct{ text, message, hint, excerpt string }{
		{api("descripton: hunter2"), `unknown key "descripton" in an API`, `did you mean "description"?`, "    descripton: …\n    ^"},
		{"identity_server: {users: [{username: anna, pasword: hunter2, passwrd: x}]}\n", `unknown key "pasword" in a user`, `did you mean "password"?`, "… pasword: …\n  ^"},
		{"identity_server: {users: [{username: anna, password:hunter2}]}\n", `unknown key "password" in a user`, "write a space after the colon", "… password: …\n  ^"},
		{"applications:\n  - nam: App\n", `unknown key "nam" in an application`, `did you mean "name"?`, "  - nam: …\n    ^"},
		{"applications:\n  - name: App\n    subscribed_api: []\n", `unknown key "subscribed_api" in an application`, `did you mean "subscribed_apis"?`, "    subscribed_api: …\n    ^"},
	} {
		_, err := parse(c.text)
		var problems Problems
		if !errors.As(err, &problems) {
			t.Fatalf("got %v", err)
		}
		if p := problems[0]; p.Message != c.message || p.Hint != c.hint || p.Excerpt != c.excerpt {
			t.Errorf("got %q, %q\n%s\nwant\n%s", p.Message, p.Hint, p.Excerpt, c.excerpt)
		}
	}
}

func TestAFieldIsLeftOutResetOrSet(t *testing.T) {
	f, err := parse(api("tags: []\ndescription:\ncategories: [a]"))
	if err != nil {
		t.Fatal(err)
	}
	a := f.APIs.Value[0].Value
	if !a.Tags.Set || !a.Tags.Null || !a.Description.Set || !a.Description.Null {
		t.Errorf("an empty list is %+v, and null is %+v", a.Tags, a.Description)
	}
	if a.Documents.Set || a.Documents.Null || !a.Categories.Set || a.Categories.Null {
		t.Errorf("what is left out is %+v, and a list is %+v", a.Documents, a.Categories)
	}
	if at := a.Categories.Value[0].At; at != (Place{"f", 8, 18}) || a.Categories.At != (Place{"f", 8, 17}) {
		t.Errorf("the category is at %s", at)
	}
	if a.Description.Or("x") != "x" || a.Name.Or("x") != "Orders" || a.Lifecycle.Or("x") != "x" {
		t.Error("Or does not return the value, or what stands for it")
	}
}

func TestMistakesAreInTheOrderOfTheFilesAndLines(t *testing.T) {
	_, err := parse("apis:\n  - {name: A, version: 1 0, context: /a, backend_url: 'http://a'}\n  - {nam: A}\n", "a: 1\napplications: [{name: App, throttling_policy: '', subscriptions: [B]}]\n", "b: [\n")
	var places []string
	var problems Problems
	if !errors.As(err, &problems) {
		t.Fatal(err)
	}
	for _, p := range problems {
		places = append(places, p.At.String())
	}
	if got := strings.Join(places, " "); got != "f1:2:24 f1:3:5 f1:3:5 f1:3:5 f1:3:5 f1:3:6 f2:1:1 f2:2:47 f3:1:1" {
		t.Errorf("got %s in\n%v", got, err)
	}
}

func TestATextThatStandsTwiceInAListIsOne(t *testing.T) {
	f, err := parse(api("tags: [a, b, ' a', a]\nscopes: [{name: s, roles: [r, r]}]\ntransports: [HTTP, http]") + "identity_server: {groups: [{name: g, members: [anna, anna]}]}\n")
	if err != nil {
		t.Fatal(err)
	}
	a := f.APIs.Value[0].Value
	var tags []string
	for _, tag := range a.Tags.Value {
		tags = append(tags, tag.Value+" "+tag.At.String())
	}
	if got := strings.Join(tags, ", "); got != "a f:6:12, b f:6:15" {
		t.Errorf("the tags are %s", got)
	}
	if len(a.Scopes.Value[0].Value.Roles.Value) != 1 || len(a.Transports.Value) != 1 || len(f.IdentityServer.Value.Groups.Value[0].Value.Members.Value) != 1 {
		t.Errorf("got %+v", f)
	}
}

func TestAMergeKeyAddsTheFieldsThatAreNotThere(t *testing.T) {
	const base = "apis:\n  - &a {name: A, version: '1', context: /a, backend_url: 'http://a', tags: [x]}\n"
	f, err := parse(base + "  - <<: *a\n    name: B\n    context: /b\n  - {name: C, context: /c, <<: [{version: '3', tags: []}, *a]}\n")
	if err != nil {
		t.Fatal(err)
	}
	b, c := f.APIs.Value[1].Value, f.APIs.Value[2].Value
	if b.Name.Value != "B" || b.Context.Value != "/b" || b.Version.Value != "1" || len(b.Tags.Value) != 1 || c.Version.Value != "3" || !c.Tags.Null || c.Endpoints.Value.Production.Value.URL.Value != "http://a" {
		t.Errorf("got %+v\nand %+v", b, c)
	}
	for text, want := range map[string]string{
		base + "  - {<<: *a, name: B, contxt: /b}\n":               "f:3:23: unknown key \"contxt\" in an API",
		base + "  - {<<: x, name: B, version: '1', context: /b}\n": "f:3:10: what << adds to an API must be a mapping (key: value), not the value \"x\"",
		"apis:\n  - &a {<<: *a}\n":                                 "aliases",
		"? [x]\n: y\n":                                             "f:1:3: a key in the file must be a text, not a list",
	} {
		if _, err := parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in\n%s", err, want, text)
		}
	}
	apps, err := parse("applications:\n  - {name: A, attributes: &x {a: b, c: d}}\n  - {name: B, attributes: {<<: *x, c: e}}\n")
	if err != nil || apps.Applications.Value[1].Value.Attributes.Value["a"].Value != "b" || apps.Applications.Value[1].Value.Attributes.Value["c"].Value != "e" {
		t.Errorf("got %+v, %v", apps, err)
	}
}

func TestATruthValueForAListOrATextIsNamed(t *testing.T) {
	for text, want := range map[string]string{
		"tags: true":                    "f:6:11: tags must be a list (lines that begin with -), not the truth value true",
		"tags: [true]":                  "f:6:12: tag must be a text, not the truth value true (put it in quotes)",
		"description: false":            "f:6:18: description must be a text, not the truth value false (put it in quotes)",
		"cors: true":                    "f:6:11: cors must be a mapping (key: value), not the truth value true",
		"endpoints: {production: true}": "f:6:29: production must be a mapping (key: value), not the truth value true",
		"sandbox_url: true":             "f:6:18: sandbox_url must be a text, not the truth value true",
		"visibility: true":              "f:6:17: visibility must be one of PUBLIC, PRIVATE, RESTRICTED, not the truth value true",
		"transports: [true]":            "f:6:18: transport must be one of http, https, not the truth value true",
		"timeout: true":                 "f:6:14: timeout must be a number of milliseconds",
		"rate_limits: {production: no}": `f:6:31: production must be a whole number, not the value "no"`,
		"scopes: [true]":                "f:6:14: name must be a text, not the truth value true (put it in quotes)",
	} {
		file := api(text)
		if strings.HasPrefix(text, "endpoints") {
			file = strings.Replace(file, "backend_url: http://orders:8080", "lifecycle: CREATED", 1)
		}
		_, err := parse(file)
		var problems Problems
		if !errors.As(err, &problems) || len(problems) != 1 || !strings.HasPrefix(problems[0].String(), want) || strings.Contains(problems[0].String(), "quotes") != strings.Contains(want, "quotes") {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

func FuzzParseNeverPanicsAndShowsNoSecret(f *testing.F) {
	for _, path := range shapes(f) {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add("a: &a [*a]\nrest_apis: *a\n")
	f.Add("? [x]\n: y\n")
	f.Add("<<: {a: 1}\n")
	f.Add("apis: [{operations: [{}, {}]}]\napplications: [{keys: [{}, {}]}]\nidentity_server: {users: [{username: ann, password: '${SECRET}'}]}\n")
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := parse(text, text)
		if parsed == nil && err == nil {
			t.Error("neither a model nor an error")
		}
		if !strings.Contains(text, "unter2") && err != nil && strings.Contains(err.Error(), "unter2") {
			t.Errorf("the error has a secret: %v", err)
		}
		if parsed != nil {
			dump(parsed)
		}
	})
}
