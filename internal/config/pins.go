package config

import (
	"fmt"
	"slices"
	"strings"

	"wso2agent/internal/keystore"
)

// Pins are fingerprints of certificates by the name of the peer that may publish them.
type Pins map[string][]keystore.Fingerprint

// Decode reads name=SHA-256 with commas between. Digits may be of any case, with or without colons; a name may come
// several times. The error is worded to follow the variable's name.
func (p *Pins) Decode(value string) error {
	*p = Pins{}
	for _, pin := range strings.Split(value, ",") {
		name, digits, ok := strings.Cut(pin, "=")
		if !ok {
			return fmt.Errorf("has %q: a pin is name=SHA-256, such as wso2is=9B:F7:…, with commas between several", pin)
		}
		if err := checkName(name); err != nil {
			return err
		}
		f, err := keystore.ParseFingerprint(digits)
		if err != nil {
			return fmt.Errorf("is wrong for %s: %w; agent certs list shows fingerprints", name, err)
		}
		if !slices.Contains((*p)[name], f) {
			(*p)[name] = append((*p)[name], f)
		}
	}
	return nil
}

// strangers are the names in the pins that are no peers.
func (p Pins) strangers(peers []string) (names []string) {
	for name := range p {
		if !slices.Contains(peers, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
