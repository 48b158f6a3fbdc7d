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

// readRequired is readJSON for a body without which the products run into an unchecked error.
func readRequired(r *http.Request, into any) error {
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return errMalformed
	}
	if len(raw) == 0 {
		return errInternal
	}
	return decodeJSON(raw, into)
}

func decodeJSON(raw []byte, into any) error {
	raw, err := withoutUnknownValues(raw, reflect.TypeOf(into), refuseUnknown)
	if err != nil {
		return err
	}
	if json.Unmarshal(raw, into) != nil {
		return errMalformed
	}
	return nil
}

// errDisallowed is a value that an enumeration does not have, where the product looks.
var errDisallowed = badRequest("One or more request body parameters contain disallowed values.")

// refuseUnknown judges what a body has and its type has not: a name, or a value of an enumeration, which only fields
// with the tag "strict" refuse.
func refuseUnknown(name string, field *reflect.StructField) error {
	if field == nil {
		return unknownProperty(name)
	}
	if _, strict := field.Tag.Lookup("strict"); strict {
		return errDisallowed
	}
	return nil
}

// withoutUnknownValues is a body in which null stands for every value that its enumeration does not have, as the
// products' generated classes read it without a word. Enumerations are the tags "enum" of the type that the body is
// meant for. What is unknown is for judge to refuse: a name that the type does not have, for which the field is nil, and
// a value that the field's enumeration does not have.
func withoutUnknownValues(raw []byte, t reflect.Type, judge func(name string, field *reflect.StructField) error) ([]byte, error) {
	var tree any
	if json.Unmarshal(raw, &tree) != nil {
		return nil, errMalformed
	}
	changed := false
	err := eachMember(tree, t, func(members map[string]any, name string, field *reflect.StructField) error {
		if field == nil {
			return judge(name, nil)
		}
		known, enumeration := field.Tag.Lookup("enum")
		text, ok := members[name].(string)
		if enumeration && ok && !slices.Contains(strings.Split(known, "|"), text) {
			members[name], changed = nil, true
			return judge(name, field)
		}
		return nil
	})
	if err != nil || !changed {
		return raw, err
	}
	return json.Marshal(tree)
}

// eachMember walks a decoded tree beside the type it is meant for, and calls visit with every member of an object and
// the field that it fills, which is nil where the type has none.
func eachMember(tree any, t reflect.Type, visit func(members map[string]any, name string, field *reflect.StructField) error) error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch tree := tree.(type) {
	case []any:
		if t.Kind() != reflect.Slice {
			return nil
		}
		for _, item := range tree {
			if err := eachMember(item, t.Elem(), visit); err != nil {
				return err
			}
		}
	case map[string]any:
		if t.Kind() != reflect.Struct {
			return nil
		}
		fields := jsonFields(t)
		for _, name := range slices.Sorted(maps.Keys(tree)) {
			field := fields[name]
			if err := visit(tree, name, field); err != nil {
				return err
			}
			if field == nil {
				continue
			}
			if err := eachMember(tree[name], field.Type, visit); err != nil {
				return err
			}
		}
	}
	return nil
}

func jsonFields(t reflect.Type) map[string]*reflect.StructField {
	fields := map[string]*reflect.StructField{}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		fields[name] = &f
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

// sortedKeys are the names of a map.
func sortedKeys[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }

func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
