package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// clean gives the test an environment in which none of the agent's variables is set.
func clean(t *testing.T) {
	t.Helper()
	for s := range settings() {
		for _, name := range []string{s.name, s.name + "_FILE"} {
			t.Setenv(name, "") // so that the old value comes back after the test
			os.Unsetenv(name)
		}
	}
}

func TestTheTablesDefaultsHoldWhenNothingIsSet(t *testing.T) {
	clean(t)
	t.Setenv("PRODUCT", "am")
	c, err := Load("PRODUCT")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"AMHost": "localhost", "AMPort": 9443, "AMAdminUser": "admin", "AMAdminPass": "admin",
		"GWHost": "localhost", "GWPort": 8243, "VHost": "localhost", "KeyManagerName": "Resident Key Manager",
		"KMTokenEndpoint": "https://wso2is:9443/oauth2/token", "ISHost": "wso2is", "ISPort": 9443,
		"ISAdminUser": "admin", "ISAdminPass": "admin", "KMName": "WSO2-IS",
		"ISContainer": "innover-wso2is-1", "AMContainer": "innover-wso2am-1",
		"KeystorePass": "wso2carbon", "TruststorePass": "wso2carbon",
		"ServerName": "wso2am", "Peers": []string{"wso2is"}, "ExchangeDir": "/exchange", "Bootstrap": true,
		"InitTimeout": 15 * time.Minute, "BootstrapTimeout": 30 * time.Minute, "Restart": "auto",
		"APIConfig": "/config/api-config.yaml", "KeysFile": "/output/application-keys.json", "ListenAddr": "127.0.0.1:9990",
	}
	for field, value := range want {
		if got := reflect.ValueOf(c).FieldByName(field).Interface(); !reflect.DeepEqual(got, value) {
			t.Errorf("%s = %v, want %v", field, got, value)
		}
	}
}

func TestDefaultsThatDependOnOtherSettings(t *testing.T) {
	cases := []struct {
		name  string
		env   map[string]string
		check func(c Config) bool
	}{
		{"the gateway's host is API-M's", map[string]string{"AM_HOST": "wso2am"}, func(c Config) bool { return c.GWHost == "wso2am" }},
		{"next to IS API-M's host is the peer", map[string]string{"PRODUCT": "is"}, func(c Config) bool { return c.AMHost == "wso2am" && c.GWHost == "wso2am" }},
		{"next to IS API-M's host is the peer, whatever its name", map[string]string{"PRODUCT": "is", "PEERS": "apim"}, func(c Config) bool { return c.AMHost == "apim" }},
		{"next to IS a host of one's own stays", map[string]string{"PRODUCT": "is", "AM_HOST": "localhost"}, func(c Config) bool { return c.AMHost == "localhost" }},
		{"the other product's defaults", map[string]string{"SERVER_NAME": ""}, func(c Config) bool {
			is := c.For(IS)
			return is.ServerName == "wso2is" && is.AMHost == "wso2am" && is.Peers[0] == "wso2am" && is.TruststoreFile == "client-truststore.p12" && !is.Bootstrap
		}},
		{"the other product's defaults leave alone what is set", map[string]string{"SERVER_NAME": "x", "AM_HOST": "y", "KEYSTORE_FILE": "z"}, func(c Config) bool {
			is := c.For(IS)
			return is.ServerName == "x" && is.AMHost == "y" && is.KeystoreFile == "z"
		}},
		{"a gateway's host of its own stays", map[string]string{"AM_HOST": "wso2am", "GW_HOST": "gw"}, func(c Config) bool { return c.GWHost == "gw" }},
		{"IS's agent does not bootstrap", map[string]string{"PRODUCT": "is"}, func(c Config) bool { return !c.Bootstrap && c.ServerName == "wso2is" && c.Peers[0] == "wso2am" }},
		{"bootstrap can be switched off", map[string]string{"BOOTSTRAP": "false"}, func(c Config) bool { return !c.Bootstrap }},
		{"an empty variable counts as unset", map[string]string{"AM_PORT": "", "PEERS": "", "BOOTSTRAP": "", "AM_ADMIN_PASS": ""}, func(c Config) bool {
			return c.AMPort == 9443 && len(c.Peers) == 1 && c.Bootstrap && c.AMAdminPass == "admin"
		}},
		{"scopes can be looked after only after starts", map[string]string{"SCOPES_INTERVAL": "0"}, func(c Config) bool { return c.ScopesInterval == 0 }},
		{"two mapped clients", map[string]string{"SCOPES_CLIENTS": "abc,d_e-f"}, func(c Config) bool { return len(c.ScopesClients) == 2 && c.ScopesInterval == 2*time.Second }},
		{"no peer at all", map[string]string{"PEERS": "none"}, func(c Config) bool { return len(c.Peers) == 0 }},
		{"a peer that only looks like another one's alias", map[string]string{"PEERS": "wso2is-1a2b3c4d,gw"}, func(c Config) bool { return len(c.Peers) == 2 }},
		{"many peers", map[string]string{"PEERS": "wso2is,gateway-2"}, func(c Config) bool { return len(c.Peers) == 2 && c.Peers[1] == "gateway-2" }},
		{"a store's absolute path stays", map[string]string{"TRUSTSTORE_FILE": "/t.jks"}, func(c Config) bool { return c.TruststorePath() == "/t.jks" }},
		{"a store's name lies on the config volume", map[string]string{"CONFIG_DIR": "/v"}, func(c Config) bool {
			return c.TruststorePath() == "/v/repository/resources/security/client-truststore.jks"
		}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			clean(t)
			t.Setenv("PRODUCT", "am")
			for k, v := range tc.env {
				t.Setenv(k, v)
			}
			c, err := Load("PRODUCT")
			if err != nil {
				t.Fatal(err)
			}
			if !tc.check(c) {
				t.Errorf("config = %+v", c)
			}
		})
	}
}

func TestEveryMistakeIsToldAtOnceByNameWithItsRemedy(t *testing.T) {
	clean(t)
	t.Setenv("AM_PORT", "tcp://10.0.0.7:9443")
	t.Setenv("IS_PORT", "99999")
	t.Setenv("INIT_TIMEOUT", "15")
	t.Setenv("MAX_RESTARTS", "0")
	t.Setenv("BOOTSTRAP", "perhaps")
	t.Setenv("RESTART", "docker-compose")
	t.Setenv("PEERS", "wso2is,../wso2am")
	t.Setenv("SERVER_NAME", "wso2carbon")
	t.Setenv("KM_TOKEN_ENDPOINT", "http://wso2is/oauth2/token")
	t.Setenv("IS_HOST", "https://wso2is")
	t.Setenv("SCOPES", "some")
	t.Setenv("SCOPES_AT", "nowhere")
	t.Setenv("SCOPES_INTERVAL", "1ms")
	t.Setenv("SCOPES_CLIENTS", "abc or name co a")
	_, err := Load("PRODUCT")
	if !errors.Is(err, ErrInvalid) {
		t.Fatalf("error = %v", err)
	}
	for _, part := range []string{
		"PRODUCT is not set", "enableServiceLinks: false", "IS_PORT is \"99999\": it must be a port", "INIT_TIMEOUT is \"15\"",
		"BOOTSTRAP is \"perhaps\"", "RESTART is \"docker-compose\": it must be auto or exec or none", "PEERS has \"../wso2am\"",
		"SERVER_NAME has \"wso2carbon\": that is an alias of the products' own", "KM_TOKEN_ENDPOINT must be an address that begins with https://",
		"SCOPES is \"some\": it must be authorize or all", "SCOPES_AT is \"nowhere\": it must be is or am", "SCOPES_INTERVAL is \"1ms\": it must be 0 or at least",
		"SCOPES_CLIENTS has \"abc or name co a\": a client id",
		"IS_HOST is \"https://wso2is\"", "MAX_RESTARTS is \"0\": it must be a number from 1 on",
	} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error lacks %q:\n%v", part, err)
		}
	}
}

func TestSettingsThatContradictEachOtherAreRefused(t *testing.T) {
	for name, env := range map[string]map[string]string{
		"a server that is its own peer":   {"PEERS": "wso2am"},
		"a maximum below the minimum":     {"QUIET_MIN": "2s", "QUIET_MAX": "1s"},
		"IS under the resident's name":    {"KM_NAME": "Resident Key Manager"},
		"a keystore beside an issued one": {"TLS_MODE": "issue", "KEYSTORE_FILE": "my.jks"},
		"a secret given in both ways":     {"AM_ADMIN_PASS": "hunter2", "AM_ADMIN_PASS_FILE": "/dev/null"},
		"a secret file that is missing":   {"AM_ADMIN_PASS_FILE": "/nonexistent/secret"},
		"a secret file that is empty":     {"AM_ADMIN_PASS_FILE": "EMPTY"},
		"a secret file that is too much":  {"AM_ADMIN_PASS_FILE": "BIG"},
	} {
		t.Run(name, func(t *testing.T) {
			clean(t)
			t.Setenv("PRODUCT", "am")
			for k, v := range env {
				if v == "EMPTY" || v == "BIG" {
					path := filepath.Join(t.TempDir(), "secret")
					if err := os.WriteFile(path, make([]byte, map[string]int{"EMPTY": 0, "BIG": 5000}[v]), 0o600); err != nil {
						t.Fatal(err)
					}
					v = path
				}
				t.Setenv(k, v)
			}
			_, err := Load("PRODUCT")
			if !errors.Is(err, ErrInvalid) {
				t.Fatalf("error = %v", err)
			}
			for k := range env {
				if !strings.Contains(err.Error(), strings.TrimSuffix(k, "_FILE")) && !strings.Contains(err.Error(), "QUIET") {
					t.Errorf("%v does not name %s", err, k)
				}
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("a secret is in the error: %v", err)
			}
		})
	}
}

func TestSecretsComeFromFilesWithoutTheirLineEnd(t *testing.T) {
	clean(t)
	t.Setenv("PRODUCT", "am")
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(" p\u00e4ss word\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TRUSTSTORE_PASS_FILE", path)
	c, err := Load("PRODUCT")
	if err != nil || c.TruststorePass != " p\u00e4ss word" {
		t.Errorf("Load = %q, %v", c.TruststorePass, err)
	}
	if files := SecretFiles(); len(files) != 1 || files[0] != path {
		t.Errorf("SecretFiles = %v", files)
	}
}

func TestTheReadmeHasEverySetting(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), Table()) {
		t.Errorf("the README's table of settings is not the one of this package; it should be:\n%s", Table())
	}
}

func TestTheGatewaysWaitIsATimeOrTheProductsOwn(t *testing.T) {
	for value, want := range map[string]time.Duration{"": 100 * time.Millisecond, "product": 0, "2s": 2 * time.Second, "1ms": time.Millisecond,
		"0": -1, "100": -1, "1us": -1, "2m": -1, "-1s": -1, "default": -1} {
		t.Run("value "+value, func(t *testing.T) {
			clean(t)
			t.Setenv("PRODUCT", "am")
			t.Setenv("GATEWAY_EVENT_WAIT", value)
			c, err := Load("PRODUCT")
			if want < 0 {
				if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "GATEWAY_EVENT_WAIT is") {
					t.Errorf("error = %v", err)
				}
			} else if err != nil || c.EventWait() != want {
				t.Errorf("%s, %v; want %s", c.EventWait(), err, want)
			}
		})
	}
}

func TestPinsAreReadInEveryForm(t *testing.T) {
	digits := strings.Repeat("9b", 32)
	colons := strings.TrimSuffix(strings.Repeat("0F:", 32), ":")
	clean(t)
	t.Setenv("PRODUCT", "am")
	t.Setenv("PEERS", "wso2is,gw")
	t.Setenv("PEER_PINS", "wso2is="+digits+",wso2is="+colons+",gw="+strings.ToUpper(digits)+",gw="+digits)
	c, err := Load("PRODUCT")
	if err != nil {
		t.Fatal(err)
	}
	if is, gw := c.PeerPins["wso2is"], c.PeerPins["gw"]; len(is) != 2 || len(gw) != 1 || is[0] != gw[0] || is[1].String() != colons {
		t.Errorf("PEER_PINS = %v", c.PeerPins)
	}
}

func TestSettingsOfTheTLSIdentityThatCannotBeMeantAreRefused(t *testing.T) {
	digits := strings.Repeat("9b", 32)
	for name, c := range map[string]struct {
		env  map[string]string
		want string
	}{
		"a pin without a name":           {map[string]string{"PEER_PINS": digits}, "PEER_PINS has \"" + digits + "\": a pin is name=SHA-256"},
		"a pin cut off":                  {map[string]string{"PEER_PINS": "wso2is=" + digits[2:]}, "PEER_PINS is wrong for wso2is"},
		"a pin that ends in a comma":     {map[string]string{"PEER_PINS": "wso2is=" + digits + ","}, "PEER_PINS has \"\""},
		"a pin for a path":               {map[string]string{"PEER_PINS": "../wso2is=" + digits}, "PEER_PINS has \"../wso2is\""},
		"a pin for nobody":               {map[string]string{"PEER_PINS": "wso2si=" + digits}, "PEER_PINS names wso2si, which is no peer"},
		"a peer that is another's alias": {map[string]string{"PEERS": "wso2is,wso2is-1a2b3c4d"}, "wso2is-1a2b3c4d, which is also an alias for a further certificate of wso2is"},
		"a peer that is the own alias":   {map[string]string{"PEERS": "wso2am-1a2b3c4d"}, "certificate of wso2am"},
		"a server that is a peer's":      {map[string]string{"PEERS": "wso2is", "SERVER_NAME": "wso2is-1a2b3c4d"}, "certificate of wso2is"},
		"a name with a port":             {map[string]string{"TLS_NAMES": "am.example.com:9443"}, "TLS_NAMES has \"am.example.com:9443\""},
		"a name with an underscore":      {map[string]string{"TLS_NAMES": "a,b_c"}, "TLS_NAMES has \"b_c\""},
		"a CA without its key":           {map[string]string{"TLS_MODE": "issue", "TLS_CA_CERT_FILE": "/ca.crt"}, "set both"},
		"a CA's key alone":               {map[string]string{"TLS_MODE": "issue", "TLS_CA_KEY_FILE": "/ca.key"}, "set both"},
		"a CA that has nothing to issue": {map[string]string{"TLS_CA_CERT_FILE": "/ca.crt", "TLS_CA_KEY_FILE": "/ca.key"}, "set TLS_MODE=issue"},
		"files that are not read":        {map[string]string{"TLS_MODE": "issue", "TLS_FILES_DIR": "/tls"}, "set TLS_MODE=files"},
		"a renewal all the time":         {map[string]string{"TLS_MODE": "issue", "TLS_VALIDITY": "1000h"}, "TLS_RENEW_BEFORE is 720h0m0s"},
		"a kind of key unknown":          {map[string]string{"TLS_KEY": "rsa-1024"}, "TLS_KEY is \"rsa-1024\""},
	} {
		t.Run(name, func(t *testing.T) {
			clean(t)
			t.Setenv("PRODUCT", "am")
			for k, v := range c.env {
				t.Setenv(k, v)
			}
			if _, err := Load("PRODUCT"); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v, want %q", err, c.want)
			}
		})
	}
}

func TestSettingsOfTheTLSIdentityThatPeopleUse(t *testing.T) {
	for name, env := range map[string]map[string]string{
		"issued":             {"TLS_MODE": "issue", "TLS_NAMES": "am.example.com,*.apis.example.com,10.0.0.7,::1", "TLS_KEY": "rsa-4096"},
		"issued by a CA":     {"TLS_MODE": "issue", "TLS_CA_CERT_FILE": "/ca.crt", "TLS_CA_KEY_FILE": "/ca.key", "TRUST": "ca"},
		"from files":         {"TLS_MODE": "files", "TLS_FILES_DIR": "/certs"},
		"from their default": {"TLS_MODE": "files"},
		"a short life":       {"TLS_MODE": "issue", "TLS_VALIDITY": "24h", "TLS_RENEW_BEFORE": "8h"},
	} {
		t.Run(name, func(t *testing.T) {
			clean(t)
			t.Setenv("PRODUCT", "am")
			for k, v := range env {
				t.Setenv(k, v)
			}
			if _, err := Load("PRODUCT"); err != nil {
				t.Error(err)
			}
		})
	}
}
