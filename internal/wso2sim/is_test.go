package wso2sim

import (
	"net/url"
	"strings"
	"testing"
)

// client registers a client of IS.
func (p *pair) client(name, tokenType string) reply {
	p.t.Helper()
	return send(p.t, "POST", p.is.URL()+registerPath, admin, object{
		"client_name": name, "grant_types": []string{"client_credentials", "password", "refresh_token"}, "token_type_extension": tokenType,
	}).want(p.t, 201)
}

// grant asks the token endpoint of IS.
func (p *pair) grant(c reply, form url.Values) reply {
	p.t.Helper()
	return send(p.t, "POST", p.is.URL()+"/oauth2/token", basic(c.str("client_id"), c.str("client_secret")), form)
}

func (p *pair) active(token string) any {
	p.t.Helper()
	return send(p.t, "POST", p.is.URL()+"/oauth2/introspect", admin, url.Values{"token": {token}}).want(p.t, 200).at("active")
}

func TestTokensOfIS(t *testing.T) {
	p := newPair(t)
	p.startIS()
	jwt, opaque := p.client("jwt", "JWT"), p.client("opaque", "")
	credentials := url.Values{"grant_type": {"client_credentials"}}
	user := url.Values{"grant_type": {"password"}, "username": {"admin"}, "password": {"admin"}, "scope": {"openid nosuch"}}

	t.Run("a JWT carries the client, and the second one ends the first", func(t *testing.T) {
		first, second := p.grant(jwt, credentials).want(t, 200).str("access_token"), p.grant(jwt, credentials).want(t, 200).str("access_token")
		if first == second || p.active(first) != false || p.active(second) != true {
			t.Errorf("active are %v and %v", p.active(first), p.active(second))
		}
		parsed, err := parseJWT(second)
		if err != nil {
			t.Fatal(err)
		}
		c := parsed.claims
		if c.Issuer != p.is.Issuer() || c.Azp != jwt.str("client_id") || c.Subject != jwt.str("client_id") || !parsed.signedBy(p.is.signer.jwks().key(parsed.kid)) {
			t.Errorf("claims are %+v", c)
		}
	})
	t.Run("an opaque token is given again", func(t *testing.T) {
		first, second := p.grant(opaque, credentials).want(t, 200), p.grant(opaque, credentials).want(t, 200)
		if strings.Contains(first.str("access_token"), ".") || first.str("access_token") != second.str("access_token") {
			t.Errorf("got %s and %s", first.text, second.text)
		}
	})
	t.Run("a user's token has a refresh token, and scopes that are not granted are dropped", func(t *testing.T) {
		got := p.grant(jwt, user).want(t, 200)
		if got.str("scope") != "openid" || got.str("refresh_token") == "" || got.str("id_token") == "" {
			t.Errorf("got %s", got.text)
		}
		send(t, "GET", p.is.URL()+"/oauth2/userinfo", bearer(got.str("access_token")), nil).want(t, 200)
		fresh := p.grant(jwt, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {got.str("refresh_token")}}).want(t, 200)
		if p.active(got.str("access_token")) != false || p.active(fresh.str("access_token")) != true {
			t.Error("a refresh leaves the old token or gives none")
		}
		again := p.grant(jwt, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {got.str("refresh_token")}})
		if again.want(t, 400).str("error") != "invalid_grant" {
			t.Errorf("a used refresh token: %s", again.text)
		}
	})
	t.Run("a token of the application itself has no refresh token and no userinfo", func(t *testing.T) {
		got := p.grant(jwt, credentials).want(t, 200)
		if got.str("refresh_token") != "" {
			t.Errorf("got %s", got.text)
		}
		send(t, "GET", p.is.URL()+"/oauth2/userinfo", bearer(got.str("access_token")), nil).want(t, 403)
		send(t, "GET", p.is.URL()+"/oauth2/userinfo", anonymous, nil).want(t, 400)
	})
}

func TestWhatIsNotAClientsIsRefused(t *testing.T) {
	p := newPair(t)
	p.startIS()
	jwt, opaque := p.client("jwt", "JWT"), p.client("opaque", "")
	credentials := url.Values{"grant_type": {"client_credentials"}}
	t.Run("another client's live token cannot be revoked, garbage can", func(t *testing.T) {
		live := p.grant(jwt, credentials).want(t, 200).str("access_token")
		revoke := func(who auth, token string) reply {
			return send(t, "POST", p.is.URL()+"/oauth2/revoke", who, url.Values{"token": {token}})
		}
		other := basic(opaque.str("client_id"), opaque.str("client_secret"))
		revoke(other, live).want(t, 401)
		revoke(other, "garbage").want(t, 200)
		if got := revoke(anonymous, live).want(t, 401); got.header.Get("Content-Type") != "text/html" {
			t.Errorf("without a client the answer is %s", got.header.Get("Content-Type"))
		}
		if p.active(live) != true {
			t.Error("the token was revoked")
		}
	})
	t.Run("a grant that the client does not have", func(t *testing.T) {
		only := send(t, "POST", p.is.URL()+registerPath, admin, object{"client_name": "only", "grant_types": []string{"client_credentials"}}).want(t, 201)
		if got := p.grant(only, url.Values{"grant_type": {"password"}, "username": {"admin"}, "password": {"admin"}}).want(t, 400); got.str("error") != "unauthorized_client" {
			t.Errorf("got %s", got.text)
		}
	})
}

func TestScopesAreGrantedToApplicationsOnlyWhereISIsToldTo(t *testing.T) {
	for settings, want := range map[string]string{"": "", "\n[oauth]\nauthorize_all_scopes = true\n": "pay:read"} {
		p := newPair(t)
		p.appendSettings(p.isHome, settings)
		p.startIS()
		send(t, "POST", p.is.URL()+resourcesPath, admin, object{"name": "r", "identifier": "r", "scopes": []object{{"name": "pay:read"}}}).want(t, 201)
		form := url.Values{"grant_type": {"client_credentials"}, "scope": {"pay:read pay:write openid"}}
		if got := p.grant(p.client("c", "JWT"), form).want(t, 200); got.str("scope") != want {
			t.Errorf("with %q the scope is %q, want %q", settings, got.str("scope"), want)
		}
	}
}

func TestTokensLiveSideBySideWhereISIsToldTo(t *testing.T) {
	p := newPair(t)
	p.appendSettings(p.isHome, "\n[oauth.jwt.renew_token_without_revoking_existing]\nenable = true\nallowed_grant_types = [\"client_credentials\"]\n")
	p.startIS()
	c, form := p.client("c", "JWT"), url.Values{"grant_type": {"client_credentials"}}
	first := p.grant(c, form).want(t, 200).str("access_token")
	p.grant(c, form).want(t, 200)
	if p.active(first) != true {
		t.Error("the first token was revoked")
	}
}

func TestTheProfileOpensToTokensOnlyByAnAccessControlRule(t *testing.T) {
	rule := "\n[[resource.access_control]]\ncontext = \"(.*)/scim2/Me\"\nsecure = true\nhttp_method = \"GET\"\npermissions = []\nscopes = []\n"
	for settings, want := range map[string]int{"": 403, rule: 200} {
		p := newPair(t)
		p.appendSettings(p.isHome, settings)
		p.startIS()
		tok := p.grant(p.client("c", "JWT"), url.Values{"grant_type": {"client_credentials"}}).want(t, 200).str("access_token")
		send(t, "GET", p.is.URL()+"/scim2/Me", bearer(tok), nil).want(t, want)
		send(t, "GET", p.is.URL()+"/scim2/Me", anonymous, nil).want(t, 401)
	}
}

func TestNamesOfClientsAreChecked(t *testing.T) {
	p := newPair(t)
	p.startIS()
	for name, status := range map[string]int{"good name-1.x_y": 201, "two  spaces": 400, "umlaut ä": 400, " leading": 400} {
		send(t, "POST", p.is.URL()+registerPath, admin, object{"client_name": name, "grant_types": []string{"client_credentials"}}).want(t, status)
	}
}

func TestServerAdminIsOffAndMindsNamespaceAndPassword(t *testing.T) {
	p := newPair(t)
	p.startIS()
	p.startAM()
	envelope := func(namespace string) string {
		return `<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><a:restart xmlns:a="` + namespace + `"/></e:Body></e:Envelope>`
	}
	for _, at := range []string{p.is.URL(), p.am.URL()} {
		service := at + "/services/ServerAdmin"
		if got := send(t, "POST", service, admin, envelope(axis2Namespace)).want(t, 200); !strings.Contains(got.text, "<ns:return>false</ns:return>") {
			t.Errorf("got %s", got.text)
		}
		if got := send(t, "POST", service, admin, envelope("http://other")).want(t, 500); !strings.Contains(got.text, "namespace mismatch") {
			t.Errorf("got %s", got.text)
		}
		if got := send(t, "POST", service, basic("admin", "nope"), envelope(axis2Namespace)).want(t, 500); !strings.Contains(got.text, "Access Denied") {
			t.Errorf("got %s", got.text)
		}
	}
}
