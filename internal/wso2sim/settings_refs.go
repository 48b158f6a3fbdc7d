package wso2sim

import (
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
)

// resolver fills in what the values of deployment.toml refer to, as the products' configuration mapper does: $env{NAME}
// and $sys{name} everywhere, $ref{a.b} everywhere but inside arrays, and ${…} nowhere, which the server fills in later.
type resolver struct {
	tree       map[string]any
	properties map[string]string // of the Java machine
	resolving  []string          // the keys that lead to the present one, by $ref
}

var reference = regexp.MustCompile(`\$(ref|env|sys)\{([^}]*)\}`)

func (r *resolver) resolve(v any, refs bool) (any, error) {
	switch v := v.(type) {
	case string:
		return r.text(v, refs)
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, value := range v {
			resolved, err := r.resolve(value, refs)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", key, err)
			}
			out[key] = resolved
		}
		return out, nil
	case []map[string]any:
		out := make([]map[string]any, len(v))
		for i, table := range v {
			resolved, err := r.resolve(table, false)
			if err != nil {
				return nil, err
			}
			out[i] = resolved.(map[string]any)
		}
		return out, nil
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			resolved, err := r.resolve(item, false)
			if err != nil {
				return nil, err
			}
			out[i] = resolved
		}
		return out, nil
	}
	return v, nil
}

func (r *resolver) text(text string, refs bool) (string, error) {
	var failed error
	out := reference.ReplaceAllStringFunc(text, func(whole string) string {
		m := reference.FindStringSubmatch(whole)
		if m[1] == "ref" && !refs || failed != nil {
			return whole
		}
		value, err := r.lookUp(m[1], m[2])
		if err == nil {
			value, err = asReplacement(value)
		}
		if err != nil {
			failed = fmt.Errorf("%s %w", whole, err)
		}
		return value
	})
	return out, failed
}

var errNoValue = errors.New("has no value")

func (r *resolver) lookUp(kind, name string) (string, error) {
	switch kind {
	case "env":
		if value, ok := os.LookupEnv(name); ok {
			return value, nil
		}
	case "sys":
		if value, ok := r.properties[name]; ok {
			return value, nil
		}
	case "ref":
		return r.key(name)
	}
	return "", errNoValue
}

// key is the value of another key, which may refer to a third.
func (r *resolver) key(path string) (string, error) {
	for _, before := range r.resolving {
		if before == path {
			return "", errors.New("and another key refer to each other")
		}
	}
	r.resolving = append(r.resolving, path)
	defer func() { r.resolving = r.resolving[:len(r.resolving)-1] }()
	switch value := (settings{tree: r.tree}).at(path).(type) {
	case string:
		return r.text(value, true)
	case int64, float64, bool:
		return fmt.Sprint(value), nil
	}
	if value, ok := storeDefaults()[path]; ok {
		return r.text(value, true)
	}
	return "", errNoValue
}

// storeDefaults are the settings of the primary key store in carbon-kernel's default.json, as far as other settings refer to
// them. A reference counts after the defaults have been added.
func storeDefaults() map[string]string {
	return map[string]string{
		"keystore.primary.file_name": "wso2carbon.jks", "keystore.primary.type": "JKS", "keystore.primary.password": defaultPassword,
		"keystore.primary.alias": defaultAlias, "keystore.primary.key_password": defaultPassword,
	}
}

// asReplacement is what Java's String.replaceAll makes of a replacement: a dollar asks for a group, of which there is
// none, and a backslash is dropped. The mapper does not quote what it fills in. The error does not show the value.
func asReplacement(value string) (string, error) {
	var out strings.Builder
	for i := 0; i < len(value); i++ {
		switch value[i] {
		case '$':
			return "", errors.New("has a value with a dollar in it: Illegal group reference")
		case '\\':
			if i++; i == len(value) {
				return "", errors.New("has a value that ends with a backslash: character to be escaped is missing")
			}
		}
		out.WriteByte(value[i])
	}
	return out.String(), nil
}

var template = regexp.MustCompile(`\{\{\s*([^}]*?)\s*\}\}`)

// rendered is what becomes of the values on their way through the templates of the products' XML files: {{x}} is
// evaluated, to nothing where there is no such key, and what is beyond ASCII is misread.
func (s settings) rendered(v any) any {
	switch v := v.(type) {
	case string:
		v = template.ReplaceAllStringFunc(v, func(whole string) string {
			value, _ := s.at(template.FindStringSubmatch(whole)[1]).(string)
			return value
		})
		var out strings.Builder
		for i := range len(v) {
			if v[i] < 0x80 {
				out.WriteByte(v[i])
			} else {
				out.WriteRune('\uFFFD')
			}
		}
		return out.String()
	case map[string]any:
		for key, value := range v {
			v[key] = s.rendered(value)
		}
	case []map[string]any:
		for _, table := range v {
			s.rendered(table)
		}
	case []any:
		for i := range v {
			v[i] = s.rendered(v[i])
		}
	}
	return v
}

// templated are the top tables whose values reach a template here. The mapper ignores others, misspelt ones too.
var templated = []string{
	"server", "super_admin", "user_store", "database", "keystore", "truststore", "oauth", "resource", "role_mgt",
	"event_listener", "event_handler", "apim", "service_provider", "account_recovery", "identity", "transport",
}

var cdata = regexp.MustCompile(`(?s)<!\[CDATA\[.*?\]\]>`)

var notXML = regexp.MustCompile(`<|&(?:$|[^a-zA-Z#]|[a-zA-Z0-9#]*(?:[^a-zA-Z0-9#;]|$))`)

// checkXML looks for values that break the XML that the products write with them, unescaped, and read at once. The
// error names the key and does not show the value.
func checkXML(at string, v any) error {
	switch v := v.(type) {
	case string:
		if notXML.MatchString(cdata.ReplaceAllString(v, "")) {
			return fmt.Errorf("the value of %s has a & or < in it, which is not well-formed in the XML that is made with it; write &amp; or &lt;, or choose another value", at)
		}
	case map[string]any:
		for key, value := range v {
			if err := checkXML(at+"."+key, value); err != nil {
				return err
			}
		}
	case []map[string]any:
		for _, table := range v {
			if err := checkXML(at, table); err != nil {
				return err
			}
		}
	case []any:
		for _, item := range v {
			if err := checkXML(at, item); err != nil {
				return err
			}
		}
	}
	return nil
}

// parsedXML is what the server reads from the XML that is made with a value: entities and CDATA stand for something else.
func parsedXML(v any) any {
	switch v := v.(type) {
	case string:
		var text string
		if err := xml.Unmarshal([]byte("<v>"+v+"</v>"), &text); err != nil {
			return v
		}
		return text
	case map[string]any:
		for key, value := range v {
			v[key] = parsedXML(value)
		}
	case []map[string]any:
		for _, table := range v {
			parsedXML(table)
		}
	case []any:
		for i := range v {
			v[i] = parsedXML(v[i])
		}
	}
	return v
}
