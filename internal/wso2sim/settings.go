package wso2sim

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// settings is deployment.toml as the products' configuration mapper sees it: a tree, in which references to other
// keys and to the environment are resolved. A misspelt key is ignored without a word, as there.
type settings struct {
	tree   map[string]any
	broker func(key, otherwise string) string // the administrator's username or password for the message broker, not read as XML
}

// readSettings reads the file below home. The error names the file and, from the parser, the line.
func readSettings(home string) (settings, error) {
	path := filepath.Join(home, settingsFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return settings{}, fmt.Errorf("read the server's configuration: %w", err)
	}
	tree, err := decodeTOML(string(text))
	if err != nil {
		return settings{}, fmt.Errorf("read the server's configuration %s: %w", path, err)
	}
	resolved, err := (&resolver{tree: tree, properties: javaProperties(home)}).resolve(tree, true)
	if err != nil {
		return settings{}, fmt.Errorf("read the server's configuration %s: %w", path, err)
	}
	s := settings{tree: resolved.(map[string]any)}
	s.rendered(s.tree)
	s.broker = s.brokerAccount()
	for _, table := range templated {
		if err := checkXML(table, s.tree[table]); err != nil {
			return settings{}, fmt.Errorf("read the server's configuration %s: %w", path, err)
		}
		if value, ok := s.tree[table]; ok {
			s.tree[table] = parsedXML(value)
		}
	}
	return s, nil
}

// brokerAccount gives the administrator's name and password for API Manager's message broker as they stand in the file: those
// of [apim.throttling.jms], or else of [super_admin] (org.wso2.carbon.apimgt.core.default.json).
func (s settings) brokerAccount() func(key, otherwise string) string {
	values := map[string]string{}
	for _, table := range []string{"super_admin", "apim.throttling.jms"} {
		for _, key := range []string{"username", "password"} {
			if value, ok := s.at(table + "." + key).(string); ok {
				values[key] = value
			}
		}
	}
	return func(key, otherwise string) string {
		if value, ok := values[key]; ok {
			return value
		}
		return otherwise
	}
}

// javaProperties are those that every start script sets or every Java machine has.
func javaProperties(home string) map[string]string {
	return map[string]string{"carbon.home": home, "user.dir": home, "user.name": "wso2carbon", "java.io.tmpdir": os.TempDir()}
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
