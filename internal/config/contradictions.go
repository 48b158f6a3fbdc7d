package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
)

// contradictions returns an error for each combination of settings that cannot be meant.
func (c Config) contradictions() (mistakes []error) {
	wrong := func(format string, args ...any) { mistakes = append(mistakes, fmt.Errorf(format, args...)) }
	if c.ServerName != "" && slices.Contains(c.Peers, c.ServerName) {
		wrong("PEERS names %s, which is this server itself (SERVER_NAME): remove it from PEERS", c.ServerName)
	}
	mistakes = append(mistakes, aliasClashes(append(slices.Clone(c.Peers), c.ServerName))...)
	if c.QuietMax < c.QuietMin {
		wrong("QUIET_MAX is %s, which is shorter than QUIET_MIN, %s: set a longer QUIET_MAX", c.QuietMax, c.QuietMin)
	}
	// Otherwise a misspelt name leaves the peer without a pin, and nobody notices.
	for _, name := range c.PeerPins.strangers(c.Peers) {
		wrong("PEER_PINS names %s, which is no peer: correct the name, or add it to PEERS", name)
	}
	mistakes = append(mistakes, c.tlsContradictions()...)
	if c.KMName == ResidentKeyManager {
		wrong("KM_NAME is %q, the name of the key manager built into API-M: choose another name for IS", c.KMName)
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
	if (c.TLSCACertFile == "") != (c.TLSCAKeyFile == "") {
		mistakes = append(mistakes, errors.New("only one of TLS_CA_CERT_FILE and TLS_CA_KEY_FILE is set: set both, or neither for self-signed certificates"))
	}
	if c.TLSMode != "issue" && c.TLSCAKeyFile != "" {
		wrong("TLS_CA_KEY_FILE is set, but the agent issues no certificate with TLS_MODE=%s: set TLS_MODE=issue, or remove the CA", c.TLSMode)
	}
	for _, name := range []string{"KEYSTORE_FILE", "KEYSTORE_ALIAS"} {
		if c.TLSMode != "none" && c.Given(name) {
			wrong("%s is set, but the agent makes the keystore of the TLS listeners itself with TLS_MODE=%s: remove %s, or set TLS_MODE=none", name, c.TLSMode, name)
		}
	}
	if c.TLSMode != "files" && c.Given("TLS_FILES_DIR") {
		wrong("TLS_FILES_DIR is set, but the agent does not read it with TLS_MODE=%s: set TLS_MODE=files, or remove TLS_FILES_DIR", c.TLSMode)
	}
	if c.TLSMode == "issue" && c.TLSRenewBefore > c.TLSValidity/2 {
		wrong("TLS_RENEW_BEFORE is %s, more than half of TLS_VALIDITY, %s: set a shorter TLS_RENEW_BEFORE, because every renewal restarts servers", c.TLSRenewBefore, c.TLSValidity)
	}
	return mistakes
}
