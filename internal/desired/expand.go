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
	Secret   func(name string) bool                    // whether an environment variable is a secret setting of the agent; nil: none is
}

var (
	variable     = regexp.MustCompile(`\$\$\{|\$\{[^}]*\}`)
	variableName = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]*)(:-(.*))?$`)
)

// literal is what a file has for a ${ that begins no variable.
const literal = "$${"

// names returns the variables and files in a text, without their defaults.
func names(text string) string {
	var all strings.Builder
	for _, found := range variable.FindAllString(text, -1) {
		if found == literal {
			continue
		}
		name := found[2 : len(found)-1]
		if !strings.HasPrefix(name, "file:") {
			name, _, _ = strings.Cut(name, ":-")
		}
		all.WriteString("${" + name + "}")
	}
	return all.String()
}

// hasVariable reports whether a text has something that comes from elsewhere.
func hasVariable(text string) bool {
	return strings.Contains(strings.ReplaceAll(text, literal, ""), "${")
}

// expand replaces ${VAR}, ${VAR:-default} and ${file:/path} in a text, and makes ${ of $${. A path is relative to folder. Its errors
// name the variable, never a value. open says that people can read the text on the servers; it must then have no secret.
func (s Source) expand(text, folder string, open bool) (string, error) {
	var failed error
	expanded := variable.ReplaceAllStringFunc(text, func(found string) string {
		if found == literal {
			return found[1:]
		}
		value, err := s.value(found[2:len(found)-1], folder, open)
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

func (s Source) value(name, folder string, open bool) (string, error) {
	if strings.Contains(name, "${") {
		return "", fmt.Errorf("has a ${ inside another one, which the agent does not read")
	}
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
		return "", fmt.Errorf("has a ${…} that is neither ${VARIABLE}, ${VARIABLE:-default} nor ${file:/path} (a literal ${ is written $${)")
	}
	if open && s.Secret != nil && s.Secret(parts[1]) {
		return "", fmt.Errorf("must not have %s, which is a password: others can read this text on the servers (a literal ${ is written $${)", parts[1])
	}
	value, ok := s.Env(parts[1])
	switch hasDefault := parts[2] != ""; {
	case hasDefault && value == "":
		return parts[3], nil
	case !ok:
		return "", fmt.Errorf("needs the environment variable %[1]s, which is not set (for the text itself, write $${%[1]s})", parts[1])
	}
	return value, nil
}
