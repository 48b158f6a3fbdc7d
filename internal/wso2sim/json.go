package wso2sim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
)

// maxBody bounds what is read of a request.
const maxBody = 32 << 20

// object is a JSON object that is built on the spot.
type object = map[string]any

func writeJSON(w http.ResponseWriter, status int, body any) {
	writeAs(w, status, "application/json", body)
}

func writeAs(w http.ResponseWriter, status int, contentType string, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(text) // the client has gone; nobody is left to tell
}

// errMalformed is a body that is no JSON, or not of the right types.
var errMalformed = errors.New("malformed request body")

// unknownProperty is a field that the type read does not have.
type unknownProperty string

func (u unknownProperty) Error() string { return fmt.Sprintf("Unrecognized property '%s'", string(u)) }

// readJSON reads a body into a pointer to a struct as Jackson does, strictly and with exact names: Go's decoder alone
// would take "Name" for "name". Errors are errMalformed or unknownProperty.
func readJSON(r *http.Request, into any) error {
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return errMalformed
	}
	return decodeJSON(raw, into)
}

func decodeJSON(raw []byte, into any) error {
	var tree any
	if json.Unmarshal(raw, &tree) != nil {
		return errMalformed
	}
	if name := firstUnknown(tree, reflect.TypeOf(into)); name != "" {
		return unknownProperty(name)
	}
	if json.Unmarshal(raw, into) != nil {
		return errMalformed
	}
	return nil
}

// firstUnknown walks a decoded tree beside the type it is meant for, and returns the first name that has no field.
func firstUnknown(tree any, t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch tree := tree.(type) {
	case []any:
		if t.Kind() != reflect.Slice {
			return ""
		}
		for _, item := range tree {
			if name := firstUnknown(item, t.Elem()); name != "" {
				return name
			}
		}
	case map[string]any:
		if t.Kind() != reflect.Struct {
			return ""
		}
		fields := jsonFields(t)
		for _, name := range slices.Sorted(maps.Keys(tree)) {
			field, known := fields[name]
			if !known {
				return name
			}
			if name := firstUnknown(tree[name], field); name != "" {
				return name
			}
		}
	}
	return ""
}

func jsonFields(t reflect.Type) map[string]reflect.Type {
	fields := map[string]reflect.Type{}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		fields[name] = f.Type
	}
	return fields
}

// text is a string that takes a number or a boolean for one, as Jackson does.
type text string

func (t *text) UnmarshalJSON(raw []byte) error {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		*t = text(s)
		return nil
	}
	if raw[0] == '{' || raw[0] == '[' {
		return errMalformed
	}
	*t = text(raw)
	return nil
}

// value is what a nullable string holds, or "".
func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
