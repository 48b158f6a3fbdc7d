package config

import (
	"fmt"
	"slices"
	"strings"

	"wso2agent/internal/keystore"
)

// Pins are the fingerprints of the certificates that each peer may publish, by the peer's name.
type Pins map[string][]keystore.Fingerprint

// parsePins reads name=SHA-256, separated by commas. Digits may be of any case, with or without colons. A name may appear
// several times. The words of an error follow the name of the variable.
func parsePins(value string) (Pins, error) {
	pins := Pins{}
	for _, pin := range strings.Split(value, ",") {
		name, digits, ok := strings.Cut(pin, "=")
		if !ok {
			return nil, fmt.Errorf("has %q: a pin is name=SHA-256, such as wso2is=9B:F7:…, and commas separate pins", pin)
		}
		if err := checkName(name); err != nil {
			return nil, err
		}
		f, err := keystore.ParseFingerprint(digits)
		if err != nil {
			return nil, fmt.Errorf("is wrong for %s: %w; agent certs list shows fingerprints", name, err)
		}
		if !slices.Contains(pins[name], f) {
			pins[name] = append(pins[name], f)
		}
	}
	return pins, nil
}

// pinnable returns the names that a pin may have. Next to no server, and without PEERS, they are the default names of both servers.
func (c Config) pinnable() []string {
	if c.Server.Product == "" && !c.given["PEERS"] {
		return []string{DefaultName(IS), DefaultName(AM)}
	}
	return c.Trust.Peers
}

// strangers returns the names in the pins that are not names of peers, in order.
func (p Pins) strangers(peers []string) (names []string) {
	for name := range p {
		if !slices.Contains(peers, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
