package wso2sim

import (
	"testing"
	"time"
)

// Users, roles, applications and tokens of IS with the settings for API Manager.

func TestReplayOfUsers(t *testing.T) { replayIS(t, "is-7.1.0-users.har", 97, 5, leftOutOfUsers) }

func TestReplayOfRoles(t *testing.T) { replayIS(t, "is-7.1.0-roles.har", 84, 7, leftOutOfRoles) }

func TestReplayOfApplicationsOfIS(t *testing.T) {
	replayIS(t, "is-7.1.0-apps.har", 48, 22, leftOutOfApplications)
}

func TestReplayOfTokens(t *testing.T) { replayIS(t, "is-7.1.0-tokens.har", 84, 11, leftOutOfTokens) }

func TestReplayOfLogins(t *testing.T) { replayIS(t, "is-7.1.0-login.har", 39, 16, leftOutOfLogins) }

func replayIS(t *testing.T, file string, want, wantOut int, left map[string]string) {
	t.Helper()
	p := newPair(t)
	p.appendSettings(p.isHome, settingsForAM)
	p.startIS()
	// API Manager's connector had used the recorded server before, and made its resource and clients.
	send(t, "POST", p.is.URL()+resourcesPath, admin, object{"name": "User-defined OAuth2 Resource", "identifier": resourceIdentifier}).want(t, 201)
	for _, name := range []string{"admin_one_PRODUCTION", "admin_two_PRODUCTION", "admin_three_PRODUCTION"} {
		send(t, "POST", p.is.URL()+registerPath, admin, object{"client_name": name, "grant_types": []string{"client_credentials"}, "redirect_uris": []string{}}).want(t, 201)
	}
	at := p.is.url(p.is.port)
	values := map[string]string{"https://localhost:39444": at, "https://wso2is:9443": at}
	replayListed(t, recorded(t, file), values, want, wantOut, left, hooks{ // what the recorder waited for
		"device: authorize":                p.devicesPoll(5 * time.Second),
		"token device, after the interval": p.devicesPoll(0),
		"token, device, done":              p.devicesPoll(0),
	})
}

// devicesPoll returns what changes how often a device may ask for its token.
func (p *pair) devicesPoll(every time.Duration) func() {
	return func() {
		p.is.mu.Lock()
		defer p.is.mu.Unlock()
		p.is.delays.DevicePoll = every
	}
}
