package config

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"wso2agent/internal/product"
)

// ErrInvalid is wrapped by every error about a setting.
var ErrInvalid = errors.New("invalid settings")

// secretLimit is the largest file that may hold a secret, in bytes.
const secretLimit = 4096

// Load reads the settings from the environment of the process, and changes nothing there. It treats an empty variable as
// not set, because Compose passes an empty value for a reference to a variable that is not set. With PRODUCT it also detects the
// release of the server.
//
// One error that wraps ErrInvalid lists all mistakes, one on each line, with the name of the variable and the remedy. It
// never contains a secret. The variables in required must be set. Errors about the release wrap ErrOtherRelease or
// product.ErrUnsupported.
func Load(required ...string) (Config, error) {
	c, err := read(os.Getenv, required...)
	if err != nil || c.Server.Product == "" {
		return c, err
	}
	t, err := c.readTraces()
	if err != nil {
		return Config{}, err
	}
	release, err := t.release(c.Server.Product)
	if err != nil {
		return Config{}, err
	}
	return c.On(release), nil
}

// read is Load for any environment, with the default release: getenv returns the value of a variable, or "" if it is not set.
func read(getenv func(name string) string, required ...string) (Config, error) {
	c := Config{given: map[string]bool{}}
	var mistakes []error
	for _, s := range settings() {
		path := s.secretFile(getenv)
		if path != "" {
			c.SecretFiles = append(c.SecretFiles, path)
		}
		value, err := s.value(getenv)
		c.given[s.name] = value != ""
		switch {
		case err != nil:
		case value != "":
			err = s.assign(&c, value)
		case slices.Contains(required, s.name):
			err = fmt.Errorf("is not set: it must be %s", ruleOf(s.rule).allowed)
		case s.otherwise != "":
			err = s.assign(&c, s.otherwise)
		}
		if err != nil {
			mistakes = append(mistakes, fmt.Errorf("%s %w", s.name, err))
		}
	}
	if len(mistakes) > 0 {
		return Config{}, invalid(mistakes)
	}
	c.SecretFiles = slices.Clip(c.SecretFiles) // copies of Config share the array, and callers append to it
	if c.Server.Product != "" {
		c.Release = product.Default(c.Server.Product)
	}
	c.complete()
	if mistakes = c.contradictions(); len(mistakes) > 0 {
		return Config{}, invalid(mistakes)
	}
	return c, nil
}

// invalid is one error for all mistakes, one on each line.
func invalid(mistakes []error) error {
	lines := make([]string, len(mistakes))
	for i, err := range mistakes {
		lines[i] = err.Error()
	}
	return fmt.Errorf("%w:\n  %s", ErrInvalid, strings.Join(lines, "\n  "))
}

// Secret returns the value of the secret with the variable name. ok is false if no secret has that name, and if the secret
// has no value.
func (c Config) Secret(name string) (value string, ok bool) {
	for _, s := range settings() {
		if s.name == name && s.secret {
			value = reflect.ValueOf(c).FieldByIndex(s.index).String()
			return value, value != ""
		}
	}
	return "", false
}
