package speccheck

import (
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"wso2agent/internal/testenv"
)

// Enumerations are the properties of a schema that have one, each with its values in order. A schema is named by file
// and name, "publisher-api.yaml#API", with the names of properties behind it for one that stands within another. The
// test is skipped where the specifications are not at hand.
func Enumerations(t testing.TB, schema string) map[string][]string {
	t.Helper()
	file, path, _ := strings.Cut(schema, "#")
	apis, err := loadOnce(testenv.Shared(t, "openapi"))
	if err != nil {
		t.Fatal(err)
	}
	of := slices.IndexFunc(apis, func(a *api) bool { return a.file == file })
	if of < 0 {
		t.Fatalf("there is no specification %s", file)
	}
	names := strings.Split(path, ".")
	at := apis[of].doc.Components.Schemas[names[0]]
	for _, name := range names[1:] {
		if at != nil {
			at = at.Value.Properties[name]
		}
	}
	if at == nil {
		t.Fatalf("there is no schema %s", schema)
	}
	found := map[string][]string{}
	for name, property := range at.Value.Properties {
		if values := enumeration(property.Value); values != nil {
			found[name] = values
		}
	}
	return found
}

func enumeration(s *openapi3.Schema) []string {
	var values []string
	for _, v := range s.Enum {
		if text, ok := v.(string); ok {
			values = append(values, text)
		}
	}
	slices.Sort(values)
	return values
}
