package plan

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"wso2agent/internal/desired"
)

// Hidden stands for a secret that a server has and does not show.
type Hidden struct{}

// Fields are what a file says of an object to describe it: the values that differ from those of an object that the agent makes. The keys
// are paths as in [Difference]. A value is a text, a number, a switch, a list of texts or numbers, a list of [Fields], a map of texts,
// [Hidden], or nil if the file resets the field.
type Fields map[string]any

// fieldsOf returns the fields in which have differs from base, by the rows that the comparison uses.
func fieldsOf(table []mapping, have, base Object) Fields {
	all := Fields{}
	for _, m := range table {
		group := func(other mapping) bool { return strings.HasPrefix(other.path, m.path+".") }
		if m.have == nil || slices.ContainsFunc(table, group) { // a row of a group only resets
			continue
		}
		if value := m.have(have); !equal(value, m.have(base)) {
			all[m.path] = orReset(value)
		}
	}
	return all
}

// orReset returns nil for an empty value.
func orReset(value any) any {
	switch v := value.(type) {
	case string:
		if v == "" {
			return nil
		}
	case []string:
		if len(v) == 0 {
			return nil
		}
	case map[string]string:
		if len(v) == 0 {
			return nil
		}
	}
	return value
}

// within returns the fields of a group by their names in it.
func (f Fields) within(group string) Fields {
	inner := Fields{}
	for path, value := range f {
		if name, is := strings.CutPrefix(path, group+"."); is {
			inner[name] = value
		}
	}
	return inner
}

// drop removes a group with its fields.
func (f Fields) drop(group string) {
	for path := range f {
		if path == group || strings.HasPrefix(path, group+".") {
			delete(f, path)
		}
	}
}

// change replaces the value at a path, if there is one.
func (f Fields) change(path string, by func(any) any) {
	if value, is := f[path]; is && value != nil {
		f[path] = by(value)
	}
}

// ScopeFields returns the fields of a shared scope.
func ScopeFields(have Object) Fields {
	name := textAt(have, "name", "")
	all := fieldsOf(scopeTable, have, Object{"displayName": name})
	all["name"] = name
	return all
}

// DocumentFields returns the fields of a document, without its text and its file.
func DocumentFields(have Object) Fields {
	all := fieldsOf(documentTable, have, Object{})
	if have["sourceType"] != "MARKDOWN" {
		delete(all, "format") // which follows from content, url and file
	}
	all["name"], all["summary"] = textAt(have, "name", ""), textAt(have, "summary", "")
	return all
}

// ApplicationFields returns the fields of an application, without its subscriptions and keys.
func ApplicationFields(have Object) Fields {
	return fieldsOf(applicationTable, have, ApplicationBody(desired.Application{}, nil))
}

// SubscriptionFields returns the fields of a subscription to an API.
func SubscriptionFields(api string, have Object) Fields {
	all := fieldsOf(subscriptionTable, have, Object{"throttlingPolicy": unlimited})
	all["api_name"] = api
	return all
}

// KeyFields returns the fields of a key. kind is the type of its key manager. Only a client that somebody has mapped is a field: any
// other one is made with the key.
func KeyFields(have Object, kind string) Fields {
	keyType := textAt(have, "keyType", "")
	base := KeyBody(desired.Key{Type: given(keyType)}, nil, kind, "")
	base["supportedGrantTypes"] = base["grantTypesToBeSupported"]
	all := fieldsOf(keyTable(kind), have, base)
	all["type"], all["key_manager"] = keyType, textAt(have, "keyManager", "")
	if have["mode"] == "MAPPED" {
		all["client_secret"] = Hidden{}
	} else {
		delete(all, "client_id")
	}
	return all
}

// UserFields returns the fields of a user of IS. The names have the letter case of IS.
func UserFields(have Object) Fields {
	all := fieldsOf(userTable, have, Object{})
	all["username"], all["password"] = plainName(textAt(have, "userName", "")), Hidden{}
	all.change("roles", func(any) any { return plainNames(rolesOf(have)) })
	return all
}

// GroupFields returns the fields of a group of IS.
func GroupFields(have Object) Fields {
	all := fieldsOf(groupTable, have, Object{})
	all["name"] = plainName(textAt(have, "displayName", ""))
	all.change("members", func(any) any { return displaysAt(have, "members") })
	return all
}

// RoleFields returns the fields of a role of IS.
func RoleFields(have Object) Fields {
	all := fieldsOf(roleTable, have, Object{})
	all["name"] = plainName(textAt(have, "displayName", ""))
	all.change("groups", func(any) any { return displaysAt(have, "groups") })
	return all
}

// plainName returns a name without the user store that IS has without a setting.
func plainName(name string) string { return strings.TrimPrefix(name, "PRIMARY/") }

func plainNames(names []string) []string {
	plain := make([]string, len(names))
	for i, name := range names {
		plain[i] = plainName(name)
	}
	return set(plain)
}

func displaysAt(o Object, key string) []string {
	var names []string
	for _, m := range objectsAt(o, key) {
		names = append(names, textAt(m, "display", ""))
	}
	return plainNames(names)
}

// plainSpan returns a time as a file may have it: with one unit.
func plainSpan(value any) any {
	text, _ := value.(string)
	span, err := time.ParseDuration(text)
	if err != nil {
		return value // such as one that differs between addresses: no file can say it
	}
	for _, unit := range []struct {
		is   time.Duration
		name string
	}{{time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if span >= unit.is && span%unit.is == 0 {
			return strconv.FormatInt(int64(span/unit.is), 10) + unit.name
		}
	}
	return strconv.FormatInt(span.Milliseconds(), 10) + "ms"
}

// numbers returns codes as numbers.
func numbers(value any) any {
	codes, _ := value.([]string)
	list := make([]int, len(codes))
	for i, code := range codes {
		n, err := strconv.Atoi(code)
		if err != nil {
			return value
		}
		list[i] = n
	}
	return list
}
