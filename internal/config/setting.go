package config

import (
	"bytes"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"wso2agent/internal/file"
)

// setting is one field of a group, with what its tags declare.
type setting struct {
	name      string // of the variable
	otherwise string // default: the value if the variable is not set; may be empty
	shown     string // the default in words, if it depends on other settings
	rule      string
	secret    bool
	sentence  string // for people
	group     string // title of its group
	field     reflect.StructField
	index     []int // of the field in Config: group and field
}

// settings returns the settings in the order of Config.
func settings() (all []setting) { return settingsOf(reflect.TypeFor[Config]()) }

// settingsOf returns the settings in the groups of t. A field without a title is not a group.
func settingsOf(t reflect.Type) (all []setting) {
	for i := range t.NumField() {
		group := t.Field(i)
		title := group.Tag.Get("title")
		if title == "" {
			continue
		}
		for j := range group.Type.NumField() {
			f := group.Type.Field(j)
			all = append(all, setting{
				name: f.Tag.Get("env"), otherwise: f.Tag.Get("default"), shown: f.Tag.Get("shown"), rule: f.Tag.Get("rule"),
				secret: f.Tag.Get("secret") == "true", sentence: f.Tag.Get("desc"), group: title, field: f, index: []int{i, j},
			})
		}
	}
	return all
}

// IsSecret reports whether an environment variable is a secret setting of the agent.
func IsSecret(name string) bool {
	for _, s := range settings() {
		if s.secret && s.name == name {
			return true
		}
	}
	return false
}

// secretFile returns the path of the file that holds the secret; empty for a setting that is not read from a file.
func (s setting) secretFile(getenv func(string) string) string {
	if !s.secret {
		return ""
	}
	return getenv(s.name + "_FILE")
}

// value returns the value of the variable or of its file, without a line end; empty if neither is set.
// The words of an error follow the name of the variable.
func (s setting) value(getenv func(string) string) (string, error) {
	value, path := getenv(s.name), s.secretFile(getenv)
	switch {
	case path == "":
		return value, nil
	case value != "":
		return "", fmt.Errorf("and %s_FILE are both set: remove one of them", s.name)
	}
	data, err := file.Read(path, secretLimit)
	if err != nil {
		return "", fmt.Errorf("cannot be read from the file that %s_FILE names: %w", s.name, err)
	}
	data = bytes.TrimSuffix(bytes.TrimSuffix(data, []byte("\n")), []byte("\r"))
	if len(data) == 0 {
		return "", fmt.Errorf("cannot be read from %s, which %s_FILE names: the file is empty; write the secret to it", path, s.name)
	}
	return string(data), nil
}

// assign checks value and sets the field of c to it. The words of an error follow the name of the variable.
func (s setting) assign(c *Config, value string) error {
	if !s.secret {
		if err := s.check(value); err != nil {
			return err
		}
	}
	var err error
	switch field := reflect.ValueOf(c).Elem().FieldByIndex(s.index).Addr().Interface().(type) {
	case *string:
		*field = value
	case *bool:
		*field, err = strconv.ParseBool(value)
	case *int:
		*field, err = strconv.Atoi(value)
	case *time.Duration:
		*field, err = time.ParseDuration(value)
	case *[]string:
		*field = strings.Split(value, ",")
	case *Pins:
		*field, err = parsePins(value)
	case *Routes:
		*field, err = parseRoutes(value)
	default:
		err = fmt.Errorf("cannot be set: the agent cannot read a %s: %w", s.field.Type, errBug)
	}
	return err
}

// check returns an error if value breaks the rule of the setting.
func (s setting) check(value string) error {
	if strings.HasPrefix(value, "tcp") && strings.Contains(value, "://") {
		return fmt.Errorf("is %q, which Kubernetes sets for a Service with the name %q: set enableServiceLinks: false in the pod, or set %s",
			value, strings.ToLower(strings.SplitN(s.name, "_", 2)[0]), s.name)
	}
	return ruleOf(s.rule).check(value)
}

// SettingNames returns the names of the variables of all settings, in the order of the table of settings.
func SettingNames() (names []string) {
	for _, s := range settings() {
		names = append(names, s.name)
	}
	return names
}
