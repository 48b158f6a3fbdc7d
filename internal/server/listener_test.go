package server

import (
	"fmt"
	"testing"
)

func TestTheAccountOfTheListenerIsReadAsISReadsIt(t *testing.T) {
	const listener = `
[[event_listener]]
id = "token_revocation"
[event_listener.properties]
username = %q
password = %q
`
	variable := func(name string) (string, bool) { return "of " + name, name == "AM_ADMIN_PASS" }
	for name, c := range map[string]struct {
		text           string
		user, password string
		known          bool
	}{
		"a plain account":                {fmt.Sprintf(listener, "robot", "p&amp;w"), "robot", "p&w", true},
		"the administrator of IS itself": {"[super_admin]\nusername = \"ann\"\npassword = \"x\"\n" + fmt.Sprintf(listener, "${admin.username}", "${admin.password}"), "ann", "x", true},
		"a variable":                     {fmt.Sprintf(listener, "robot", "$env{AM_ADMIN_PASS}"), "robot", "of AM_ADMIN_PASS", true},
		"a variable that is not known":   {fmt.Sprintf(listener, "robot", "$env{OTHER}"), "robot", "of OTHER", false},
		"a reference of the product":     {fmt.Sprintf(listener, "robot", "$secret{x}"), "robot", "", false},
		"another listener":               {"[[event_listener]]\nid = \"other\"\n", "", "", false},
		"no listener":                    {"[server]\nhostname = \"x\"\n", "", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			user, password, known, err := ListenerAccount([]byte(c.text), variable)
			if user != c.user || password != c.password || known != c.known || err != nil {
				t.Errorf("got %q, %q, %v, %v; want %q, %q, %v", user, password, known, err, c.user, c.password, c.known)
			}
		})
	}
	if _, _, known, err := ListenerAccount([]byte("[x"), variable); known || err == nil {
		t.Errorf("a text that IS refuses: known %v, error %v", known, err)
	}
}
