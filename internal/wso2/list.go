package wso2

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"

	"golang.org/x/sync/errgroup"
)

// whole makes a request and decodes the answer twice: into the fields that T knows, and as it came, for an update that
// must send back the fields that T does not know.
func whole[T any](ctx context.Context, c caller, r request, raw func(*T) *json.RawMessage) (T, error) {
	var object T
	text, err := c.document(ctx, r, &object)
	if err == nil {
		*raw(&object) = text
	}
	return object, err
}

// document makes a request, decodes the answer, and returns it also as it came.
func (c caller) document(ctx context.Context, r request, into any) (json.RawMessage, error) {
	a, err := c.send(ctx, r, func(body []byte) error { return decode(body, into) })
	return a.body, err
}

// page is one page of a list of API-M. Only the list of certificates has another name.
type page[T any] struct {
	List         []T `json:"list"`
	Certificates []T `json:"certificates"`
	Pagination   struct {
		Total int `json:"total"`
	} `json:"pagination"`
}

func (p *page[T]) check() error {
	if p.List == nil && p.Certificates == nil {
		return errNoList
	}
	return nil
}

// maxPages bounds what a list can cost: ten thousand entries.
const maxPages = 100

// maxList is the most that is kept of a list, as JSON. Ten thousand of the largest real entries stay below it.
const maxList = 8 << 20

// pageSize is how many entries are asked for at once; the servers' own default is 25.
const pageSize = 100

// pagesAtOnce is how many pages of a list are asked for at the same time.
const pagesAtOnce = 8

// all reads a list.
func all[T any](ctx context.Context, c caller, r request) (list []T, err error) {
	err = readPages(ctx, pages{caller: c, request: r, add: func(text json.RawMessage) (any, error) {
		var entry T
		if err := json.Unmarshal(text, &entry); err != nil {
			return nil, err
		}
		list = append(list, entry)
		return entry, nil
	}})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// readPages reads every page of a list. It is not generic: a copy for each type of entry would make the program larger. A page that is
// not full is the last one: "total" is 0 in some answers of the DevPortal that do have entries, and "next" is left out by lists that
// have no pages. If the first page says how many entries there are, the others are read some at a time. A list without an end is an error.
func readPages(ctx context.Context, read pages) error {
	ahead := 1
	for next := 0; next < maxPages; {
		batch := make([]page[json.RawMessage], min(ahead, maxPages-next))
		group, ctx := errgroup.WithContext(ctx)
		for i := range batch {
			offset := read.count + i*pageSize
			group.Go(func() (err error) {
				batch[i], err = read.page(ctx, offset)
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return err
		}
		for _, one := range batch {
			if last, err := read.take(one); err != nil || last {
				return err
			}
		}
		next += len(batch)
		ahead = max(1, min(pagesAtOnce, batch[0].Pagination.Total/pageSize+1-next))
	}
	return read.noDocument(read.request, fmt.Errorf("the list has more than %d entries", maxPages*pageSize))
}

// pages puts the pages of a list together.
type pages struct {
	caller
	request
	add    func(entry json.RawMessage) (kept any, err error) // kept is what the list has of the entry
	count  int                                               // entries
	kept   int                                               // bytes of JSON
	before json.RawMessage                                   // the first entry of the last page
}

// page reads the page that begins with an entry.
func (p *pages) page(ctx context.Context, offset int) (raw page[json.RawMessage], err error) {
	one := p.request
	one.query = url.Values{"limit": {fmt.Sprint(pageSize)}, "offset": {fmt.Sprint(offset)}}
	maps.Copy(one.query, p.query)
	if err := p.call(ctx, one, &raw); err != nil {
		return raw, err
	}
	if raw.List == nil {
		raw.List = raw.Certificates
	}
	return raw, nil
}

// take adds the entries of the next page, and reports whether it is the last one.
func (p *pages) take(raw page[json.RawMessage]) (last bool, err error) {
	if len(raw.List) >= pageSize && bytes.Equal(raw.List[0], p.before) {
		return false, p.noDocument(p.request, errors.New("every page begins with the same entry"))
	}
	for _, text := range raw.List {
		entry, err := p.add(text)
		if err != nil {
			return false, p.noDocument(p.request, err)
		}
		known, err := json.Marshal(entry)
		if err != nil {
			return false, p.noDocument(p.request, err)
		}
		if p.kept += len(known); p.kept > maxList {
			return false, p.noDocument(p.request, fmt.Errorf("the list is larger than %d MiB", maxList>>20))
		}
		p.count++
	}
	if len(raw.List) < pageSize {
		return true, nil
	}
	p.before = raw.List[0]
	return false, nil
}

// errNoList: a document that should hold a list holds none, not even an empty one.
var errNoList = errors.New("it has no list")
