package wso2sim

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// closedSCIM is the entry that takes SCIM 1.1 away from tokens.
const closedSCIM = `
[[resource.access_control]]
context = "(.*)/wso2/scim(.*)"
http_method = "all"
secure = true
scopes = ["internal_user_mgt_create", "internal_login"]
`

const everyScope = "\n[oauth]\nauthorize_all_scopes = true\n"

// isWith is a pair with only IS, and with something more in deployment.toml.
func isWith(t *testing.T, settings string) *pair {
	t.Helper()
	p := newPair(t)
	p.appendSettings(p.isHome, settings)
	p.startIS()
	return p
}

// raw sends a request with a path as it stands there, which no client of Go does, and returns the status.
func (p *pair) raw(method, path, credentials string) int {
	p.t.Helper()
	conn, err := tls.Dial("tcp", strings.TrimPrefix(p.is.URL(), "https://"), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		p.t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n", method, path)
	if credentials != "" {
		fmt.Fprintf(conn, "Authorization: %s\r\n", credentials)
	}
	fmt.Fprint(conn, "\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		p.t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// bare is a token of the client itself without any scope.
func (p *pair) bare(c reply) string {
	p.t.Helper()
	got := p.grant(c, url.Values{"grant_type": {"client_credentials"}}).want(p.t, 200)
	if got.str("scope") != "" {
		p.t.Fatalf("the token has scopes: %s", got.text)
	}
	return got.str("access_token")
}

// user makes a user of IS and returns the id.
func (p *pair) user(name string) string {
	p.t.Helper()
	return send(p.t, "POST", p.is.URL()+usersPath, admin, object{"userName": name, "password": "throwAway1!"}).want(p.t, 201).str("id")
}

// role gives rights to users of IS.
func (p *pair) role(name string, permissions []string, users ...string) string {
	p.t.Helper()
	refs := func(values []string) []object {
		out := []object{}
		for _, v := range values {
			out = append(out, object{"value": v})
		}
		return out
	}
	return send(p.t, "POST", p.is.URL()+rolesPath, admin,
		object{"displayName": name, "permissions": refs(permissions), "users": refs(users)}).want(p.t, 201).str("id")
}

var spellings = []string{
	"/wso2/scim/Users", "//wso2/scim/Users", "/wso2//scim/Users", "/wso2/scim;x/Users", "/wso2;a=b/scim/Users", "/wso2/%73cim/Users",
	"/%77so2/scim/Users", "/./wso2/scim/Users", "/wso2/./scim/Users", "/x/../wso2/scim/Users", "/wso2/scim/../scim/Users",
	"/wso2/%2e/scim/Users", "/t/carbon.super/wso2/scim/Users", "//t//carbon.super/wso2/scim/Users",
}

// Those that lead nowhere in any case.
var dead = []string{
	"/WSO2/SCIM/Users", "/wso2/SCIM/Users", "/wso2/scim%2FUsers", "/wso2/%2573cim/Users", "/../wso2/scim/Users", "/t/nobody/wso2/scim/Users",
}

func TestSCIM11IsOpenToEveryTokenOfTheAdministratorsClients(t *testing.T) {
	for name, settings := range map[string]string{"as shipped": "", "with every scope for everybody": everyScope} {
		t.Run(name, func(t *testing.T) {
			p := isWith(t, settings)
			token := "Bearer " + p.bare(p.client("c", "JWT"))
			for _, path := range spellings {
				if got := p.raw("GET", path, token); got != 200 {
					t.Errorf("GET %s is %d", path, got)
				}
			}
			for _, path := range dead {
				if got := p.raw("GET", path, token); got/100 == 2 {
					t.Errorf("GET %s is %d", path, got)
				}
			}
			if got := p.raw("GET", "/wso2/scim/Users", ""); got != 401 {
				t.Errorf("without credentials the answer is %d", got)
			}
		})
	}
}

func TestAnEntryOfDeploymentTomlClosesSCIM11(t *testing.T) {
	p := isWith(t, everyScope+closedSCIM)
	p.user("nobody")
	c := p.client("c", "JWT")
	bare := "Bearer " + p.bare(c)
	// internal_login is granted to no application for itself, so that this token has one scope of the two.
	creator := "Bearer " + p.grant(c, url.Values{"grant_type": {"client_credentials"}, "scope": {"internal_user_mgt_create internal_login"}}).want(t, 200).str("access_token")
	for _, path := range slices.Concat(spellings, dead) {
		lost := slices.Contains(dead, path) && !strings.Contains(path, "SCIM") // it may end at the login page
		for who, credentials := range map[string]string{"a bare token": bare, "a token that may make users": creator} {
			for _, method := range []string{"GET", "POST", "DELETE"} {
				got := p.raw(method, path, credentials)
				if got != 400 && got != 401 && got != 403 && (!lost || got/100 == 2) {
					t.Errorf("%s: %s %s is %d", who, method, path, got)
				}
			}
		}
	}
	at := p.is.URL() + "/wso2/scim/Users"
	send(t, "GET", at, admin, nil).want(t, 200)
	send(t, "GET", at, anonymous, nil).want(t, 401)
	send(t, "GET", at, basic("admin", "nope"), nil).want(t, 401)
	if got := send(t, "GET", at, basic("nobody", "throwAway1!"), nil).want(t, 403); got.str("description") != notPermitted {
		t.Errorf("got %s", got.text)
	}
}

func TestSCIM11RefusesClientsOfUsersWithoutRights(t *testing.T) {
	p := isWith(t, "")
	p.role("registrars", []string{"internal_dcr_create", "internal_dcr_update"}, p.user("svc"))
	svc := basic("svc", "throwAway1!")
	body := object{"client_name": "theirs", "grant_types": []string{"client_credentials"}, "token_type_extension": "JWT"}
	theirs := send(t, "POST", p.is.URL()+registerPath, svc, body).want(t, 201)
	if theirs.str("ext_application_owner") != "svc@carbon.super" {
		t.Errorf("the owner is %s", theirs.str("ext_application_owner"))
	}
	users := p.is.URL() + "/wso2/scim/Users"
	send(t, "GET", users, bearer(p.bare(theirs)), nil).want(t, 500)

	// The administrator's clients stay dangerous, whoever changes them.
	ours := p.client("ours", "JWT")
	changed := send(t, "PUT", p.is.URL()+registerPath+"/"+ours.str("client_id"), svc, object{
		"client_name": "ours", "grant_types": []string{"client_credentials"}, "ext_application_owner": "svc",
	}).want(t, 200)
	if changed.str("ext_application_owner") != "admin@carbon.super" {
		t.Errorf("the owner has become %s", changed.str("ext_application_owner"))
	}
	id := p.user("victim")
	tok := bearer(p.bare(ours))
	send(t, "PUT", users+"/"+id, tok, object{"userName": "victim", "password": "throwAway2!"}).want(t, 200)
	send(t, "GET", p.is.URL()+"/scim2/Me", basic("victim", "throwAway2!"), nil).want(t, 200)
	send(t, "DELETE", users+"/"+id, tok, nil).want(t, 200)
	send(t, "GET", p.is.URL()+"/scim2/Me", basic("victim", "throwAway2!"), nil).want(t, 401)
}

func TestATokenWithEveryScopeIsTooLongForTheHeaders(t *testing.T) {
	p := isWith(t, everyScope)
	all := url.Values{"grant_type": {"client_credentials"}, "scope": {"SYSTEM"}}
	jwt := p.grant(p.client("jwt", "JWT"), all).want(t, 200)
	if got := len(strings.Fields(jwt.str("scope"))); got != 355 {
		t.Errorf("SYSTEM is %d scopes, want 355", got)
	}
	if got := send(t, "GET", p.is.URL()+usersPath, bearer(jwt.str("access_token")), nil).want(t, 400); got.text != "" {
		t.Errorf("got %s", got.text)
	}
	opaque := p.grant(p.client("opaque", ""), all).want(t, 200)
	send(t, "POST", p.is.URL()+usersPath, bearer(opaque.str("access_token")), object{"userName": "made", "password": "throwAway1!"}).want(t, 201)
}
