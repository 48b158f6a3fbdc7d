package wso2sim

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// What people do next to publishing one API, with both servers joined as the agent joins them. A step that is left out
// is named with the reason.

func TestReplayOfTheAdministration(t *testing.T) {
	inUse(t).replay(recorded(t, "apim-4.5.0-admin.har"), 161, 69, leftOutOfAdministration)
}

func TestReplayOfTheDevPortal(t *testing.T) {
	inUse(t).replay(recorded(t, "apim-4.5.0-devportal.har"), 264, 63, leftOutOfDevPortal)
}

func TestReplayOfKeys(t *testing.T) {
	inUse(t).replay(recorded(t, "apim-4.5.0-keys.har"), 137, 0, nil)
}

// Of a step that was tried until the gateway was ready the last try counts. What the back end says in an answer is not
// API Manager's: of such a step the status counts.
func TestReplayOfTheGateway(t *testing.T) {
	var entries []harEntry
	all := recorded(t, "apim-4.5.0-gateway.har")
	for i, e := range all {
		again := attempt.FindStringSubmatch(e.Comment)
		if again != nil && i+1 < len(all) && strings.HasPrefix(all[i+1].Comment, again[1]+", try ") {
			continue
		}
		if answer, ok := decoded(e.Response.Content.Text).(map[string]any); ok && (answer["headers"] != nil && answer["path"] != nil || answer["data"] != nil) {
			e.Response.Content.Text = "the back end's"
		}
		entries = append(entries, e)
	}
	inUse(t).replay(entries, 189, 12, leftOutOfGateway)
}

// joined is a pair as the recordings of the second round had it: the settings for API Manager in IS, and IS as the key
// manager WSO2-IS, whose connector makes roles.
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
		"displayName": "WSO2-IS", "description": "WSO2 Identity Server 7, registered by wso2agent",
		"displayTokenEndpoint": at + "/oauth2/token", "displayRevokeEndpoint": at + "/oauth2/revoke", "authorizeEndpoint": at + "/oauth2/authorize",
		"scopeManagementEndpoint": at + "/api/identity/oauth2/v1.0/scopes", "availableGrantTypes": []string{"client_credentials", "password"},
	})
	body["additionalProperties"].(object)["enable_roles_creation"] = true
	send(t, "POST", p.admin("/key-managers"), admin, body).want(t, 201)
	return p
}

// inUse is a joined pair with an application of the agent, which has a subscription and keys.
func inUse(t *testing.T) *pair {
	t.Helper()
	p := joined(t)
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

// replay sends a recording of both servers, and checks how many of its steps it sent and left out.
func (p *pair) replay(entries []harEntry, want, wantOut int, left map[string]string) {
	p.t.Helper()
	is, am := p.is.url(p.is.port), p.am.url(p.am.port)
	values := map[string]string{
		"https://localhost:39443": am, "https://localhost:38243": p.am.url(p.am.gatewayPort), "https://localhost:39444": is,
		"https://wso2is:9443": is, "http://echo-backend:8080": p.backend.URL(),
	}
	// Lists of these come in another order, and one must not stand for another.
	for _, name := range append(slices.Clone(supportedGrants), "implicit", "Internal/subscriber", "Internal/publisher") {
		values[name] = name
	}
	for _, tiers := range builtInTiers() {
		for _, tier := range tiers {
			values[tier.name] = tier.name
		}
	}
	replayListed(p.t, entries, values, want, wantOut, left, nil)
}

// replayListed sends the steps of a recording that are not left out.
func replayListed(t *testing.T, entries []harEntry, values map[string]string, want, wantOut int, left map[string]string, before hooks) {
	t.Helper()
	r, sent, skipped, out := newReplayer(values, nil), 0, 0, map[string]bool{}
	for _, e := range entries {
		if left[e.Comment] != "" {
			out[e.Comment] = true
			skipped++
			continue
		}
		if f := before[e.Comment]; f != nil {
			f()
		}
		t.Run(e.Comment, func(t *testing.T) { r.step(t, e) })
		sent++
	}
	if sent != want || skipped != wantOut {
		t.Errorf("the replay sent %d steps and left out %d, want %d and %d", sent, skipped, want, wantOut)
	}
	if len(out) != len(left) {
		t.Errorf("of %d names of steps that are left out the recording has %d", len(left), len(out))
	}
}
