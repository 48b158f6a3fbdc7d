package verify_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/keystore"
	"wso2agent/internal/server"
	"wso2agent/internal/verify"
	"wso2agent/internal/wso2"
	"wso2agent/internal/wso2sim"
)

// guideSettings are the settings of the integration guide, which earlier versions of the agent wrote too.
const guideSettings = "\n[oauth]\nauthorize_all_scopes = true\n"

// agentSettings are the settings that the agent writes now.
func agentSettings(t *testing.T, shipped []byte, all bool) []byte {
	t.Helper()
	text, _, _, err := server.Needs{Product: config.IS, Hostname: "wso2is", User: "admin", Password: "admin", AMHost: "wso2am", AMPort: 9443,
		AMUser: "admin", AMPassword: "admin", AllScopes: all}.Merge(shipped, nil, false)
	must(t, err)
	return text
}

// subscriber has what a subscriber of the DevPortal has: keys and network access.
type subscriber struct {
	t      *testing.T
	s      *site
	id     string
	secret wso2.Secret
}

func (u subscriber) token(scopes ...string) wso2.Token {
	u.t.Helper()
	token, err := wso2.FetchToken(u.t.Context(), u.s.client, u.s.is.URL()+"/oauth2/token", u.id, u.secret, scopes...)
	must(u.t, err)
	return token
}

// send sends a request with the path unchanged. net/http would clean the path.
func (u subscriber) send(method, path string, token wso2.Secret, body string) (status int) {
	u.t.Helper()
	at, err := url.Parse(u.s.is.URL())
	must(u.t, err)
	conn, err := tls.Dial("tcp", at.Host, &tls.Config{InsecureSkipVerify: true, VerifyConnection: func(state tls.ConnectionState) error {
		if shown := (keystore.Certificate{DER: state.PeerCertificates[0].Raw}).Fingerprint(); shown != u.s.pins[at.Host][0] {
			return fmt.Errorf("another server: %s", shown)
		}
		return nil
	}})
	must(u.t, err)
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		method, path, at.Host, string(token), len(body), body)
	must(u.t, err)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	must(u.t, err)
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// takenOver returns the ways in which a subscriber's keys can administer IS.
func (u subscriber) takenOver() (ways []string) {
	u.t.Helper()
	user := func(name string) string {
		return fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":%q,"password":"throwAway1!"}`, name)
	}
	if u.send("POST", "/scim2/Users", u.token("internal_user_mgt_create").AccessToken, user("byscope")) == http.StatusCreated {
		ways = append(ways, "a scope of IS's administration")
	}
	token := u.token().AccessToken
	for n, path := range []string{
		"/wso2/scim/Users", "//wso2/scim/Users", "/wso2//scim/Users", "/wso2/scim//Users", "/wso2;x/scim/Users", "/wso2/scim;x/Users", "/wso2/scim/Users;x",
		"/wso2/%73cim/Users", "/%77so2/scim/Users", "/./wso2/scim/Users", "/wso2/./scim/Users", "/x/../wso2/scim/Users",
		"/t/carbon.super/wso2/scim/Users", "/t/carbon.super//wso2/scim/Users", "/WSO2/SCIM/Users", "/wso2/Scim/users",
	} {
		body := strings.Replace(user(fmt.Sprintf("byscim%d", n)), "urn:ietf:params:scim:schemas:core:2.0:User", "urn:scim:schemas:core:1.0", 1)
		for method, body := range map[string]string{"GET": "", "POST": body} {
			if status := u.send(method, path, token, body); status < 400 {
				ways = append(ways, fmt.Sprintf("%s %s: %d", method, path, status))
			}
		}
	}
	return ways
}

func TestASubscribersKeysAdministerISWithTheGuidesSettingsAndNotWithTheAgents(t *testing.T) {
	tests := []struct {
		name     string
		settings func(t *testing.T, shipped []byte) []byte
		want     verify.Exposure
		ways     []string // some of those that are open
	}{
		{"the guide's settings", func(t *testing.T, shipped []byte) []byte { return append(shipped, guideSettings...) },
			verify.Exposure{Scopes: true, SCIM11: true}, []string{"a scope of IS's administration", "GET /wso2/scim/Users: 200", "POST /wso2/scim/Users: 201"}},
		{"stock settings", func(t *testing.T, shipped []byte) []byte { return shipped },
			verify.Exposure{SCIM11: true}, []string{"GET /wso2/scim/Users: 200", "POST /wso2/scim/Users: 201"}},
		{"the agent's settings with SCOPES=all", func(t *testing.T, shipped []byte) []byte { return agentSettings(t, shipped, true) },
			verify.Exposure{Scopes: true}, []string{"a scope of IS's administration"}},
		{"the agent's settings", func(t *testing.T, shipped []byte) []byte { return agentSettings(t, shipped, false) }, verify.Exposure{}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := openWith(t, wso2sim.Delays{}, tt.settings)
			result, _ := s.run(t, s.settings("WSO2-IS"), s.desired(t))
			ways := strings.Join(subscriber{t, s, result.ConsumerKey, result.ConsumerSecret}.takenOver(), "\n")
			for _, way := range tt.ways {
				if !strings.Contains(ways, way) {
					t.Errorf("closed: %s; open:\n%s", way, ways)
				}
			}
			if len(tt.ways) == 0 && ways != "" || !tt.want.SCIM11 && strings.Contains(ways, "cim") {
				t.Errorf("open:\n%s", ways)
			}
			if got, err := verify.Expose(t.Context(), s.identityServer(), "test"); err != nil || got != tt.want {
				t.Errorf("found out %+v, %v; want %+v", got, err, tt.want)
			}
			if left := s.throwAway(t); len(left) > 0 {
				t.Errorf("throw-away clients are still there: %v", left)
			}
		})
	}
}

func (s *site) identityServer() verify.IdentityServer {
	admin := wso2.Credentials{User: "admin", Password: "admin"}
	return verify.IdentityServer{HTTP: s.client, OAuth: wso2.NewIdentity(s.client, s.is.URL(), admin), Authorization: wso2.NewAuthorization(s.client, s.is.URL(), admin)}
}

// throwAway returns the names of the clients that checks have made and not deleted.
func (s *site) throwAway(t *testing.T) (names []string) {
	t.Helper()
	page, err := s.identityServer().Authorization.Applications(t.Context(), "name sw wso2agent-security-", 0)
	must(t, err)
	for _, app := range page.Applications {
		names = append(names, app.Name)
	}
	return names
}

func TestOnlyOldThrowAwayClientsAreDeleted(t *testing.T) {
	s := openWith(t, wso2sim.Delays{}, func(t *testing.T, shipped []byte) []byte { return agentSettings(t, shipped, false) })
	is := s.identityServer()
	old, young := fmt.Sprintf("wso2agent-security-a-b-%d-abcdefgh", time.Now().Add(-2*time.Hour).Unix()), fmt.Sprintf("wso2agent-security-a-b-%d-abcdefgh", time.Now().Unix())
	for _, name := range []string{old, young, "wso2agent-security-a-b-2024-eu", "wso2agent-security-a-b-1700000000-notours1"} {
		if _, _, err := is.OAuth.RegisterClient(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := verify.Expose(t.Context(), is, "a-b"); err != nil || got.Any() {
		t.Errorf("%+v, %v", got, err)
	}
	left := s.throwAway(t)
	slices.Sort(left)
	want := []string{young, "wso2agent-security-a-b-1700000000-notours1", "wso2agent-security-a-b-2024-eu"}
	slices.Sort(want)
	if !slices.Equal(left, want) {
		t.Errorf("left are %q, want %q", left, want)
	}
}
