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
	const endpoint = "notification_endpoint = %q\n"
	variable := func(name string) (string, bool) { return "of " + name, name == "AM_ADMIN_PASS" }
	for name, c := range map[string]struct {
		text           string
		user, password string
		known          bool
		endpoint       string
	}{
		"a plain account":                {fmt.Sprintf(listener, "robot", "p&amp;w"), "robot", "p&w", true, ""},
		"the administrator of IS itself": {"[super_admin]\nusername = \"ann\"\npassword = \"x\"\n" + fmt.Sprintf(listener, "${admin.username}", "${admin.password}"), "ann", "x", true, ""},
		"a variable":                     {fmt.Sprintf(listener, "robot", "$env{AM_ADMIN_PASS}"), "robot", "of AM_ADMIN_PASS", true, ""},
		"a variable that is not known":   {fmt.Sprintf(listener, "robot", "$env{OTHER}"), "robot", "of OTHER", false, ""},
		"a reference of the product":     {fmt.Sprintf(listener, "robot", "$secret{x}"), "robot", "", false, ""},
		"an endpoint":                    {fmt.Sprintf(listener+endpoint, "robot", "x", "https://wso2am:9443/notify"), "robot", "x", true, "https://wso2am:9443/notify"},
		"an endpoint that only IS knows": {fmt.Sprintf(listener+endpoint, "robot", "x", "https://localhost:${mgt.transport.https.port}/notify"), "robot", "x", true, ""},
		"another listener":               {"[[event_listener]]\nid = \"other\"\n", "", "", false, ""},
		"no listener":                    {"[server]\nhostname = \"x\"\n", "", "", false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			l, known, err := ReadListener([]byte(c.text), variable)
			if l.User != c.user || l.Password != c.password || l.Endpoint != c.endpoint || known != c.known || err != nil {
				t.Errorf("got %+v, %v, %v; want %q, %q, %q, %v", l, known, err, c.user, c.password, c.endpoint, c.known)
			}
		})
	}
	if _, known, err := ReadListener([]byte("[x"), variable); known || err == nil {
		t.Errorf("a text that IS refuses: known %v, error %v", known, err)
	}
}
