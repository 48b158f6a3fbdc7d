package wso2

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestMergeLaysTheDesiredFieldsOverTheServersObject(t *testing.T) {
	tests := []struct {
		name, current, desired, merged, changed string
	}{
		{"fields that we do not know survive", `{"a":1,"later":{"x":null}}`, `{"a":2}`, `{"a":2,"later":{"x":null}}`, "a"},
		{"nothing differs", `{"a":1,"b":[1,2]}`, `{"b":[1,2]}`, `{"a":1,"b":[1,2]}`, ""},
		{"objects merge field by field", `{"o":{"x":1,"y":2}}`, `{"o":{"y":3}}`, `{"o":{"x":1,"y":3}}`, "o.y"},
		{"an object replaces null", `{"o":null}`, `{"o":{"y":3}}`, `{"o":{"y":3}}`, "o"},
		{"lists of plain values are equal in any order", `{"l":["a","b"]}`, `{"l":["b","a"]}`, `{"l":["a","b"]}`, ""},
		{"a list with another value is replaced", `{"l":["a","b"]}`, `{"l":["b"]}`, `{"l":["b"]}`, "l"},
		{"lists of objects keep their order", `{"l":[{"v":1},{"v":2}]}`, `{"l":[{"v":2},{"v":1}]}`, `{"l":[{"v":2},{"v":1}]}`, "l"},
		{"a text is not the number that it spells", `{"b":"true"}`, `{"b":true}`, `{"b":true}`, "b"},
		{"null differs from absent", `{}`, `{"n":null}`, `{"n":null}`, "n"},
		{"large numbers keep their digits", `{"t":12345678901234567890}`, `{}`, `{"t":12345678901234567890}`, ""},
		{"several changes come in order", `{}`, `{"b":1,"a":1}`, `{"a":1,"b":1}`, "a b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			merged, changed, err := Merge(json.RawMessage(tt.current), json.RawMessage(tt.desired))
			if err != nil || string(merged) != tt.merged || strings.Join(changed, " ") != tt.changed {
				t.Errorf("got %s, changed %v, %v", merged, changed, err)
			}
		})
	}
	if _, _, err := Merge(json.RawMessage(`null`), map[string]string{}); err == nil {
		t.Error("null merged")
	}
}
