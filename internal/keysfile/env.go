package keysfile

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"wso2agent/internal/remedy"
)

// Format is how the values of variables are written. Both formats are the same as long as no value needs quotes in a shell.
type Format string

// The formats of variables, as KEYS_ENV_FORMAT names them.
const (
	Shell  Format = "sh"     // quoted if needed, for sh, the env_file of Compose and the EnvironmentFile of systemd
	Docker Format = "docker" // never quoted, for docker run --env-file, which takes quotes as a part of the value
)

// Env returns a line for each variable, such as ORDERS_APP_PRODUCTION_CONSUMER_KEY=x, with a comment above each key. It refuses keys whose
// names lead to the same variable, and values that the format cannot hold.
func Env(keys []Key, format Format) ([]byte, error) {
	groups, err := variables(keys)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	b.WriteString("# The agent writes this file. It has secrets in clear.\n")
	for _, g := range groups {
		fmt.Fprintf(&b, "\n# application %+q, %s, key manager %+q\n", g.key.Application, variableName(g.key.Type), g.key.KeyManager)
		for _, v := range g.variables {
			value, err := format.value(v.value)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", v.name, err)
			}
			fmt.Fprintf(&b, "%s=%s\n", v.name, value)
		}
	}
	return []byte(b.String()), nil
}

// plainValue matches a value that a shell, Compose and docker run --env-file all read as it is.
var plainValue = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]*$`)

// value returns a value as the format writes it. The errors do not show it.
func (f Format) value(value string) (string, error) {
	switch {
	case plainValue.MatchString(value):
		return value, nil
	case strings.ContainsRune(value, 0):
		return "", errors.New("the value has a NUL byte, which no variable can hold")
	case f == Docker && strings.ContainsAny(value, "\r\n"):
		return "", remedy.Add(errors.New("the value has a line break, which docker run --env-file cannot read"), "set KEYS_ENV_FORMAT=sh")
	case f == Docker:
		return value, nil
	}
	return ShellWord(value), nil
}

// ShellWord returns a text as one word of a shell, in quotes if it needs them. Compose and systemd read such a word alike in a file of
// variables.
func ShellWord(text string) string {
	if plainValue.MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// group is the variables of one key.
type group struct {
	key       Key
	variables []variable
}

type variable struct{ name, value string }

// variables returns the variables of all keys. The first key of its type in an application has the application and the type in its names,
// a further one also its key manager.
func variables(keys []Key) (groups []group, err error) {
	owners := map[string]Key{}
	for _, own := range byApplication(keys) {
		seen := map[string]bool{}
		for _, k := range own {
			prefix := variableName(k.Application) + "_" + variableName(k.Type)
			if seen[k.Type] {
				prefix += "_" + variableName(k.KeyManager)
			}
			seen[k.Type] = true
			g := group{k, []variable{
				{prefix + "_CONSUMER_KEY", k.ConsumerKey}, {prefix + "_CONSUMER_SECRET", string(k.ConsumerSecret)}, {prefix + "_TOKEN_ENDPOINT", k.TokenEndpoint},
			}}
			for _, v := range g.variables {
				if other, taken := owners[v.name]; taken {
					return nil, remedy.Add(fmt.Errorf("applications %q and %q both need the variable %s", other.Application, k.Application, v.name),
						"rename one of them, or write neither KEYS_ENV_FILE nor KEYS_SECRET_FILE")
				}
				owners[v.name] = k
			}
			groups = append(groups, g)
		}
	}
	return groups, nil
}

// variableName returns a name as the beginning of a variable: ASCII letters in upper case and digits, and one underscore for all else
// between them.
func variableName(name string) string {
	var b strings.Builder
	gap := false
	for _, r := range name {
		if r >= 'a' && r <= 'z' {
			r -= 'a' - 'A'
		}
		if (r < 'A' || r > 'Z') && (r < '0' || r > '9') {
			gap = true
			continue
		}
		if b.Len() == 0 && r <= '9' || b.Len() > 0 && gap { // a variable does not begin with a digit
			b.WriteByte('_')
		}
		gap = false
		b.WriteRune(r)
	}
	return b.String()
}
