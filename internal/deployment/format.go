package deployment

import (
	"fmt"
	"strings"

	"wso2agent/internal/remedy"
)

// writtenKey returns a key in the form for the file. It uses single quotes if a key needs quotes, as WSO2's own files do.
func writtenKey(key string) string {
	if key != "" && bareKeyLen(key) == len(key) {
		return key
	}
	return "'" + key + "'"
}

// Raw is a value in the form that it has in the file.
type Raw string

// format returns a value in the form for the file. It returns an error for other types, and for a text that the servers would misread:
// one with a control character or a character beyond ASCII.
func format(data any) (string, error) {
	switch v := data.(type) {
	case string:
		return quoted(v)
	case Raw:
		return string(v), nil
	case bool:
		return fmt.Sprint(v), nil
	case int:
		return fmt.Sprint(v), nil
	case int64:
		return fmt.Sprint(v), nil
	case []string:
		items := make([]string, len(v))
		for i, item := range v {
			text, err := quoted(item)
			if err != nil {
				return "", err
			}
			items[i] = text
		}
		return "[" + strings.Join(items, ", ") + "]", nil
	}
	return "", fmt.Errorf("a %T has no form in deployment.toml", data)
}

func quoted(s string) (string, error) {
	for i := range len(s) {
		if isControl(s[i]) || s[i] >= 0x80 {
			return "", remedy.Add(fmt.Errorf("a text has the character 0x%02X, which WSO2's servers do not read as it is from deployment.toml", s[i]),
				"use printable ASCII")
		}
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`, nil
}

// same reports whether a value of the file is equal to the data that format would write.
func same(have any, want any) bool {
	switch w := want.(type) {
	case int:
		return have == int64(w)
	case []string:
		items, ok := have.([]any)
		if !ok || len(items) != len(w) {
			return false
		}
		for i := range w {
			if items[i] != w[i] {
				return false
			}
		}
		return true
	}
	return have == want
}

// Differs reports whether Set would change a value of the file, and returns the text that Set would write.
func Differs(v Value, data any) (differs bool, written string, err error) {
	written, err = format(data)
	return !same(v.Data, data), written, err
}
