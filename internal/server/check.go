package server

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"wso2agent/internal/remedy"
)

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// check names the values that the server would not read as they are written.
func (n Needs) check(needs []need) error {
	var mistakes []error
	for _, need := range needs {
		for _, w := range need.settings {
			if text, ok := w.data.(string); ok && !w.refers {
				if err := readable(text, w.xml); err != nil {
					mistakes = append(mistakes, remedy.Add(fmt.Errorf("the value for %s in deployment.toml %w", id(need, w), err), "choose another"))
				}
			}
		}
	}
	if n.Database != nil && n.Database.Password == "" && !n.SecretsEnv {
		mistakes = append(mistakes, remedy.Add(fmt.Errorf("the database's password is missing"),
			"set %s or %s_FILE", n.Database.PasswordEnv, n.Database.PasswordEnv))
	}
	mistakes = append(mistakes, n.checkEnvironment()...)
	return errors.Join(mistakes...)
}

// readable returns why a text does not reach the server as it is: the products put it into XML files without escaping, by a
// template engine. An encoded text has no such characters. The error does not contain the text, which may be a secret.
func readable(text string, encoded bool) error {
	for _, part := range []string{"&", "<", "{{", "{%", "{#", "$ref{", "$sys{", "$secret{"} {
		if !encoded && strings.Contains(text, part) {
			return fmt.Errorf("contains %s, which does not reach the server as it is written", part)
		}
	}
	for i := range len(text) {
		if text[i] < 0x20 || text[i] >= 0x7F {
			return fmt.Errorf("contains the character 0x%02X, which does not reach the server as it is written", text[i])
		}
	}
	return nil
}
