package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// load reads the settings of an agent next to API-M from an environment that has nothing but env.
func load(env map[string]string) (Config, error) {
	return read(func(name string) string {
		if value, set := env[name]; set || name != "PRODUCT" {
			return value
		}
		return AM
	}, "PRODUCT")
}

func TestTheDefaultsAreTheDocumentedOnes(t *testing.T) {
	defaults := map[string][]string{ // next to IS, and next to API-M if that differs
		"SERVER_NAME":            {"wso2is", "wso2am"},
		"PEERS":                  {"[wso2am]", "[wso2is]"},
		"EXCHANGE_DIR":           {"/exchange"},
		"SERVER_HOME":            {"/home/wso2carbon/wso2is-7.1.0", "/home/wso2carbon/wso2am-4.5.0"},
		"CONFIG_DIR":             {"/home/wso2carbon/wso2-config-volume"},
		"KEYSTORE_FILE":          {"wso2carbon.p12", "wso2carbon.jks"},
		"KEYSTORE_ALIAS":         {""},
		"KEYSTORE_PASS":          {"wso2carbon"},
		"TRUSTSTORE_FILE":        {"client-truststore.p12", "client-truststore.jks"},
		"TRUSTSTORE_PASS":        {"wso2carbon"},
		"SETTINGS":               {"merge"},
		"SECRETS_ENV":            {"false"},
		"ENCRYPTION_KEY":         {""},
		"TOKENS_SIDE_BY_SIDE":    {"false"},
		"GATEWAY_EVENT_WAIT":     {"100ms"},
		"SERVER_ADMIN":           {"false"},
		"DATABASE":               {"embedded"},
		"DATABASE_RECORD_DIR":    {"/record"},
		"PGHOST":                 {"postgres"},
		"PGPORT":                 {"5432"},
		"DATABASE_POOL":          {"20"},
		"AM_DB_NAME":             {"apim_db"},
		"IS_DB_NAME":             {"identity_db"},
		"IS_AGENT_DB_NAME":       {"agent_identity_db"},
		"SHARED_DB_NAME":         {"shared_db"},
		"AM_DB_USER":             {"wso2am"},
		"IS_DB_USER":             {"wso2is"},
		"AM_DB_SCHEMA":           {"wso2am"},
		"IS_DB_SCHEMA":           {"wso2is"},
		"AM_DB_PASSWORD":         {""},
		"IS_DB_PASSWORD":         {""},
		"TRUST":                  {"leaf"},
		"PEER_PINS":              {"map[]"},
		"CONNECT_TO":             {""},
		"TLS_MODE":               {"none"},
		"TLS_NAMES":              {"[]"},
		"TLS_KEY":                {"ecdsa-p256"},
		"TLS_VALIDITY":           {"8760h0m0s"},
		"TLS_RENEW_BEFORE":       {"720h0m0s"},
		"TLS_SUCCESSORS":         {"3"},
		"RELOAD":                 {"auto"},
		"TLS_CA_CERT_FILE":       {""},
		"TLS_CA_KEY_FILE":        {""},
		"TLS_FILES_DIR":          {"/tls"},
		"INIT_TIMEOUT":           {"15m0s"},
		"INIT_ON_TIMEOUT":        {"fail"},
		"RESTART":                {"auto"},
		"RESTART_COMMAND":        {""},
		"RESTART_URL":            {""},
		"RESTART_URL_SECRET":     {""},
		"RESTART_FILE":           {""},
		"DATABASE_TIMEOUT":       {"10m0s"},
		"START_TIMEOUT":          {"10m0s"},
		"STOP_TIMEOUT":           {"1m0s"},
		"MAX_RESTARTS":           {"5"},
		"MAINTENANCE_WINDOWS":    {""},
		"MAINTENANCE_APPROVAL":   {"auto"},
		"RESTART_WINDOW":         {"10m0s"},
		"ON_CERTIFICATE_CHANGED": {""},
		"ON_RESTART":             {""},
		"ON_FAILURE":             {""},
		"HOOK_SECRET":            {""},
		"QUIET_MIN":              {"500ms"},
		"QUIET_MAX":              {"5s"},
		"POLL_INTERVAL":          {"10s"},
		"ROTATE_TIMEOUT":         {"10m0s"},
		"ROTATE_GRACE":           {"10m0s"},
		"ARTIFACTS":              {"default"},
		"ARTIFACTS_FILE":         {""},
		"ARTIFACT_DIR":           {"/home/wso2carbon/wso2-artifact-volume"},
		"ARTIFACT_SOURCE_DIR":    {""},
		"AM_HOST":                {"wso2am", "localhost"},
		"AM_PORT":                {"9443"},
		"AM_ADMIN_USER":          {"admin"},
		"AM_ADMIN_PASS":          {"admin"},
		"GW_HOST":                {"wso2am", "localhost"},
		"GW_PORT":                {"8243"},
		"VHOST":                  {"localhost"},
		"IS_HOST":                {"wso2is"},
		"IS_PORT":                {"9443"},
		"IS_ADMIN_USER":          {"admin"},
		"IS_ADMIN_PASS":          {"admin"},
		"IS_CLIENT_ID":           {""},
		"IS_CLIENT_SECRET":       {""},
		"AM_CLIENT_ID":           {""},
		"AM_CLIENT_SECRET":       {""},
		"IS_CONTAINER":           {"innover-wso2is-1"},
		"AM_CONTAINER":           {"innover-wso2am-1"},
		"AGENT_COMMAND":          {"agent"},
		"KM_NAME":                {"WSO2-IS"},
		"KEY_MANAGER_NAME":       {"Resident Key Manager"},
		"KM_TOKEN_ENDPOINT":      {"https://wso2is:9443/oauth2/token"},
		"KM_SERVICE_USER":        {""},
		"KM_SERVICE_PASS":        {""},
		"KM_RIGHTS":              {"least"},
		"SCOPES":                 {"authorize"},
		"SCOPES_AT":              {"is"},
		"SCOPES_INTERVAL":        {"2s"},
		"SCOPES_CLIENTS":         {"[]"},
		"IS_PUBLIC_URL":          {""},
		"AM_PUBLIC_HOST":         {""},
		"PROXY_PORT":             {"0"},
		"LOOK_INTERVAL":          {"30s"},
		"RECONCILE_INTERVAL":     {"5m0s"},
		"DRIFT":                  {"report"},
		"BOOTSTRAP":              {"false", "true"},
		"BOOTSTRAP_TIMEOUT":      {"30m0s"},
		"API_CONFIG":             {"/config/api-config.yaml"},
		"KEYS_FILE":              {"/output/application-keys.json"},
		"PRUNE":                  {"off"},
		"TLS_CA_FILE":            {""},
		"LISTEN_ADDR":            {"127.0.0.1:9990"},
		"LOG_LEVEL":              {"info"},
		"LOG_FORMAT":             {""},

		"KEYS_ENV_FILE":         {""},
		"KEYS_ENV_FORMAT":       {"sh"},
		"KEYS_SECRET_FILE":      {""},
		"KEYS_SECRET_NAME":      {"application-keys"},
		"KEYS_SECRET_NAMESPACE": {""},
	}
	if n := len(settings()); n != len(defaults)+1 { // PRODUCT has none
		t.Errorf("there are %d settings, and %d defaults are known", n, len(defaults))
	}
	for i, product := range []string{IS, AM} {
		c, err := load(map[string]string{"PRODUCT": product})
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range defaults {
			if got := fmt.Sprint(value(t, c, name)); got != want[min(i, len(want)-1)] || c.Given(name) {
				t.Errorf("next to %s %s is %q, want %q; it is given: %t", product, name, got, want, c.Given(name))
			}
		}
	}
}

// value returns the field of c for a variable.
func value(t *testing.T, c Config, name string) any {
	t.Helper()
	for _, s := range settings() {
		if s.name == name {
			return reflect.ValueOf(c).FieldByIndex(s.index).Interface()
		}
	}
	t.Fatalf("no setting has the name %s", name)
	return nil
}

func TestDefaultsThatDependOnOtherSettings(t *testing.T) {
	cases := []struct {
		name  string
		env   map[string]string
		check func(c Config) bool
	}{
		{"the gateway's host is API-M's", map[string]string{"AM_HOST": "wso2am"}, func(c Config) bool { return c.Gateway.Host == "wso2am" }},
		{"next to IS API-M's host is the peer", map[string]string{"PRODUCT": "is"}, func(c Config) bool { return c.AM.Host == "wso2am" && c.Gateway.Host == "wso2am" }},
		{"next to IS API-M's host is the peer, whatever its name", map[string]string{"PRODUCT": "is", "PEERS": "apim"}, func(c Config) bool { return c.AM.Host == "apim" }},
		{"next to IS a host of one's own stays", map[string]string{"PRODUCT": "is", "AM_HOST": "localhost"}, func(c Config) bool { return c.AM.Host == "localhost" }},
		{"the other product's defaults", map[string]string{"SERVER_NAME": ""}, func(c Config) bool {
			is := c.For(IS)
			return is.Server.Name == "wso2is" && is.AM.Host == "wso2am" && is.Trust.Peers[0] == "wso2am" && is.Truststore.File == "client-truststore.p12" && !is.Bootstrap.Enabled
		}},
		{"the other product's defaults leave alone what is set", map[string]string{"SERVER_NAME": "x", "AM_HOST": "y", "KEYSTORE_FILE": "z"}, func(c Config) bool {
			is := c.For(IS)
			return is.Server.Name == "x" && is.AM.Host == "y" && is.Keystore.File == "z"
		}},
		{"a gateway's host of its own stays", map[string]string{"AM_HOST": "wso2am", "GW_HOST": "gw"}, func(c Config) bool { return c.Gateway.Host == "gw" }},
		{"IS's agent does not bootstrap", map[string]string{"PRODUCT": "is"}, func(c Config) bool {
			return !c.Bootstrap.Enabled && c.Server.Name == "wso2is" && c.Trust.Peers[0] == "wso2am"
		}},
		{"bootstrap can be switched off", map[string]string{"BOOTSTRAP": "false"}, func(c Config) bool { return !c.Bootstrap.Enabled }},
		{"an empty variable counts as unset", map[string]string{"AM_PORT": "", "PEERS": "", "BOOTSTRAP": "", "AM_ADMIN_PASS": ""}, func(c Config) bool {
			return c.AM.Port == 9443 && len(c.Trust.Peers) == 1 && c.Bootstrap.Enabled && c.AM.AdminPass == "admin"
		}},
		{"scopes can be looked after only after starts", map[string]string{"SCOPES_INTERVAL": "0"}, func(c Config) bool { return c.Scopes.Interval == 0 }},
		{"two mapped clients", map[string]string{"SCOPES_CLIENTS": "abc,d_e-f"}, func(c Config) bool { return len(c.Scopes.Clients) == 2 && c.Scopes.Interval == 2*time.Second }},
		{"no peer at all", map[string]string{"PEERS": "none"}, func(c Config) bool { return len(c.Trust.Peers) == 0 }},
		{"a peer that only looks like another one's alias", map[string]string{"PEERS": "wso2is-1a2b3c4d,gw"}, func(c Config) bool { return len(c.Trust.Peers) == 2 }},
		{"many peers", map[string]string{"PEERS": "wso2is,gateway-2"}, func(c Config) bool { return len(c.Trust.Peers) == 2 && c.Trust.Peers[1] == "gateway-2" }},
		{"a store's absolute path stays", map[string]string{"TRUSTSTORE_FILE": "/t.jks"}, func(c Config) bool { return c.TruststorePath() == "/t.jks" }},
		{"a store's name lies on the config volume", map[string]string{"CONFIG_DIR": "/v"}, func(c Config) bool {
			return c.TruststorePath() == "/v/repository/resources/security/client-truststore.jks"
		}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			c, err := load(tc.env)
			if err != nil {
				t.Fatal(err)
			}
			if !tc.check(c) {
				t.Errorf("config = %+v", c)
			}
		})
	}
}

func TestOneErrorListsEveryMistakeByNameWithItsRemedy(t *testing.T) {
	_, err := load(map[string]string{
		"PRODUCT": "", "AM_PORT": "tcp://10.0.0.7:9443", "IS_PORT": "99999", "INIT_TIMEOUT": "15", "MAX_RESTARTS": "0", "BOOTSTRAP": "perhaps",
		"RESTART": "docker-compose", "PEERS": "wso2is,../wso2am", "SERVER_NAME": "wso2carbon", "KM_TOKEN_ENDPOINT": "http://wso2is/oauth2/token",
		"IS_HOST": "https://wso2is", "SCOPES": "some", "SCOPES_AT": "nowhere", "SCOPES_INTERVAL": "1ms", "SCOPES_CLIENTS": "abc or name co a",
		"AM_ADMIN_PASS_FILE": "/nonexistent/secret", "KEYS_ENV_FORMAT": "csv", "KEYS_SECRET_NAME": "Keys", "KEYS_SECRET_NAMESPACE": "a.b",
	})
	if !errors.Is(err, ErrInvalid) {
		t.Fatalf("error = %v", err)
	}
	for _, part := range []string{
		"PRODUCT is not set: it must be is or am", "AM_ADMIN_PASS cannot be read from the file that AM_ADMIN_PASS_FILE names: ", "enableServiceLinks: false", "IS_PORT is \"99999\": it must be a port", "INIT_TIMEOUT is \"15\"",
		"BOOTSTRAP is \"perhaps\"", "RESTART is \"docker-compose\": it must be auto, exec, signal, docker, kubernetes, carbon, command, webhook, file or none", "PEERS has \"../wso2am\"",
		"SERVER_NAME has \"wso2carbon\", which is an alias in the truststores of the products", "KM_TOKEN_ENDPOINT must be an address that begins with https://",
		"SCOPES is \"some\": it must be authorize or all", "SCOPES_AT is \"nowhere\": it must be is or am", "SCOPES_INTERVAL is \"1ms\": it must be 0 or at least 100ms",
		"SCOPES_CLIENTS has \"abc or name co a\": a client id",
		"KEYS_ENV_FORMAT is \"csv\": it must be sh or docker", "KEYS_SECRET_NAME is \"Keys\": it must be a name for Kubernetes", "KEYS_SECRET_NAMESPACE is \"a.b\"",
		"IS_HOST is \"https://wso2is\"", "MAX_RESTARTS is \"0\": it must be a whole number from 1 to 1000000",
	} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error lacks %q:\n%v", part, err)
		}
	}
}

func TestSettingsThatContradictEachOtherAreRefused(t *testing.T) {
	for name, env := range map[string]map[string]string{
		"a server that is its own peer":           {"PEERS": "wso2am"},
		"fixes without comparisons":               {"DRIFT": "fix", "RECONCILE_INTERVAL": "0"},
		"a maximum below the minimum":             {"QUIET_MIN": "2s", "QUIET_MAX": "1s"},
		"IS under the resident's name":            {"KM_NAME": "Resident Key Manager"},
		"a keystore in addition to an issued one": {"TLS_MODE": "issue", "KEYSTORE_FILE": "my.jks"},
		"a service user without a password":       {"KM_SERVICE_USER": "robot"},
		"a password of nobody":                    {"KM_SERVICE_PASS": "hunter2"},
		"a password of a user that is made":       {"KM_SERVICE_USER": "create", "KM_SERVICE_PASS": "hunter2"},
		"the administrator by name":               {"KM_SERVICE_USER": "Admin", "KM_SERVICE_PASS": "hunter2", "IS_ADMIN_USER": "admin"},
		"the administrator with the user store":   {"KM_SERVICE_USER": "PRIMARY/admin", "KM_SERVICE_PASS": "hunter2", "IS_ADMIN_USER": "admin"},
		"the administrator with the domain":       {"KM_SERVICE_USER": "admin@carbon.super", "KM_SERVICE_PASS": "hunter2", "IS_ADMIN_USER": "admin"},
		"rights of the administrator":             {"KM_SERVICE_USER": "admin", "KM_RIGHTS": "roles"},
		"one path for two files with keys":        {"KEYS_FILE": "/output/keys", "KEYS_SECRET_FILE": "/output/./keys"},
		"a secret given in both ways":             {"AM_ADMIN_PASS": "hunter2", "AM_ADMIN_PASS_FILE": "GOOD"},
		"a secret file that is missing":           {"AM_ADMIN_PASS_FILE": "/nonexistent/secret"},
		"a secret file that is empty":             {"AM_ADMIN_PASS_FILE": "EMPTY"},
		"a secret file that is too much":          {"AM_ADMIN_PASS_FILE": "BIG"},
	} {
		t.Run(name, func(t *testing.T) {
			for k, v := range env {
				if size, named := map[string]int{"EMPTY": 0, "BIG": 5000, "GOOD": 5}[v]; named {
					env[k] = filepath.Join(t.TempDir(), "secret")
					if err := os.WriteFile(env[k], make([]byte, size), 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
			_, err := load(env)
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
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(" p\u00e4ss word\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := load(map[string]string{"TRUSTSTORE_PASS_FILE": path, "KEYSTORE_PASS_FILE": "", "IS_ADMIN_PASS": "x"})
	if err != nil || c.Truststore.Pass != " p\u00e4ss word" || !slices.Equal(c.SecretFiles, []string{path}) {
		t.Errorf("load = %q of %v, %v", c.Truststore.Pass, c.SecretFiles, err)
	}
	for name, want := range map[string]bool{"TRUSTSTORE_PASS": true, "IS_ADMIN_PASS": true, "AM_ADMIN_PASS": false, "KEYSTORE_PASS": false} {
		if c.Given(name) != want {
			t.Errorf("%s is given: %t", name, c.Given(name))
		}
	}
	if value, ok := c.Secret("TRUSTSTORE_PASS"); !ok || value != c.Truststore.Pass {
		t.Errorf("Secret = %q, %t", value, ok)
	}
	if value, ok := c.Secret("TRUSTSTORE_FILE"); ok {
		t.Errorf("TRUSTSTORE_FILE is no secret, and has the value %q", value)
	}
}

// An empty variable counts as not set. Loading must not remove it: the process hands its environment to the server.
func TestLoadingLeavesTheEnvironmentOfTheProcessAlone(t *testing.T) {
	for name, value := range map[string]string{"PRODUCT": "is", "AM_PORT": "", "AM_ADMIN_PASS": "", "AM_ADMIN_PASS_FILE": "", "IS_HOST": "is.example.com", "PEERS": ""} {
		t.Setenv(name, value)
	}
	before := os.Environ()
	c, err := Load("PRODUCT")
	if err != nil || c.Server.Product != IS || c.IS.Host != "is.example.com" || c.AM.Port != 9443 || c.AM.AdminPass != "admin" {
		t.Errorf("Load = %+v, %v", c, err)
	}
	if after := os.Environ(); !slices.Equal(after, before) {
		t.Errorf("the environment is now\n%s", strings.Join(after, "\n"))
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
			c, err := load(map[string]string{"GATEWAY_EVENT_WAIT": value})
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
	c, err := load(map[string]string{
		"PEERS": "wso2is,gw", "PEER_PINS": "wso2is=" + digits + ",wso2is=" + colons + ",gw=" + strings.ToUpper(digits) + ",gw=" + digits,
	})
	if err != nil {
		t.Fatal(err)
	}
	if is, gw := c.Trust.Pins["wso2is"], c.Trust.Pins["gw"]; len(is) != 2 || len(gw) != 1 || is[0] != gw[0] || is[1].String() != colons {
		t.Errorf("PEER_PINS = %v", c.Trust.Pins)
	}
}

func TestNextToNoServerPinsAreOfBothServers(t *testing.T) {
	digits := strings.Repeat("9b", 32)
	next := func(env map[string]string) (Config, error) {
		return read(func(name string) string { return env[name] })
	}
	c, err := next(map[string]string{"PEER_PINS": "wso2is=" + digits + ",wso2am=" + digits})
	if err != nil || len(c.Trust.Pins) != 2 {
		t.Errorf("pins %v, error %v", c.Trust.Pins, err)
	}
	for name, env := range map[string]map[string]string{
		"another name":        {"PEER_PINS": "is=" + digits},
		"a name not in PEERS": {"PEERS": "wso2is", "PEER_PINS": "wso2am=" + digits},
		"next to a server":    {"PRODUCT": "am", "PEER_PINS": "wso2am=" + digits},
	} {
		if _, err := next(env); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "which is no peer") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRoutesAreOfTwoAddresses(t *testing.T) {
	c, err := load(map[string]string{"CONNECT_TO": "wso2is:9443=localhost:9443,wso2am:9443=[::1]:9444"})
	if err != nil {
		t.Fatal(err)
	}
	r := c.Trust.ConnectTo
	if r.To("wso2is:9443") != "localhost:9443" || r.To("wso2am:9443") != "[::1]:9444" || r.To("wso2is:9444") != "wso2is:9444" {
		t.Errorf("routes %v", r)
	}
	if got, want := r.String(), "wso2am:9443=[::1]:9444,wso2is:9443=localhost:9443"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for _, value := range []string{"wso2is:9443", "wso2is:9443=", "wso2is=localhost", "wso2is:9443=localhost:0", "a b:1=localhost:1", "a:1=b:1,", "a:1=b:1,a:1=b:2"} {
		if _, err := load(map[string]string{"CONNECT_TO": value}); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "CONNECT_TO has ") {
			t.Errorf("%s: %v", value, err)
		}
	}
}

func TestWrongSettingsOfTheTLSIdentityAreRefused(t *testing.T) {
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
		"a client without its secret":    {map[string]string{"IS_CLIENT_ID": "plan"}, "set both"},
		"a secret without its client":    {map[string]string{"AM_CLIENT_SECRET": "s"}, "set both"},
		"a CA's key alone":               {map[string]string{"TLS_MODE": "issue", "TLS_CA_KEY_FILE": "/ca.key"}, "set both"},
		"a CA that has nothing to issue": {map[string]string{"TLS_CA_CERT_FILE": "/ca.crt", "TLS_CA_KEY_FILE": "/ca.key"}, "set TLS_MODE=issue"},
		"files that are not read":        {map[string]string{"TLS_MODE": "issue", "TLS_FILES_DIR": "/tls"}, "set TLS_MODE=files"},
		"a renewal all the time":         {map[string]string{"TLS_MODE": "issue", "TLS_VALIDITY": "1000h"}, "TLS_RENEW_BEFORE is 720h0m0s"},
		"a kind of key unknown":          {map[string]string{"TLS_KEY": "rsa-1024"}, "TLS_KEY is \"rsa-1024\""},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := load(c.env); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v, want %q", err, c.want)
			}
		})
	}
}

func TestRightSettingsOfTheTLSIdentityAreAccepted(t *testing.T) {
	for name, env := range map[string]map[string]string{
		"issued":             {"TLS_MODE": "issue", "TLS_NAMES": "am.example.com,*.apis.example.com,10.0.0.7,::1", "TLS_KEY": "rsa-4096"},
		"issued by a CA":     {"TLS_MODE": "issue", "TLS_CA_CERT_FILE": "/ca.crt", "TLS_CA_KEY_FILE": "/ca.key", "TRUST": "ca"},
		"from files":         {"TLS_MODE": "files", "TLS_FILES_DIR": "/certs"},
		"from their default": {"TLS_MODE": "files"},
		"a short life":       {"TLS_MODE": "issue", "TLS_VALIDITY": "24h", "TLS_RENEW_BEFORE": "8h"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := load(env); err != nil {
				t.Error(err)
			}
		})
	}
}
