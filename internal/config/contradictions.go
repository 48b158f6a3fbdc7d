package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// contradictions returns an error for each combination of settings that cannot be meant.
func (c Config) contradictions() (mistakes []error) {
	wrong := func(format string, args ...any) { mistakes = append(mistakes, fmt.Errorf(format, args...)) }
	if c.Server.Name != "" && slices.Contains(c.Trust.Peers, c.Server.Name) {
		wrong("PEERS names %s, which is this server itself (SERVER_NAME): remove it from PEERS", c.Server.Name)
	}
	mistakes = append(mistakes, aliasClashes(append(slices.Clone(c.Trust.Peers), c.Server.Name))...)
	if c.Watch.QuietMax < c.Watch.QuietMin {
		wrong("QUIET_MAX is %s, which is shorter than QUIET_MIN, %s: set a longer QUIET_MAX", c.Watch.QuietMax, c.Watch.QuietMin)
	}
	// Otherwise a misspelt name leaves the peer without a pin, and nobody notices.
	for _, name := range c.Trust.Pins.strangers(c.pinnable()) {
		wrong("PEER_PINS names %s, which is no peer: correct the name, or add it to PEERS", name)
	}
	mistakes = append(mistakes, c.tlsContradictions()...)
	if c.KeyManager.ISName == ResidentKeyManager {
		wrong("KM_NAME is %q, the name of the key manager built into API-M: choose another name for IS", c.KeyManager.ISName)
	}
	for name, set := range map[string][2]string{"IS": {c.IS.ClientID, c.IS.ClientSecret}, "AM": {c.AM.ClientID, c.AM.ClientSecret}} {
		if (set[0] == "") != (set[1] == "") {
			wrong("only one of %[1]s_CLIENT_ID and %[1]s_CLIENT_SECRET is set: set both, or neither to read with the administrator", name)
		}
	}
	if c.Bootstrap.Drift == "fix" && c.Bootstrap.Compare == 0 {
		wrong("DRIFT is fix, but with RECONCILE_INTERVAL=0 the agent finds no difference: set RECONCILE_INTERVAL, or DRIFT=report")
	}
	if key := c.Settings.EncryptionKey; key != "" && key != "new" && !IsKey(key) {
		wrong("ENCRYPTION_KEY must be new, or 32, 48 or 64 hexadecimal digits: make one by openssl rand -hex 32")
	}
	mistakes = append(mistakes, c.restartContradictions()...)
	mistakes = append(mistakes, c.serviceUserContradictions()...)
	return append(mistakes, c.Bootstrap.sharedPaths()...)
}

// restartContradictions are what a way to restart the server lacks.
func (c Config) restartContradictions() (mistakes []error) {
	r := c.Restart
	for _, s := range []struct{ method, name, value string }{
		{"command", "RESTART_COMMAND", r.Command}, {"webhook", "RESTART_URL", r.URL}, {"webhook", "RESTART_URL_SECRET", r.Secret}, {"file", "RESTART_FILE", r.File},
	} {
		if s.value == "" && r.Method == s.method {
			mistakes = append(mistakes, fmt.Errorf("RESTART is %s, but %s is not set: set it, or choose another RESTART", s.method, s.name))
		}
	}
	if r.URL != "" { // a secret has no rule, and this one does not show the value
		if err := checkHTTPS(r.URL); err != nil {
			mistakes = append(mistakes, fmt.Errorf("RESTART_URL %w", err))
		}
	}
	if r.Method == "carbon" && c.Server.Product != "" && filepath.Clean(c.Server.ConfigDir) != filepath.Clean(c.Server.Home) {
		mistakes = append(mistakes, errors.New("RESTART is carbon, but CONFIG_DIR is not SERVER_HOME: after such a restart the server has the files of its home, and not those of the config volume; set both to the home, or choose another RESTART"))
	}
	return mistakes
}

// serviceUserContradictions are the contradictions between settings of the key manager's user.
func (c Config) serviceUserContradictions() (mistakes []error) {
	wrong := func(format string, args ...any) { mistakes = append(mistakes, fmt.Errorf(format, args...)) }
	km := c.KeyManager
	named := km.ServiceUser != "" && km.ServiceUser != "create" && km.ServiceUser != "admin"
	switch {
	case named && km.ServicePass == "":
		wrong("KM_SERVICE_USER is %q, the name of a user, and KM_SERVICE_PASS is not set: set it to the password of this user, or set KM_SERVICE_USER to create or admin", km.ServiceUser)
	case named && plainUser(km.ServiceUser) == plainUser(c.IS.AdminUser):
		wrong("KM_SERVICE_USER is %q, which is also IS_ADMIN_USER, %s: set KM_SERVICE_USER=admin, and remove KM_SERVICE_PASS", km.ServiceUser, c.IS.AdminUser)
	case !named && km.ServicePass != "":
		wrong("KM_SERVICE_PASS is set, but KM_SERVICE_USER names no user: set KM_SERVICE_USER to the name, or remove KM_SERVICE_PASS")
	}
	if km.ServiceUser == "admin" && km.Rights == "roles" {
		wrong("KM_RIGHTS is roles, but KM_SERVICE_USER is admin, who has all rights: remove KM_RIGHTS, or set KM_SERVICE_USER to create")
	}
	return mistakes
}

// plainUser returns the name of a user of IS in one spelling. IS ignores the case of letters, the primary user store, and the domain of the
// super tenant.
func plainUser(name string) string {
	name = strings.TrimPrefix(strings.ToLower(name), "primary/")
	return strings.TrimSuffix(name, "@carbon.super")
}

// sharedPaths returns an error for each two files with the keys that have one path: each would replace the other.
func (b Bootstrap) sharedPaths() (mistakes []error) {
	owners := map[string]string{}
	for _, f := range []struct{ setting, path string }{{"KEYS_FILE", b.KeysFile}, {"KEYS_ENV_FILE", b.KeysEnvFile}, {"KEYS_SECRET_FILE", b.KeysSecretFile}} {
		if f.path == "" {
			continue
		}
		path := filepath.Clean(f.path)
		if other, taken := owners[path]; taken {
			mistakes = append(mistakes, fmt.Errorf("%s and %s are both %s: set another path for one of them", other, f.setting, path))
		}
		owners[path] = f.setting
	}
	return mistakes
}

// aliasClashes returns an error for each name that is also an alias for a further certificate of another server. Such an
// alias is the name of that server and the first 8 digits of a fingerprint. Otherwise two servers replace each other's
// certificate in every pass.
func aliasClashes(names []string) (mistakes []error) {
	for _, name := range names {
		if m := furtherAlias.FindStringSubmatch(name); m != nil && slices.Contains(names, m[1]) {
			mistakes = append(mistakes, fmt.Errorf("PEERS or SERVER_NAME has %s, which is also an alias for a further certificate of %s: give that server another name", name, m[1]))
		}
	}
	return mistakes
}

var furtherAlias = regexp.MustCompile("^(.+)-[0-9a-f]{8}$")

// tlsContradictions are the contradictions between settings of the server's TLS identity.
func (c Config) tlsContradictions() (mistakes []error) {
	wrong := func(format string, args ...any) { mistakes = append(mistakes, fmt.Errorf(format, args...)) }
	if (c.TLS.CACertFile == "") != (c.TLS.CAKeyFile == "") {
		mistakes = append(mistakes, errors.New("only one of TLS_CA_CERT_FILE and TLS_CA_KEY_FILE is set: set both, or neither for self-signed certificates"))
	}
	if c.TLS.Mode != "issue" && c.TLS.CAKeyFile != "" {
		wrong("TLS_CA_KEY_FILE is set, but the agent issues no certificate with TLS_MODE=%s: set TLS_MODE=issue, or remove the CA", c.TLS.Mode)
	}
	for _, name := range []string{"KEYSTORE_FILE", "KEYSTORE_ALIAS"} {
		if c.TLS.Mode != "none" && c.Given(name) {
			wrong("%s is set, but the agent makes the keystore of the TLS listeners itself with TLS_MODE=%s: remove %s, or set TLS_MODE=none", name, c.TLS.Mode, name)
		}
	}
	if c.TLS.Mode != "files" && c.Given("TLS_FILES_DIR") {
		wrong("TLS_FILES_DIR is set, but the agent does not read it with TLS_MODE=%s: set TLS_MODE=files, or remove TLS_FILES_DIR", c.TLS.Mode)
	}
	if c.TLS.Mode == "issue" && c.TLS.RenewBefore > c.TLS.Validity/2 {
		wrong("TLS_RENEW_BEFORE is %s, more than half of TLS_VALIDITY, %s: set a shorter TLS_RENEW_BEFORE, because every renewal restarts servers", c.TLS.RenewBefore, c.TLS.Validity)
	}
	return mistakes
}
