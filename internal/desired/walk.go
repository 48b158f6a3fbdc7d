package desired

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Walk calls visit for every field of the model that is Set, in the order of the model. path is like apis[0].cors.enabled; value is
// what the field holds. If visit returns false, Walk leaves out what the field holds.
func (f *File) Walk(visit func(path string, at Place, null bool, value any) bool) {
	walk("", reflect.ValueOf(f).Elem(), visit)
}

func walk(path string, v reflect.Value, visit func(string, Place, bool, any) bool) {
	for _, c := range columns(v.Type()) {
		walkField(strings.TrimPrefix(path+"."+c.name, "."), v.FieldByIndex(c.index), visit)
	}
}

func walkField(path string, field reflect.Value, visit func(string, Place, bool, any) bool) {
	null, value := field.FieldByName("Null").Bool(), field.FieldByName("Value")
	if !field.FieldByName("Set").Bool() || !visit(path, field.FieldByName("At").Interface().(Place), null, value.Interface()) {
		return
	}
	if _, leaf := value.Interface().(Secret); leaf {
		return
	}
	switch value.Kind() {
	case reflect.Struct:
		walk(path, value, visit)
	case reflect.Slice:
		for i := range value.Len() {
			walkField(fmt.Sprintf("%s[%d]", path, i), value.Index(i), visit)
		}
	case reflect.Map:
		texts := value.Interface().(map[string]Text)
		for _, key := range slices.Sorted(maps.Keys(texts)) {
			walkField(path+"."+key, reflect.ValueOf(texts[key]), visit)
		}
	}
}

// leaf is a value of the model, with its path in the entry that is compared.
type leaf struct {
	path string
	at   Place
	text string
}

// leaves returns the values in the struct of the model to which a pointer points, without groups and lists that have values. Secrets
// count by their text.
func leaves(pointer any) (all []leaf) {
	walk("", reflect.ValueOf(pointer).Elem(), func(path string, at Place, null bool, value any) bool {
		kind := reflect.TypeOf(value).Kind()
		secret, isSecret := value.(Secret)
		switch {
		case null:
			all = append(all, leaf{path, at, "null"})
		case isSecret:
			all = append(all, leaf{path, at, secret.value})
		case kind != reflect.Struct && kind != reflect.Slice && kind != reflect.Map:
			all = append(all, leaf{path, at, fmt.Sprintf("%v", value)})
		}
		return true
	})
	return all
}

// differ returns the first values in which two entries differ. One of them has no place if only the other entry has the value.
func differ(a, b any) (here, there leaf, differs bool) {
	as, bs := leaves(a), leaves(b)
	of := func(all []leaf) map[string]leaf {
		paths := make(map[string]leaf, len(all))
		for _, l := range all {
			paths[l.path] = l
		}
		return paths
	}
	ofA, ofB := of(as), of(bs)
	for _, l := range as {
		if other, known := ofB[l.path]; !known || other.text != l.text {
			return l, leaf{l.path, other.at, other.text}, true
		}
	}
	for _, l := range bs {
		if _, known := ofA[l.path]; !known {
			return leaf{path: l.path}, l, true
		}
	}
	return leaf{}, leaf{}, false
}
