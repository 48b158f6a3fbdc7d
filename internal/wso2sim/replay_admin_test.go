package wso2sim

import (
	"maps"
	"testing"
)

// What people do next to publishing one API, with both servers joined as the agent joins them. A step that is left out
// is named with the reason.

func TestReplayOfTheAdministration(t *testing.T) {
	p := joined(t)
	p.replay("apim-4.5.0-admin.har", 230, nil, nil)
}

func TestReplayOfTheDevPortal(t *testing.T) {
	p := joined(t)
	p.replay("apim-4.5.0-devportal.har", 327, nil, nil)
}

func TestReplayOfKeys(t *testing.T) {
	p := joined(t)
	p.replay("apim-4.5.0-keys.har", 137, nil, nil)
}

func TestReplayOfTheGateway(t *testing.T) {
	p := joined(t)
	p.replay("apim-4.5.0-gateway.har", 264, nil, nil)
}

// joined is a pair as the recordings of the second round had it: the settings for API Manager in IS, IS as the key
// manager WSO2-IS, and an application of the agent with a subscription and keys.
func joined(t *testing.T) *pair {
	t.Helper()
	p := newPair(t)
	p.appendSettings(p.isHome, settingsForAM)
	p.exchange()
	p.startAM()
	p.listener("WSO2-IS")
	p.startIS()
	body := p.keyManagerBody("WSO2-IS")
	at := p.is.url(p.is.port)
	maps.Copy(body, object{
		"displayTokenEndpoint": at + "/oauth2/token", "displayRevokeEndpoint": at + "/oauth2/revoke", "authorizeEndpoint": at + "/oauth2/authorize",
		"scopeManagementEndpoint": at + "/api/identity/oauth2/v1.0/scopes", "availableGrantTypes": []string{"client_credentials", "password"},
	})
	body["additionalProperties"].(object)["enable_roles_creation"] = true
	send(t, "POST", p.admin("/key-managers"), admin, body).want(t, 201)
	p.saveResident()
	api := p.api("Agent API", "/agent")
	p.deploy(api)
	p.publish(api)
	app := p.application("Agent Application")
	p.subscribe(app, api)
	p.generate(app, "WSO2-IS").want(t, 200)
	return p
}

// saveResident saves the Resident Key Manager as it is, as somebody had done before the recordings.
func (p *pair) saveResident() {
	p.t.Helper()
	list := send(p.t, "GET", p.admin("/key-managers"), admin, nil).want(p.t, 200)
	id := list.str("list", 1, "id")
	resident := send(p.t, "GET", p.admin("/key-managers/"+id), admin, nil).want(p.t, 200)
	send(p.t, "PUT", p.admin("/key-managers/"+id), admin, resident.body).want(p.t, 200)
}

// settingsForAM are those that IS needs for API Manager.
const settingsForAM = `
[oauth]
authorize_all_scopes = true
[[resource.access_control]]
context = "(.*)/scim2/Me"
secure = true
http_method = "GET"
cross_tenant = true
permissions = []
scopes = []
[role_mgt]
allow_system_prefix_for_role = true
`

// replay sends a recording of both servers, and says whether as many of its steps were sent as expected.
func (p *pair) replay(file string, want int, left map[string]string, before hooks) {
	p.t.Helper()
	is, am := p.is.url(p.is.port), p.am.url(p.am.port)
	values := map[string]string{
		"https://localhost:39443": am, "https://localhost:38243": p.am.url(p.am.gatewayPort), "https://localhost:39444": is,
		"https://wso2is:9443": is, "http://echo-backend:8080": p.backend.URL(),
	}
	replayListed(p.t, file, values, want, left, before)
}

// replayListed sends the steps of a recording that are not left out.
func replayListed(t *testing.T, file string, values map[string]string, want int, left map[string]string, before hooks) {
	t.Helper()
	r, sent, out := newReplayer(values, nil), 0, map[string]bool{}
	for _, e := range recorded(t, file) {
		if left[e.Comment] != "" {
			out[e.Comment] = true
			continue
		}
		if f := before[e.Comment]; f != nil {
			f()
		}
		t.Run(e.Comment, func(t *testing.T) { r.step(t, e) })
		sent++
	}
	if sent != want {
		t.Errorf("the replay had %d steps, want %d", sent, want)
	}
	if len(out) != len(left) {
		t.Errorf("of %d names of steps that are left out the recording has %d", len(left), len(out))
	}
}
