package bootstrap

import "testing"

func TestPeopleAreShownTheAddressThatTheyUse(t *testing.T) {
	for name, c := range map[string]struct{ public, token, wantToken, wantRevoke string }{
		"the token endpoint that is set":   {"", "https://wso2is:9443/oauth2/token", "https://wso2is:9443/oauth2/token", "https://wso2is:9443/oauth2/revoke"},
		"behind a reverse proxy":           {"https://login.example.com", "https://wso2is:9443/oauth2/token", "https://login.example.com/oauth2/token", "https://login.example.com/oauth2/revoke"},
		"with a slash at the end":          {"https://login.example.com/", "https://wso2is:9443/oauth2/token", "https://login.example.com/oauth2/token", "https://login.example.com/oauth2/revoke"},
		"a token endpoint of another kind": {"", "https://login.example.com/token", "https://login.example.com/token", "https://wso2is:9443/oauth2/revoke"},
	} {
		r := &run{Settings: Settings{ISURL: "https://wso2is:9443", KMTokenEndpoint: c.token, ISPublicURL: c.public}}
		km := r.desiredKeyManager()
		if km.DisplayTokenEndpoint != c.wantToken || km.DisplayRevokeEndpoint != c.wantRevoke {
			t.Errorf("%s: %s and %s are shown", name, km.DisplayTokenEndpoint, km.DisplayRevokeEndpoint)
		}
		if km.TokenEndpoint != "https://wso2is:9443/oauth2/token" || km.RevokeEndpoint != "https://wso2is:9443/oauth2/revoke" {
			t.Errorf("%s: server to server it is %s and %s", name, km.TokenEndpoint, km.RevokeEndpoint)
		}
	}
}
