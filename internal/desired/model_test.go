package desired

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// eachType calls f for every struct of the model, the document first.
func eachType(f func(t reflect.Type)) {
	var seen []reflect.Type
	var visit func(t reflect.Type)
	visit = func(t reflect.Type) {
		if slices.Contains(seen, t) {
			return
		}
		seen = append(seen, t)
		f(t)
		for _, c := range columns(t) {
			inner := c.kind
			if inner.Kind() == reflect.Slice {
				field, _ := inner.Elem().FieldByName("Value")
				inner = field.Type
			}
			if inner.Kind() == reflect.Struct && inner != reflect.TypeFor[Secret]() && inner != reflect.TypeFor[struct{}]() {
				visit(inner)
			}
		}
	}
	visit(reflect.TypeFor[document]())
}

func TestTheTagsOfTheModelAreWhole(t *testing.T) {
	known := forms()
	fields := 0
	eachType(func(typ reflect.Type) {
		names := map[string]bool{}
		for _, c := range columns(typ) {
			fields++
			where := typ.Name() + "." + c.name
			for _, name := range append([]string{c.name}, c.aliases...) {
				if names[name] {
					t.Errorf("%s: %s has two fields of this name", where, name)
				}
				names[name] = true
			}
			if !strings.HasSuffix(c.doc, ".") || c.doc[:1] != strings.ToUpper(c.doc[:1]) {
				t.Errorf("%s: %q is no sentence", where, c.doc)
			}
			if _, ok := known[c.form]; !ok {
				t.Errorf("%s: there is no form %q", where, c.form)
			}
			if list := c.kind.Kind() == reflect.Slice || c.kind.Kind() == reflect.Map; list != (c.item != "") {
				t.Errorf("%s: item is %q", where, c.item)
			}
			if c.kind == reflect.TypeFor[int]() && c.max == 0 && c.min == 0 {
				t.Errorf("%s: a number without bounds", where)
			}
			if c.kind == reflect.TypeFor[string]() && c.form == "" && c.values == nil {
				t.Errorf("%s: a text without a form and without values", where)
			}
		}
	})
	if fields < 150 {
		t.Errorf("the model has only %d fields", fields)
	}
}
