package wso2

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// Merge lays the fields of desired over an object that a server gave, for an update that must send the whole object:
// objects merge field by field, anything else is replaced, and fields that desired does not name stay as they are,
// known to this program or not. It returns the object to send and the fields that change, by their dotted names in
// order; without any, nothing needs to be sent.
//
// Lists of plain values count as equal in any order, because the servers keep several of them as sets.
func Merge(current json.RawMessage, desired any) (merged json.RawMessage, changed []string, err error) {
	base, err := toObject(current)
	if err != nil {
		return nil, nil, fmt.Errorf("merge into the server's object: %w", err)
	}
	text, err := json.Marshal(desired)
	if err != nil {
		return nil, nil, fmt.Errorf("merge the desired object: %w", err)
	}
	over, err := toObject(text)
	if err != nil {
		return nil, nil, fmt.Errorf("merge the desired object: %w", err)
	}
	changed = overlay(base, over, "")
	slices.Sort(changed)
	merged, err = json.Marshal(base)
	return merged, changed, err
}

// toObject decodes a JSON object, numbers as they are written: times in milliseconds would lose digits as floats.
func toObject(text []byte) (map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var object map[string]any
	if err := dec.Decode(&object); err != nil {
		return nil, err
	}
	if object == nil {
		return nil, fmt.Errorf("it is null")
	}
	return object, nil
}

// overlay writes over into base and returns the names of what changed.
func overlay(base, over map[string]any, prefix string) []string {
	var changed []string
	for name, want := range over {
		have, ok := base[name]
		if inner, isObject := want.(map[string]any); isObject {
			if existing, isObject := have.(map[string]any); isObject {
				changed = append(changed, overlay(existing, inner, prefix+name+".")...)
				continue
			}
		}
		if !ok || !equal(have, want) {
			base[name] = want
			changed = append(changed, prefix+name)
		}
	}
	return changed
}

// equal compares two decoded JSON values.
func equal(a, b any) bool {
	switch a := a.(type) {
	case []any:
		list, ok := b.([]any)
		return ok && len(a) == len(list) && sameElements(a, list)
	case map[string]any:
		object, ok := b.(map[string]any)
		if !ok || len(a) != len(object) {
			return false
		}
		for name, value := range a {
			if other, ok := object[name]; !ok || !equal(value, other) {
				return false
			}
		}
		return true
	}
	return a == b
}

// sameElements compares lists: in any order where they hold only plain values, in order otherwise.
func sameElements(a, b []any) bool {
	left, ok := plain(a)
	right, okay := plain(b)
	if ok && okay {
		slices.Sort(left)
		slices.Sort(right)
		return slices.Equal(left, right)
	}
	return slices.EqualFunc(a, b, equal)
}

// plain writes the values of a list as texts, unless it holds lists or objects.
func plain(list []any) ([]string, bool) {
	texts := make([]string, len(list))
	for i, value := range list {
		switch value.(type) {
		case []any, map[string]any:
			return nil, false
		}
		texts[i] = fmt.Sprintf("%T %v", value, value)
	}
	return texts, true
}
