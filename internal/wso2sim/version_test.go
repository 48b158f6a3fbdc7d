package wso2sim

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"wso2agent/internal/keystore"
)

// sharedKey is the key of all homes of versions: making one takes longer than everything else.
var sharedKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// homeOf unpacks a home of a version.
func homeOf(t *testing.T, product, version string) string {
	t.Helper()
	key, err := sharedKey()
	if err != nil {
		t.Fatal(err)
	}
	home := filepath.Join(t.TempDir(), "wso2"+product+"-"+version)
	if err := UnpackWith(home, product, UnpackOptions{Version: version, Rounds: 10, Key: key}); err != nil {
		t.Fatal(err)
	}
	return home
}

func TestAHomeOfEveryVersionHasItsFilesAndStarts(t *testing.T) {
	for _, tc := range []struct {
		product, version, key, trust string
		format                       keystore.Format
		expired                      bool
		databases                    int
		tls                          uint16
	}{
		{ProductIS, "7.0.0", "wso2carbon.jks", "client-truststore.jks", keystore.JKS, true, 3, tls.VersionTLS13},
		{ProductIS, "7.1.0", "wso2carbon.p12", "client-truststore.p12", keystore.PKCS12, true, 3, tls.VersionTLS12},
		{ProductIS, "7.2.0", "wso2carbon.p12", "client-truststore.p12", keystore.PKCS12, true, 4, tls.VersionTLS12},
		{ProductIS, "7.3.0", "wso2carbon.p12", "client-truststore.p12", keystore.PKCS12, false, 4, tls.VersionTLS13},
		{ProductAM, "4.4.0", "wso2carbon.jks", "client-truststore.jks", keystore.PKCS12, false, 3, tls.VersionTLS13},
		{ProductAM, "4.5.0", "wso2carbon.jks", "client-truststore.jks", keystore.PKCS12, false, 3, tls.VersionTLS13},
		{ProductAM, "4.6.0", "wso2carbon.jks", "client-truststore.jks", keystore.JKS, false, 3, tls.VersionTLS13},
		{ProductAM, "4.7.0", "wso2carbon.jks", "client-truststore.jks", keystore.JKS, false, 3, tls.VersionTLS13},
	} {
		t.Run(tc.product+tc.version, func(t *testing.T) {
			home := homeOf(t, tc.product, tc.version)
			stores := filepath.Join(home, securityDir)
			keys, trust := open(t, filepath.Join(stores, tc.key)), open(t, filepath.Join(stores, tc.trust))
			if keys.Format() != tc.format || trust.Format() != tc.format {
				t.Errorf("the stores are %s and %s, want %s", keys.Format(), trust.Format(), tc.format)
			}
			leaf, err := keys.Leaf("wso2carbon")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := keys.Leaf("newkey"); (err == nil) != (tc.version == "7.0.0") {
				t.Errorf("a second key: %v", err)
			}
			if cert, err := leaf.Parse(); err != nil || cert.NotAfter.Before(time.Now()) != tc.expired {
				t.Errorf("the certificate is good until %s (%v)", cert.NotAfter, err)
			}
			if found, _ := filepath.Glob(filepath.Join(home, databaseDir, "*.mv.db")); len(found) != tc.databases {
				t.Errorf("the databases are %s", found)
			}
			o := Options{Home: home, Listen: "127.0.0.1:0", Gateway: "127.0.0.1:0"}
			var s Server
			if tc.product == ProductIS {
				s, err = StartIS(t.Context(), o)
			} else {
				s, err = StartAM(t.Context(), o)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if err := s.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			conn, err := tls.Dial("tcp", strings.TrimPrefix(s.URL(), "https://"), &tls.Config{InsecureSkipVerify: true})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if got := conn.ConnectionState().Version; got != tc.tls {
				t.Errorf("%s, want %s", tls.VersionName(got), tls.VersionName(tc.tls))
			}
		})
	}
}

func TestAPIManagerNamesItsVersion(t *testing.T) {
	am, err := StartAM(t.Context(), Options{Home: homeOf(t, ProductAM, "4.7.0"), Listen: "127.0.0.1:0", Gateway: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer am.Close()
	if err := am.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	resp, err := insecure().Get(am.URL() + "/services/Version")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK || !strings.Contains(string(text), "<return>WSO2 API Manager-4.7.0</return>") {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
}

func TestAVersionThatTheStandInDoesNotHaveIsRefused(t *testing.T) {
	for _, version := range []string{"6.1.0", "7", "7.x.0", "8.0.0"} {
		if _, err := BehaviourOf(ProductIS, version); err == nil || !strings.Contains(err.Error(), "7.0, 7.1, 7.2, 7.3") {
			t.Errorf("%s: %v", version, err)
		}
	}
	home := homeOf(t, ProductAM, "4.6.0")
	if err := os.WriteFile(filepath.Join(home, versionFile), []byte("WSO2 API Manager-3.2.0\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := StartAM(t.Context(), Options{Home: home, Listen: "127.0.0.1:0", Gateway: "127.0.0.1:0"}); err == nil || !strings.Contains(err.Error(), "3.2.0") {
		t.Errorf("a home of 3.2.0: %v", err)
	}
}

// tokenStatus is the answer of API Manager's token endpoint to a secret.
func (p *pair) tokenStatus(client, secret string) int {
	p.t.Helper()
	return send(p.t, "POST", p.am.URL()+"/oauth2/token", basic(client, secret), url.Values{"grant_type": {"client_credentials"}}).status
}

func TestSecretsAreShownOnceFrom47On(t *testing.T) {
	p := workingAs(t, "7.3.0", "4.7.0")
	app := p.application("Shop")
	made := p.generate(app, "").want(t, 200)
	client, first := made.str("consumerKey"), made.str("consumerSecret")
	keys := p.devportal("/applications/" + app + "/oauth-keys")
	key := keys + "/" + made.str("keyMappingId")

	for _, shown := range []any{
		send(t, "GET", keys, admin, nil).want(t, 200).at("list", 0, "consumerSecret"), send(t, "GET", key, admin, nil).want(t, 200).at("consumerSecret"),
	} {
		if shown != first[:3]+"*************" {
			t.Errorf("a second look shows %q", shown)
		}
	}
	send(t, "POST", key+"/regenerate-secret", admin, nil).wantCode(t, 500, 900967)

	second := send(t, "POST", key+"/generate-secret", admin, object{"additionalProperties": object{"description": "second"}}).want(t, 201)
	third := send(t, "POST", key+"/generate-secret", admin, object{}).want(t, 201)
	for _, secret := range []string{first, second.str("secretValue"), third.str("secretValue")} {
		if status := p.tokenStatus(client, secret); status != 200 {
			t.Errorf("a secret gets %d", status)
		}
	}
	list := send(t, "GET", key+"/secrets", admin, nil).want(t, 200)
	if list.at("count") != 3.0 || list.at("list", 1, "secretId") != second.str("secretId") || list.at("list", 1, "additionalProperties", "description") != "second" ||
		list.at("list", 1, "secretValue") == second.str("secretValue") {
		t.Errorf("the list is %s", list.body)
	}

	send(t, "POST", key+"/revoke-secret", admin, object{"secretId": third.str("secretId")}).wantCode(t, 500, 900967) // the latest
	send(t, "POST", key+"/revoke-secret", admin, object{"secretId": second.str("secretId")}).want(t, 204)
	send(t, "POST", key+"/revoke-secret", admin, object{"secretId": list.str("list", 0, "secretId")}).want(t, 204) // the one that it was made with
	p.startAM()
	for secret, want := range map[string]int{first: 401, second.str("secretValue"): 401, third.str("secretValue"): 200} {
		if status := p.tokenStatus(client, secret); status != want {
			t.Errorf("after two were revoked, and a restart, a secret gets %d, want %d", status, want)
		}
	}

	// The connector of IS 7 has one secret for a client, which is shown as before.
	p.keyManager("WSO2IS7")
	ofIS := p.generate(app, "WSO2IS7").want(t, 200)
	key = keys + "/" + ofIS.str("keyMappingId")
	if shown := send(t, "GET", key, admin, nil).want(t, 200).str("consumerSecret"); shown != ofIS.str("consumerSecret") {
		t.Errorf("the secret of IS is shown as %q", shown)
	}
	send(t, "POST", key+"/generate-secret", admin, object{}).wantCode(t, 500, 900967)
}

func TestOneSecretByDeploymentTomlOrBefore47(t *testing.T) {
	p := newPair(t)
	p.amHome = homeOf(t, ProductAM, "4.7.0")
	p.appendSettings(p.amHome, "\n[oauth.multiple_client_secrets]\nenable = false\n")
	p.startAM()
	app := p.application("Shop")
	made := p.generate(app, "").want(t, 200)
	key := p.devportal("/applications/" + app + "/oauth-keys/" + made.str("keyMappingId"))
	if shown := send(t, "GET", key, admin, nil).want(t, 200).str("consumerSecret"); shown != made.str("consumerSecret") {
		t.Errorf("a second look shows %q", shown)
	}
	send(t, "POST", key+"/generate-secret", admin, object{}).wantCode(t, 403, 900916)
	if again := send(t, "POST", key+"/regenerate-secret", admin, nil).want(t, 200).str("consumerSecret"); again == "" || again == made.str("consumerSecret") {
		t.Errorf("the new secret is %q", again)
	}

	p = newPair(t)
	p.amHome = homeOf(t, ProductAM, "4.6.0")
	p.startAM()
	app = p.application("Shop")
	key = p.devportal("/applications/" + app + "/oauth-keys/" + p.generate(app, "").want(t, 200).str("keyMappingId"))
	send(t, "POST", key+"/generate-secret", admin, object{}).want(t, 404)
}

func TestEachStartOf47MakesAnotherKeyUnlessTheVolumeHasOne(t *testing.T) {
	home := homeOf(t, ProductAM, "4.7.0")
	volume := t.TempDir()
	if err := os.CopyFS(volume, os.DirFS(home)); err != nil {
		t.Fatal(err)
	}
	start := func() (key string) {
		t.Helper()
		am, err := StartAM(t.Context(), Options{Home: home, ConfigVolume: volume, Listen: "127.0.0.1:0", Gateway: "127.0.0.1:0"})
		if err != nil {
			t.Fatal(err)
		}
		defer am.Close()
		return am.settings.text("encryption.key", "")
	}
	// The databases are not on the volume: what the product calls a config volume has settings and stores.
	if err := os.RemoveAll(filepath.Join(volume, databaseDir)); err != nil {
		t.Fatal(err)
	}
	first, second := start(), start()
	if len(first) != 64 || first == second {
		t.Errorf("the keys of two starts are %q and %q", first, second)
	}
	text := string(readFile(t, filepath.Join(volume, settingsFile)))
	for _, own := range []string{"\n[encryption]\nkey = \"0123456789abcdef\"\n", "\n[encryption]\n"} { // a table without a key keeps the script from making one
		if err := os.WriteFile(filepath.Join(volume, settingsFile), []byte(text+own), 0o600); err != nil {
			t.Fatal(err)
		}
		if key := start(); len(key) != 0 && key != "0123456789abcdef" {
			t.Errorf("with %q in the volume the key is %q", own, key)
		}
	}
	older := homeOf(t, ProductAM, "4.6.0")
	am, err := StartAM(t.Context(), Options{Home: older, Listen: "127.0.0.1:0", Gateway: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer am.Close()
	if strings.Contains(string(readFile(t, filepath.Join(older, settingsFile))), "encryption") {
		t.Error("4.6.0 makes a key")
	}
}

func TestWithAnotherKeyAKeyManagersPasswordIsLost(t *testing.T) {
	p := workingAs(t, "7.1.0", "4.7.0")
	id := p.keyManager("WSO2IS7")
	app := p.application("Shop")
	p.generate(app, "WSO2IS7").want(t, 200)
	p.startAM() // the key is in the home's deployment.toml by now
	app = p.application("Shop again")
	p.generate(app, "WSO2IS7").want(t, 200)

	path := filepath.Join(p.amHome, settingsFile)
	text := regexp.MustCompile(`(?m)^key = "[0-9a-f]{64}"`).ReplaceAll(readFile(t, path), []byte(`key = "another"`))
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	p.startAM()
	if !strings.Contains(p.amLog.String(), "encrypted with another key") {
		t.Error("the log says nothing")
	}
	app = p.application("Third")
	if status := p.generate(app, "WSO2IS7").status; status == 200 {
		t.Error("keys are made without the password")
	}
	shown := send(t, "GET", p.admin("/key-managers/"+id), admin, nil).want(t, 200)
	if at := shown.at("additionalProperties", "Password"); at != masked {
		t.Errorf("the password is shown as %q", at)
	}
	body := p.keyManagerBody("WSO2IS7")
	body["additionalProperties"].(object)["Password"] = masked // as an update does that changes something else
	send(t, "PUT", p.admin("/key-managers/"+id), admin, body).want(t, 200)
	if status := p.generate(p.application("Fourth"), "WSO2IS7").status; status == 200 {
		t.Error("a mask has brought the password back")
	}
	send(t, "PUT", p.admin("/key-managers/"+id), admin, p.keyManagerBody("WSO2IS7")).want(t, 200)
	p.generate(p.application("Fifth"), "WSO2IS7").want(t, 200)
}

func TestAHandlerThatTheFrameworkDoesNotResolveSendsNoNotice(t *testing.T) {
	resolves := map[string][]string{ // by the version of the handler
		"2.0.5": {"7.0.0", "7.1.0", "7.2.0"}, "2.0.11": {"7.0.0", "7.1.0", "7.2.0"}, "2.0.12": {"7.3.0"}, "2.1.1": {"7.3.0"}, "2.1.2": {"7.1.0", "7.2.0", "7.3.0"},
	}
	home := homeOf(t, ProductIS, "7.1.0")
	dropins := filepath.Join(home, dropinsDir)
	for handler, versions := range resolves {
		jar, err := RevocationHandler(handler)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(dropins, 0o755); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dropins, handlerJar+"-"+handler+".jar")
		if err := os.WriteFile(path, jar, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, version := range []string{"7.0.0", "7.1.0", "7.2.0", "7.3.0"} {
			b, err := BehaviourOf(ProductIS, version)
			if err != nil {
				t.Fatal(err)
			}
			if err := findHandler(home, b); (err == nil) != slices.Contains(versions, version) {
				t.Errorf("handler %s in IS %s: %v", handler, version, err)
			}
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	for manifest, want := range map[string]bool{ // as the released jars write it: a line is cut after 72 bytes
		"Import-Package: javax.crypto,org.osgi.service.component;version=\"[1.2,1.\r\n 3)\",org.wso2.carbon\r\n": true,
		"Import-Package: org.osgi.service.component;resolution:=optional;version=\"[1.3,2)\"\r\n":                false,
		"Import-Package: org.apache.commons.logging;version=\"[9,10)\"\r\n":                                      true,
	} {
		if why := recordedBehaviour(ProductIS).unresolved(manifest); (why == "") != want {
			t.Errorf("%q: %q", manifest, why)
		}
	}
}

func TestTheHandlerOfAHomesVersionSendsNotices(t *testing.T) {
	for _, version := range []string{"7.0.0", "7.3.0"} {
		home := homeOf(t, ProductIS, version)
		b, _ := BehaviourOf(ProductIS, version)
		if err := WriteRevocationHandler(home); err != nil {
			t.Fatal(err)
		}
		if err := findHandler(home, b); err != nil {
			t.Errorf("%s: %v", version, err)
		}
	}
}

// jwtScopes is the claim scope of a token as it stands there.
func jwtScopes(t *testing.T, token string) any {
	t.Helper()
	payload, err := b64.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return claims["scope"]
}

func TestWhatAuthorizeAllScopesCoversByVersion(t *testing.T) {
	const own, internal, authorized = "orders:read", "internal_user_mgt_list", "orders:write"
	const all = internal + " " + own + " " + authorized
	for _, tc := range []struct {
		version, settings string
		plain, owner      string // scopes of an application without and with an authorized API
	}{
		{"7.1.0", "", all, all},
		{"7.2.0", "", own + " " + authorized, authorized},
		{"7.2.0", "authorize_internal_scopes = true\n", all, all},
		{"7.3.0", "", own + " " + authorized, own + " " + authorized},
		{"7.3.0", "[preserve_previous_product_behaviour]\nversion = \"IS_7.1.0\"\n", all, all},
	} {
		t.Run(tc.version+tc.settings, func(t *testing.T) {
			p := newPair(t)
			p.isHome = homeOf(t, ProductIS, tc.version)
			p.appendSettings(p.isHome, "\n[oauth]\nauthorize_all_scopes = true\n"+tc.settings)
			p.startIS()
			resource := p.resource("orders", true, own, authorized)
			owner := p.client("owner", "JWT")
			send(t, "POST", p.applicationOf(owner)+"/authorized-apis", admin, object{"id": resource, "policyIdentifier": "RBAC", "scopes": []string{authorized}}).want(t, 200)
			if got := p.scopeFor(p.client("plain", "JWT"), all); got != tc.plain {
				t.Errorf("an application gets %s, want %s", got, tc.plain)
			}
			if got := p.scopeFor(owner, all); got != tc.owner {
				t.Errorf("an application with an authorized API gets %s, want %s", got, tc.owner)
			}
		})
	}
}

func TestTheClaimScopeIsAnArrayFrom73On(t *testing.T) {
	for version, array := range map[string]bool{"7.2.0": false, "7.3.0": true} {
		p := newPair(t)
		p.isHome = homeOf(t, ProductIS, version)
		p.appendSettings(p.isHome, "\n[oauth]\nallowed_scopes = [\"device_.*\"]\n")
		p.startIS()
		client := p.client("A", "JWT")
		first := send(t, "POST", p.is.URL()+"/oauth2/token", basic(client.str("client_id"), client.str("client_secret")),
			url.Values{"grant_type": {"client_credentials"}, "scope": {"device_1"}}).want(t, 200)
		if first.at("scope") != "device_1" {
			t.Errorf("%s answers %s", version, first.body)
		}
		if _, is := jwtScopes(t, first.str("access_token")).([]any); is != array {
			t.Errorf("%s: the claim is %v", version, jwtScopes(t, first.str("access_token")))
		}
	}
}

// A version that keeps its JWTs in no database cannot end the one before it.
func TestANewJWTLeavesTheOneBeforeAloneFrom73On(t *testing.T) {
	for version, live := range map[string]bool{"7.2.0": false, "7.3.0": true} {
		p := newPair(t)
		p.isHome = homeOf(t, ProductIS, version)
		p.startIS()
		client := p.client("A", "JWT")
		form := url.Values{"grant_type": {"client_credentials"}}
		first := p.grant(client, form).want(t, 200).str("access_token")
		p.grant(client, form).want(t, 200)
		if active := send(t, "POST", p.is.URL()+"/oauth2/introspect", admin, url.Values{"token": {first}}).want(t, 200).at("active"); active != live {
			t.Errorf("%s: the first token is active: %v", version, active)
		}
	}
}

func TestAKeyManagerByMutualTLS(t *testing.T) {
	mutual := func(p *pair) object {
		body := p.keyManagerBody("WSO2IS7")
		properties := body["additionalProperties"].(object)
		delete(properties, "Username")
		delete(properties, "Password")
		properties["Authentication"], properties["MutualTLSOptions"], properties["IdentityUser"] = "MutualTLS", "ServerWide", "admin"
		return body
	}
	p := workingAs(t, "7.2.0", "4.6.0")
	body := mutual(p)
	delete(body["additionalProperties"].(object), "IdentityUser")
	send(t, "POST", p.admin("/key-managers"), admin, body).wantCode(t, 400, 901401)
	send(t, "POST", p.admin("/key-managers"), admin, mutual(p)).want(t, 201)
	p.generate(p.application("Shop"), "WSO2IS7").want(t, 200)

	p = workingAs(t, "7.2.0", "4.5.0") // which does not know the choice
	send(t, "POST", p.admin("/key-managers"), admin, mutual(p)).wantCode(t, 400, 901401)
	p = workingAs(t, "7.1.0", "4.6.0")
	made := send(t, "POST", p.admin("/key-managers"), admin, p.keyManagerBody("WSO2IS7")).want(t, 201)
	if choice := made.at("additionalProperties", "Authentication"); choice != "BasicAuth" {
		t.Errorf("without a choice it is %v", choice)
	}

	p = workingAs(t, "7.3.0", "4.7.0")
	send(t, "POST", p.admin("/key-managers"), admin, mutual(p)).want(t, 201)
	if status := p.generate(p.application("Shop"), "WSO2IS7").status; status == 200 {
		t.Error("IS 7.3 takes a certificate that no entry maps to a user")
	}
	sum := sha256.Sum256(p.am.signer.cert.Raw)
	thumbprint := strings.ToUpper(hex.EncodeToString(sum[:]))
	for i := len(thumbprint) - 2; i > 0; i -= 2 {
		thumbprint = thumbprint[:i] + ":" + thumbprint[i:]
	}
	p.appendSettings(p.isHome, "\n[client_certificate_based_authentication]\nenable = true\n\n[[client_certificate_based_authentication.user_thumbprint_mapping]]\n"+
		"trusted_issuer = \"CN=localhost, O=Stand-in\"\ncert_thumbprint = \""+thumbprint+"\"\nallowed_username = \"admin\"\n")
	p.startIS()
	p.generate(p.application("Shop again"), "WSO2IS7").want(t, 200)
	settings := filepath.Join(p.isHome, "repository/conf/deployment.toml")
	text, err := os.ReadFile(settings)
	if err == nil { // as WSO2's documentation has it
		err = os.WriteFile(settings, []byte(strings.Replace(string(text), `allowed_username = "admin"`, `allowed_username = ["other", "admin"]`, 1)), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	p.startIS()
	p.generate(p.application("Shop once more"), "WSO2IS7").want(t, 200)
}

func TestOutgoingTrustIsReadAgainFrom46On(t *testing.T) {
	for version, again := range map[string]bool{"4.5.0": false, "4.6.0": true} {
		p := newPair(t)
		p.amHome = homeOf(t, ProductAM, version)
		p.startIS()
		p.startAM()
		p.keyManager("WSO2IS7")
		app := p.application("Shop")
		if status := p.generate(app, "WSO2IS7").status; status == 200 {
			t.Fatal("API Manager calls an IS that it does not trust")
		}
		p.exchange()
		if status := p.generate(p.application("Shop again"), "WSO2IS7").status; (status == 200) != again {
			t.Errorf("%s: after the truststore has changed, keys are %d", version, status)
		}
	}
}
