package wso2sim

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
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
