package plan

import (
	"strconv"
	"strings"

	"wso2agent/internal/desired"
)

// textRow maps a text of the file to a key of the server's object, which may be a path. absent is what the server has if nobody sets it.
func textRow[T any](path, key, absent string, of func(T) desired.Text) mapping {
	return textMapping(path, key, absent, func(from any) desired.Text { return of(from.(T)) })
}

// textMapping is the part of textRow that the program has once for all types.
func textMapping(path, key, absent string, of func(any) desired.Text) mapping {
	return mapping{
		path: path,
		want: func(from any) (any, bool) { f := of(from); return f.Or(absent), f.Set },
		have: func(o Object) any { return textAt(o, key, absent) },
		put:  func(body Object, value any) { putAt(body, key, value) },
	}
}

// switchRow maps a switch.
func switchRow[T any](path, key string, absent bool, of func(T) desired.Switch) mapping {
	return mapping{
		path: path,
		want: func(from any) (any, bool) { f := of(from.(T)); return f.Or(absent), f.Set },
		have: func(o Object) any {
			if is, known := at(o, key).(bool); known {
				return is
			}
			return absent
		},
		put: func(body Object, value any) { putAt(body, key, value) },
	}
}

// textsRow maps a set of texts, which is empty if nobody sets it.
func textsRow[T any](path, key string, of func(T) desired.Texts) mapping {
	return mapping{
		path: path,
		want: func(from any) (any, bool) { f := of(from.(T)); return valuesOf(f), f.Set },
		have: func(o Object) any { return textsAt(o, key) },
		put:  func(body Object, value any) { putAt(body, key, listOf(value.([]string))) },
	}
}

// secretRow maps a secret, which no server gives back: the row writes it and compares nothing. A secret cannot be reset.
func secretRow[T any](path, key string, of func(T) desired.Password) mapping {
	return mapping{
		path: path, secret: true,
		want: func(from any) (any, bool) { f := of(from.(T)); return f.Value.Reveal(), f.Set && !f.Null },
		put:  func(body Object, value any) { putAt(body, key, value) },
	}
}

// changedSecret compares a secret with what was last sent: the caller keeps a keyed hash of that. sent reports whether value was last
// sent for the path of this object. If it is nil, nothing is known, and that is no difference. The difference has no secret.
func changedSecret(path string, want desired.Password, sent func(path, value string) bool) []Difference {
	if !want.Set || want.Null || sent == nil || sent(path, want.Value.Reveal()) {
		return nil
	}
	from, _ := want.Value.MarshalText() // it never fails
	return []Difference{{Path: path, Want: string(from), Secret: true}}
}

// valuesOf returns the values of a list as a set, which is empty and not nil if there are none.
func valuesOf(list desired.Texts) []string {
	texts := []string{}
	for _, item := range list.Value {
		texts = append(texts, item.Value)
	}
	return set(texts)
}

// listOf returns texts as decoded JSON.
func listOf(texts []string) []any {
	list := make([]any, len(texts))
	for i, t := range texts {
		list[i] = t
	}
	return list
}

// textAt returns the text at a path, or absent if there is none.
func textAt(o Object, path, absent string) string {
	if text, is := at(o, path).(string); is {
		return text
	}
	return absent
}

// textsAt returns the texts at a path as a set without empty ones: API-M stores no texts as [""].
func textsAt(o Object, path string) []string {
	list, _ := at(o, path).([]any)
	texts := []string{}
	for _, item := range list {
		if text, _ := item.(string); text != "" {
			texts = append(texts, text)
		}
	}
	return set(texts)
}

// objectsAt returns the objects of the list at a path.
func objectsAt(o Object, path string) (all []Object) {
	list, _ := at(o, path).([]any)
	for _, item := range list {
		if m, is := item.(map[string]any); is {
			all = append(all, m)
		}
	}
	return all
}

// putAt writes a value at a path of keys with dots between them, and makes the objects on the way.
func putAt(o Object, path string, value any) {
	into := map[string]any(o)
	for {
		key, rest, more := strings.Cut(path, ".")
		if !more {
			into[key] = value
			return
		}
		next, is := into[key].(map[string]any)
		if !is {
			next = map[string]any{}
			into[key] = next
		}
		into, path = next, rest
	}
}

// textOf returns a text, a number or a switch of JSON as a text; "" if it is something else.
func textOf(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return ""
}
