package plan

import (
	"testing"

	"wso2agent/internal/desired"
)

// definedAPI reads a file with one API, whose definition is d.
func definedAPI(t *testing.T, fields string, d Definition) desired.API {
	t.Helper()
	api := apiFile(t, fields)
	_, name, ok := DefinitionOf(api)
	if !ok {
		t.Fatal("the file names no definition")
	}
	w := Wanted{File: &desired.File{}, Definitions: map[string]Definition{DefinitionKey(name): d}}
	return w.Defined(api)
}
