package wso2

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
)

// whole makes a request and decodes the answer twice: into the fields that T knows, and as it came, for an update that
// must send back the fields that T does not know.
func whole[T any](ctx context.Context, c caller, r request, raw func(*T) *json.RawMessage) (T, error) {
	var object T
	var text json.RawMessage
	if err := c.call(ctx, r, &text); err != nil {
		return object, err
	}
	if err := json.Unmarshal(text, &object); err != nil {
		return object, c.noDocument(r, err)
	}
	*raw(&object) = text
	return object, nil
}

// page is one page of a list of API-M. Only the list of certificates has another name.
type page[T any] struct {
	List         []T `json:"list"`
	Certificates []T `json:"certificates"`
	Pagination   struct {
		Total int `json:"total"`
	} `json:"pagination"`
}

// maxPages bounds what a list can cost: ten thousand entries.
const maxPages = 100

// maxList is the most that is kept of a list, as JSON. Ten thousand of the largest real entries stay below it.
const maxList = 8 << 20

// pageSize is how many entries are asked for at once; the servers' own default is 25.
const pageSize = 100

// all reads every page of a list. A page that is not full is the last one: "total" is 0 in some answers of the
// DevPortal that do have entries, and "next" is left out by lists that have no pages. A list without an end is an error.
func all[T any](ctx context.Context, c caller, r request) ([]T, error) {
	var list []T
	var before json.RawMessage
	kept := 0
	for range maxPages {
		query := url.Values{"limit": {fmt.Sprint(pageSize)}, "offset": {fmt.Sprint(len(list))}}
		for name, values := range r.query {
			query[name] = values
		}
		one := r
		one.query = query
		var raw page[json.RawMessage]
		if err := c.call(ctx, one, &raw); err != nil {
			return nil, err
		}
		if raw.List == nil {
			raw.List = raw.Certificates
		}
		if raw.List == nil {
			return nil, c.noDocument(r, errNoList)
		}
		if len(raw.List) >= pageSize && bytes.Equal(raw.List[0], before) {
			return nil, c.noDocument(r, errors.New("every page begins with the same entry"))
		}
		for _, text := range raw.List {
			var entry T
			if err := json.Unmarshal(text, &entry); err != nil {
				return nil, c.noDocument(r, err)
			}
			known, err := json.Marshal(entry)
			if err != nil {
				return nil, c.noDocument(r, err)
			}
			if kept += len(known); kept > maxList {
				return nil, c.noDocument(r, fmt.Errorf("the list is larger than %d MiB", maxList>>20))
			}
			list = append(list, entry)
		}
		if len(raw.List) < pageSize {
			return list, nil
		}
		before = raw.List[0]
	}
	return nil, c.noDocument(r, fmt.Errorf("the list has more than %d entries", maxPages*pageSize))
}

// errNoList: a document that should hold a list holds none, not even an empty one.
var errNoList = errors.New("it has no list")
