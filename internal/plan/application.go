package plan

import (
	"maps"
	"slices"

	"wso2agent/internal/desired"
)

// applicationTable maps an application of the Developer Portal. Its subscriptions and keys are objects of their own.
var applicationTable = []mapping{
	textRow("name", "name", "", func(a desired.Application) desired.Text { return a.Name }),
	textRow("description", "description", "", func(a desired.Application) desired.Text { return a.Description }),
	textRow("throttling_policy", "throttlingPolicy", "Unlimited", func(a desired.Application) desired.Text { return a.ThrottlingPolicy }),
	textRow("token_type", "tokenType", "JWT", func(a desired.Application) desired.Text { return a.TokenType }),
	{
		path: "attributes",
		want: func(from any) (any, bool) {
			a := from.(desired.Application)
			texts := map[string]string{}
			for name, value := range a.Attributes.Value {
				if value.Value != "" {
					texts[name] = value.Value
				}
			}
			return texts, a.Attributes.Set
		},
		have: func(o Object) any {
			texts := map[string]string{}
			all, _ := o["attributes"].(map[string]any)
			for name, value := range all {
				if text := textOf(value); text != "" { // a declared attribute without a value
					texts[name] = text
				}
			}
			return texts
		},
		put: func(body Object, value any) {
			texts := map[string]any{}
			for name, text := range value.(map[string]string) {
				texts[name] = text
			}
			body["attributes"] = texts
		},
	},
	textsRow("groups", "groups", func(a desired.Application) desired.Texts { return a.Groups }),
}

// ApplicationDifferences compares an application with what the Developer Portal shows of it alone; its lists lack fields.
func ApplicationDifferences(want desired.Application, have Object) []Difference {
	return differences(applicationTable, want, have)
}

// ApplicationBody returns the body of POST /applications if have is nil, else of PUT /applications/{id}, which empties what is missing.
func ApplicationBody(want desired.Application, have Object) Object {
	if have == nil {
		have = Object{"description": "", "throttlingPolicy": "Unlimited", "tokenType": "JWT"}
	}
	return body(applicationTable, want, have)
}

// UndeclaredAttributes returns the attributes that the configuration of API-M does not declare. API-M drops them, and reports no error.
// declared are the names in GET /settings/application-attributes.
func UndeclaredAttributes(want desired.Application, declared []string) []string {
	names := slices.Sorted(maps.Keys(want.Attributes.Value))
	return slices.DeleteFunc(names, func(name string) bool { return slices.Contains(declared, name) })
}
