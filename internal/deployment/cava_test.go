package deployment

import (
	"encoding/base64"
	"fmt"
	"math"
	"slices"
	"strings"
)

// forms returns the document's values in the form of testenv.ReadTOML.
func forms(d *Document) map[string]string {
	out := map[string]string{}
	d.root.forms(nil, out)
	return out
}

func (t *table) forms(path []string, into map[string]string) {
	for key, e := range t.entries {
		at := append(path[:len(path):len(path)], key)
		switch {
		case e.table != nil:
			e.table.forms(at, into)
		case e.array != nil:
			var items []string
			for _, element := range e.array.elements {
				items = append(items, element.form())
			}
			into[Path(at...)] = "[" + strings.Join(append(items, ""), " ") + "]"
		default:
			into[Path(at...)] = form(e.value.Data)
		}
	}
}

func (t *table) form() string {
	fields := map[string]string{}
	t.forms(nil, fields)
	var items []string
	for path, value := range fields {
		items = append(items, path+"="+value)
	}
	slices.Sort(items)
	return "{" + strings.Join(append(items, ""), " ") + "}"
}

func form(data any) string {
	switch v := data.(type) {
	case string:
		return "s:" + base64.StdEncoding.EncodeToString([]byte(v))
	case int64:
		return fmt.Sprint("i:", v)
	case float64:
		if math.IsNaN(v) {
			return "f:7ff8000000000000"
		}
		return fmt.Sprintf("f:%x", math.Float64bits(v))
	case bool:
		return fmt.Sprint("b:", v)
	case []any:
		var items []string
		for _, item := range v {
			items = append(items, form(item))
		}
		return "[" + strings.Join(append(items, ""), " ") + "]"
	case map[string]any:
		var items []string
		for path, value := range flat(nil, v) {
			items = append(items, path+"="+value)
		}
		slices.Sort(items)
		return "{" + strings.Join(append(items, ""), " ") + "}"
	}
	return "d"
}

func flat(path []string, v map[string]any) map[string]string {
	out := map[string]string{}
	for key, item := range v {
		at := append(path[:len(path):len(path)], key)
		if inner, ok := item.(map[string]any); ok {
			for p, f := range flat(at, inner) {
				out[p] = f
			}
			continue
		}
		out[Path(at...)] = form(item)
	}
	return out
}
