package wso2sim

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"time"
)

// loginClient is a client of IS that may do all that needs a browser or another token.
type loginClient struct {
	t          *testing.T
	is         *IS
	id, secret string
}

func newLoginClient(t *testing.T, callback string) loginClient {
	t.Helper()
	p := newPair(t)
	p.startIS()
	made := send(t, "POST", p.is.URL()+registerPath, admin, object{
		"client_name": "login", "redirect_uris": []string{callback}, "token_type_extension": "JWT",
		"grant_types": []string{grantCode, grantDevice, "refresh_token", "urn:ietf:params:oauth:grant-type:jwt-bearer", "urn:ietf:params:oauth:grant-type:token-exchange"},
	}).want(t, 201)
	return loginClient{t, p.is, made.str("client_id"), made.str("client_secret")}
}

// post sends a form as the client.
func (c loginClient) post(path string, form url.Values) reply {
	c.t.Helper()
	return send(c.t, "POST", c.is.URL()+path, basic(c.id, c.secret), form)
}

// open opens an address in the browser, and returns where that redirects to.
func (c loginClient) open(address string) *url.URL {
	c.t.Helper()
	return c.redirected(send(c.t, "GET", address, anonymous, nil))
}

func (c loginClient) redirected(r reply) *url.URL {
	c.t.Helper()
	to, err := url.Parse(r.want(c.t, 302).header.Get("Location"))
	if err != nil {
		c.t.Fatal(err)
	}
	return to
}

// logIn logs the administrator in on a login page, and returns where IS redirects to in the end.
func (c loginClient) logIn(page *url.URL) *url.URL {
	c.t.Helper()
	key := page.Query().Get("sessionDataKey")
	back := c.redirected(send(c.t, "POST", c.is.URL()+"/commonauth", anonymous, url.Values{"username": {"admin"}, "password": {"admin"}, "sessionDataKey": {key}}))
	return c.open(c.is.URL() + back.RequestURI())
}

// authorize asks for a code with a callback.
func (c loginClient) authorize(callback, verifier string) *url.URL {
	c.t.Helper()
	sum := sha256.Sum256([]byte(verifier))
	return c.open(c.is.URL() + "/oauth2/authorize?" + url.Values{
		"response_type": {"code"}, "client_id": {c.id}, "redirect_uri": {callback}, "state": {"st"}, "scope": {"openid"},
		"code_challenge": {b64.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}.Encode())
}

func TestALoginEndsWithACodeForOneToken(t *testing.T) {
	c := newLoginClient(t, "http://127.0.0.1/callback")
	for _, callback := range []string{"http://127.0.0.1:1/other", "http://localhost:1/callback", "http://127.0.0.1.example/callback"} {
		if to := c.authorize(callback, "v"); to.Query().Get("oauthErrorCode") != "invalid_callback" {
			t.Errorf("%s: redirected to %s", callback, to)
		}
	}
	const callback = "http://127.0.0.1:45678/callback" // a loopback address may have any port
	to := c.logIn(c.authorize(callback, "verifier"))
	code := to.Query().Get("code")
	if to.Host != "127.0.0.1:45678" || code == "" || to.Query().Get("state") != "st" {
		t.Fatalf("redirected to %s", to)
	}
	form := url.Values{"grant_type": {grantCode}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {"another"}}
	if got := c.post("/oauth2/token", form); got.str("error") != "invalid_grant" {
		t.Errorf("another verifier: %s", got.text)
	}
	form.Set("code_verifier", "verifier")
	token := c.post("/oauth2/token", form).want(t, 200)
	introspect := func() any {
		return send(t, "POST", c.is.URL()+"/oauth2/introspect", admin, url.Values{"token": {token.str("access_token")}}).at("active")
	}
	if introspect() != true || token.str("refresh_token") == "" || token.str("id_token") == "" {
		t.Errorf("the token: %s", token.text)
	}
	if got := c.post("/oauth2/token", form); got.status != 400 || introspect() != false {
		t.Errorf("a code that is used twice: %s, active %v", got.text, introspect())
	}
}

func TestADeviceGetsItsTokenWhenSomebodyHasLoggedIn(t *testing.T) {
	c := newLoginClient(t, "https://app.example/cb")
	begun := c.post("/oauth2/device_authorize", url.Values{"scope": {"openid"}}).want(t, 200)
	ask := func() reply {
		return c.post("/oauth2/token", url.Values{"grant_type": {grantDevice}, "device_code": {begun.str("device_code")}})
	}
	every := func(d time.Duration) {
		c.is.mu.Lock()
		defer c.is.mu.Unlock()
		c.is.delays.DevicePoll = d
	}
	for interval, want := range map[time.Duration]string{time.Hour: "slow_down", 0: "authorization_pending"} {
		every(interval)
		if got := ask(); got.str("error") != want {
			t.Errorf("before the login, with an interval of %s: %s", interval, got.text)
		}
	}
	every(0)
	page := c.redirected(send(t, "POST", c.is.URL()+"/oauth2/device", anonymous, url.Values{"user_code": {begun.str("user_code")}}))
	if to := c.logIn(page); to.Path != "/authenticationendpoint/device_success.do" {
		t.Errorf("redirected to %s", to)
	}
	if got := ask(); got.status != 200 || got.str("access_token") == "" {
		t.Errorf("after the login: %s", got.text)
	}
	if got := ask(); got.str("error") != "expired_token" {
		t.Errorf("once more: %s", got.text)
	}
}

func TestAssertionsOfUnknownIssuersAreRefused(t *testing.T) {
	c := newLoginClient(t, "https://app.example/cb")
	foreign := b64.EncodeToString([]byte(`{"alg":"RS256"}`)) + "." + b64.EncodeToString([]byte(`{"iss":"https://nobody.example"}`)) + "." + b64.EncodeToString([]byte("x"))
	const jwtBearer, exchange = "urn:ietf:params:oauth:grant-type:jwt-bearer", "urn:ietf:params:oauth:grant-type:token-exchange"
	for name, tc := range map[string]struct {
		form url.Values
		want string
	}{
		"no assertion":     {url.Values{"grant_type": {jwtBearer}}, "Missing parameters: assertion"},
		"no JWT":           {url.Values{"grant_type": {jwtBearer}, "assertion": {"nope"}}, "Error while parsing the JWT."},
		"another issuer":   {url.Values{"grant_type": {jwtBearer}, "assertion": {foreign}}, "No registered identity provider found for the JWT with issuer name : https://nobody.example"},
		"no subject":       {url.Values{"grant_type": {exchange}}, "Missing parameters: subject_token_type subject_token"},
		"unknown type":     {url.Values{"grant_type": {exchange}, "subject_token": {foreign}, "subject_token_type": {"nosuch"}}, "Unsupported subject token type : nosuch provided"},
		"another's issuer": {url.Values{"grant_type": {exchange}, "subject_token": {foreign}, "subject_token_type": {"urn:ietf:params:oauth:token-type:jwt"}}, "No Registered IDP found for the JWT with issuer name : https://nobody.example"},
	} {
		if got := c.post("/oauth2/token", tc.form); got.status != 400 || got.str("error_description") != tc.want {
			t.Errorf("%s: %d %s", name, got.status, got.text)
		}
	}
}

func TestTokensOfATrustedIssuerAreTaken(t *testing.T) {
	c := newLoginClient(t, "https://app.example/cb")
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	certificate := base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	const issuer, alias = "https://idp.example", "https://localhost:9443/oauth2/token"
	send(t, "POST", c.is.URL()+"/api/server/v1/identity-providers", admin, object{
		"name": "Partner", "idpIssuerName": issuer, "alias": alias, "certificate": object{"certificates": []string{certificate}},
	}).want(t, 201)
	signed := func(audience string, expires time.Duration) string {
		text := b64.EncodeToString([]byte(`{"alg":"RS256"}`)) + "." + b64.EncodeToString(fmt.Appendf(nil, `{"iss":%q,"sub":"bob","aud":[%q],"exp":%d}`, issuer, audience, time.Now().Add(expires).Unix()))
		sum := sha256.Sum256([]byte(text))
		signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		return text + "." + b64.EncodeToString(signature)
	}
	const grants = "urn:ietf:params:oauth:grant-type:"
	for name, tc := range map[string]struct{ token, want string }{
		"good":             {signed(alias, time.Minute), ""},
		"another audience": {signed("https://other.example", time.Minute), "None of the audience values matched the tokenEndpoint Alias " + alias},
		"expired":          {signed(alias, -time.Minute), "JSON Web Token is expired."},
		"changed":          {signed(alias, time.Minute)[:300] + "AAAA", "Signature or Message Authentication invalid."},
	} {
		for grant, form := range map[string]url.Values{
			"invalid_grant":   {"grant_type": {grants + "jwt-bearer"}, "assertion": {tc.token}},
			"invalid_request": {"grant_type": {grants + "token-exchange"}, "subject_token": {tc.token}, "subject_token_type": {"urn:ietf:params:oauth:token-type:jwt"}},
		} {
			got := c.post("/oauth2/token", form)
			if tc.want == "" {
				if parsed, err := parseJWT(got.str("access_token")); err != nil || parsed.claims.Subject != "bob" {
					t.Errorf("%s: %d %s", name, got.status, got.text)
				}
				continue
			}
			if got.status != 400 || got.str("error") != grant || !strings.HasPrefix(got.str("error_description"), tc.want) {
				t.Errorf("%s: %d %s", name, got.status, got.text)
			}
		}
	}
}
