package desired

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
)

// Source is where a [Load] gets what the files name.
type Source struct {
	Env      func(name string) (value string, ok bool) // environment variables, as os.LookupEnv
	ReadFile func(path string) ([]byte, error)         // files that the configuration names; it bounds their size
}

var (
	variable     = regexp.MustCompile(`\$\$\{|\$\{[^}]*\}`)
	variableName = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]*)(:-(.*))?$`)
)

// literal is what a file has for a ${ that begins no variable.
const literal = "$${"

// hasVariable reports whether a text has something that comes from elsewhere.
func hasVariable(text string) bool {
	return strings.Contains(strings.ReplaceAll(text, literal, ""), "${")
}

// expand replaces ${VAR}, ${VAR:-default} and ${file:/path} in a text, and makes ${ of $${. A path is relative to folder. Its errors
// name the variable, never a value.
func (s Source) expand(text, folder string) (string, error) {
	var failed error
	expanded := variable.ReplaceAllStringFunc(text, func(found string) string {
		if found == literal {
			return found[1:]
		}
		value, err := s.value(found[2:len(found)-1], folder)
		if err != nil && failed == nil {
			failed = err
		}
		return value
	})
	if rest := variable.ReplaceAllString(text, ""); failed == nil && strings.Contains(rest, "${") {
		failed = fmt.Errorf("has a ${ without a }")
	}
	return expanded, failed
}

func (s Source) value(name, folder string) (string, error) {
	if path, ok := strings.CutPrefix(name, "file:"); ok {
		if !filepath.IsAbs(path) {
			path = filepath.Join(folder, path)
		}
		data, err := s.ReadFile(path)
		if err != nil {
			return "", fmt.Errorf("names a file that the agent cannot read: %w", err)
		}
		return strings.TrimRight(string(data), "\r\n"), nil
	}
	parts := variableName.FindStringSubmatch(name)
	if parts == nil {
		return "", fmt.Errorf("has ${%s}, which is neither ${VARIABLE}, ${VARIABLE:-default} nor ${file:/path} (a literal ${ is written $${)", name)
	}
	value, ok := s.Env(parts[1])
	switch hasDefault := parts[2] != ""; {
	case hasDefault && value == "":
		return parts[3], nil
	case !ok:
		return "", fmt.Errorf("needs the environment variable %s, which is not set (a literal ${ is written $${)", parts[1])
	}
	return value, nil
}
