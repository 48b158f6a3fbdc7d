package wso2sim

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/BurntSushi/toml"
)

// settings is deployment.toml as the products' configuration mapper sees it: a tree, in which references to other
// keys and to the environment are resolved. A misspelt key is ignored without a word, as there.
type settings struct{ tree map[string]any }

// readSettings reads the file below home. The error names the file and, from the parser, the line.
func readSettings(home string) (settings, error) {
	path := filepath.Join(home, settingsFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return settings{}, fmt.Errorf("read the server's configuration: %w", err)
	}
	s := settings{tree: map[string]any{}}
	if err := toml.Unmarshal(text, &s.tree); err != nil {
		return settings{}, fmt.Errorf("read the server's configuration %s: %w", path, err)
	}
	resolved, err := s.resolve(s.tree, true)
	if err != nil {
		return settings{}, fmt.Errorf("read the server's configuration %s: %w", path, err)
	}
	s.tree = resolved.(map[string]any)
	return s, nil
}

var reference = regexp.MustCompile(`\$(ref|env|sys)\{([^}]*)\}`)

// resolve replaces $ref{a.b} and $env{NAME} in every string. $ref is left alone inside arrays of tables, and ${…}
// everywhere, as the mapper leaves them.
func (s settings) resolve(v any, refs bool) (any, error) {
	switch v := v.(type) {
	case string:
		return s.expand(v, refs)
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, value := range v {
			resolved, err := s.resolve(value, refs)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", key, err)
			}
			out[key] = resolved
		}
		return out, nil
	case []map[string]any:
		out := make([]map[string]any, len(v))
		for i, table := range v {
			resolved, err := s.resolve(table, false)
			if err != nil {
				return nil, err
			}
			out[i] = resolved.(map[string]any)
		}
		return out, nil
	}
	return v, nil
}

func (s settings) expand(text string, refs bool) (string, error) {
	var failed error
	out := reference.ReplaceAllStringFunc(text, func(whole string) string {
		m := reference.FindStringSubmatch(whole)
		switch {
		case m[1] == "ref" && !refs:
			return whole
		case m[1] == "ref":
			if value, ok := s.at(m[2]).(string); ok {
				return value
			}
		case m[1] == "env":
			if value, ok := os.LookupEnv(m[2]); ok {
				return value
			}
		}
		failed = fmt.Errorf("%s has no value", whole)
		return whole
	})
	return out, failed
}

// at is the value under a dotted path, or nil.
func (s settings) at(path string) any {
	var at any = s.tree
	for name := range strings.SplitSeq(path, ".") {
		table, ok := at.(map[string]any)
		if !ok {
			return nil
		}
		at = table[name]
	}
	return at
}

// text is the string under a path, with ${admin.username} and ${admin.password} filled in as the server does when it
// reads the generated files, or otherwise where there is none.
func (s settings) text(path, otherwise string) string {
	value, ok := s.at(path).(string)
	if !ok {
		return otherwise
	}
	return s.admin(value)
}

func (s settings) admin(value string) string {
	user, password := s.credentials()
	return strings.NewReplacer("${admin.username}", user, "${admin.password}", password).Replace(value)
}

// credentials are the super admin's.
func (s settings) credentials() (user, password string) {
	user, password = "admin", "admin"
	if v, ok := s.at("super_admin.username").(string); ok {
		user = v
	}
	if v, ok := s.at("super_admin.password").(string); ok {
		password = v
	}
	return user, password
}

func (s settings) flag(path string) bool {
	value, _ := s.at(path).(bool)
	return value
}

func (s settings) texts(path string) []string {
	values, _ := s.at(path).([]any)
	var out []string
	for _, v := range values {
		if text, ok := v.(string); ok {
			out = append(out, text)
		}
	}
	return out
}

// tables are the [[…]] blocks of a name, in the order of the file.
func (s settings) tables(path string) []settings {
	blocks, _ := s.at(path).([]map[string]any)
	var out []settings
	for _, block := range blocks {
		out = append(out, settings{tree: block})
	}
	return out
}
