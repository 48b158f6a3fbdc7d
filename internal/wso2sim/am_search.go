package wso2sim

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// indexEntry is an API as the search index has it, which lags behind: lists and searches see nothing else.
type indexEntry struct {
	shown, next *indexDoc // nil where there is none
	due         time.Time // when next is shown
}

type indexDoc struct {
	id, name, version, context, status string
	lower                              string // the name in lower case, by which lists are sorted and searched
	description                        string
	tags, categories                   []string
	info                               object
}

// current is what searches see now.
func (e *indexEntry) current(now time.Time) *indexDoc {
	if !now.Before(e.due) {
		e.shown = e.next
	}
	return e.shown
}

// reindex has the index show an API as it is now, after a while.
func (am *AM) reindex(a *api) { am.schedule(a.id(), newIndexDoc(a)) }

// unindex has the index forget an API, after a while.
func (am *AM) unindex(id string) { am.schedule(id, nil) }

func (am *AM) schedule(id string, doc *indexDoc) {
	now := time.Now()
	e := am.index[id]
	if e == nil {
		e = &indexEntry{}
		am.index[id] = e
	}
	e.current(now)
	am.changed("index", id)
	e.next, e.due = doc, now.Add(am.delays.Index.pick())
}

func newIndexDoc(a *api) *indexDoc {
	d := &a.dto
	vendor, gateway := d.GatewayVendor, d.GatewayType
	if gateway == nil { // an update left it out; the list does not show that
		vendor, gateway = ptr("wso2"), ptr(defaultGatewayType)
	}
	b := d.BusinessInformation
	if b == nil {
		b = &businessInfo{}
	}
	return &indexDoc{
		id: a.id(), lower: strings.ToLower(a.name()), name: a.name(), version: a.version(), context: value(d.Context), status: d.LifeCycleStatus,
		description: value(d.Description), tags: d.Tags, categories: d.Categories,
		info: object{
			"id": d.ID, "name": d.Name, "description": d.Description, "context": d.Context, "version": d.Version,
			"additionalProperties": d.AdditionalProperties, "additionalPropertiesMap": d.AdditionalPropertiesMap,
			"provider": d.Provider, "type": d.Type, "subtype": "DEFAULT", "audience": d.Audience, "audiences": d.Audiences,
			"lifeCycleStatus": d.LifeCycleStatus, "workflowStatus": d.WorkflowStatus, "hasThumbnail": d.HasThumbnail,
			"securityScheme": []any{}, "createdTime": d.CreatedTime, "updatedTime": d.LastUpdatedTimestamp,
			"updatedBy": "wso2.system.user", "gatewayVendor": vendor, "gatewayType": gateway, "advertiseOnly": false,
			"monetizedInfo": false, "businessOwner": b.BusinessOwner, "businessOwnerEmail": b.BusinessOwnerEmail,
			"technicalOwner": b.TechnicalOwner, "technicalOwnerEmail": b.TechnicalOwnerEmail, "egress": d.Egress,
		},
	}
}

// search returns what the index has for a query, sorted by name and version.
func (am *AM) search(query string) []*indexDoc { return am.find(parseQuery(query)) }

// find returns what the index has for terms, sorted by name and version.
func (am *AM) find(fields searchQuery) []*indexDoc {
	now := time.Now()
	var found []*indexDoc
	for id, e := range am.index {
		doc := e.current(now)
		if doc == nil && e.next == nil {
			delete(am.index, id)
		}
		if doc != nil && fields.match(doc) {
			found = append(found, doc)
		}
	}
	slices.SortFunc(found, func(a, b *indexDoc) int {
		return cmp.Or(strings.Compare(a.lower, b.lower), strings.Compare(a.version, b.version))
	})
	return found
}

// searchQuery is what is asked for, by field. Of several values of one field any will do.
type searchQuery map[string][]string

var fieldStart = regexp.MustCompile(`(?:^| )([a-zA-Z-]+):`)

// parseQuery reads "field:value field:value"; what names no field is looked for in the name.
func parseQuery(query string) searchQuery {
	query = strings.TrimSpace(query)
	starts := fieldStart.FindAllStringSubmatchIndex(query, -1)
	if len(starts) == 0 {
		if query == "" {
			return nil
		}
		return searchQuery{"name": {query}}
	}
	terms := searchQuery{}
	for i, at := range starts {
		end := len(query)
		if i+1 < len(starts) {
			end = starts[i+1][0]
		}
		field := strings.ToLower(query[at[2]:at[3]])
		if field == "tag" {
			field = "tags"
		}
		terms[field] = append(terms[field], strings.TrimSpace(query[at[1]:end]))
	}
	return terms
}

func (q searchQuery) match(d *indexDoc) bool {
	for field, values := range q {
		if !slices.ContainsFunc(values, func(v string) bool { return d.has(field, v) }) {
			return false
		}
	}
	return true
}

// has looks for a part of what a field holds, without regard to case; a value in double quotes is exact, and a tag is
// a whole one.
func (d *indexDoc) has(field, wanted string) bool {
	var have string
	switch field {
	case "tags":
		return slices.Contains(d.tags, strings.Trim(wanted, `"`))
	case "name":
		have = d.name
	case "version":
		have = d.version
	case "context":
		have = d.context
	case "status":
		have = d.status
	case "description":
		have = d.description
	case "provider":
		switch owner := d.info["provider"].(type) {
		case *string:
			have = *owner
		case string: // as it was kept
			have = owner
		}
	default:
		return false
	}
	if quoted, ok := strings.CutPrefix(wanted, `"`); ok {
		return have == strings.TrimSuffix(quoted, `"`)
	}
	wanted = strings.ToLower(strings.Trim(wanted, "*"))
	if field == "name" {
		return strings.Contains(d.lower, wanted)
	}
	return strings.Contains(strings.ToLower(have), wanted)
}

func (am *AM) listAPIs(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	found := am.search(query.Get("query"))
	limit, err := strconv.Atoi(cmp.Or(query.Get("limit"), "25"))
	switch {
	case err != nil:
		w.WriteHeader(http.StatusNotFound)
	case strings.TrimSpace(query.Get("query")) == "name:":
		return &fault{status: 500, code: 500, message: "Internal server error", description: "Error while retrieving APIs"}
	case limit <= 0:
		writeJSON(w, http.StatusOK, object{"count": 0, "list": []any{}, "pagination": object{
			"offset": number(query, "offset", 0), "limit": limit, "total": 0, "next": "", "previous": "",
		}})
	default:
		total := len(found)
		if number(query, "offset", 0) >= total {
			total = 0
		}
		writeJSON(w, http.StatusOK, pageOf(found, total, r, func(doc *indexDoc) object { return doc.info }))
	}
	return nil
}

// apiExists looks into the database, and not into the index, for a name or a context.
func (am *AM) apiExists(w http.ResponseWriter, r *http.Request) error {
	field, wanted, _ := strings.Cut(r.URL.Query().Get("query"), ":")
	var found []*api
	switch field {
	case "name":
		found = am.lookup.versions(wanted)
	case "context":
		found = am.lookup.apisByContext[strings.ToLower(wanted)]
	}
	if len(found) == 0 {
		w.WriteHeader(http.StatusNotFound)
		return nil
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

// searchAll is the search of the portals, which shows less of an API than the list does.
func (am *AM) searchAll(w http.ResponseWriter, r *http.Request) error {
	found := am.search(r.URL.Query().Get("query"))
	writeJSON(w, http.StatusOK, pageOf(found, len(found), r, func(doc *indexDoc) object {
		return object{
			"id": doc.id, "name": doc.name, "type": "API", "transportType": doc.info["type"], "description": doc.info["description"],
			"context": doc.context, "contextTemplate": strings.TrimSuffix(doc.context, "/{version}") + "/{version}", "version": doc.version,
			"provider": doc.info["provider"], "status": doc.status, "thumbnailUri": nil, "advertiseOnly": false, "hasThumbnail": false,
			"monetizedInfo": false, "businessOwner": doc.info["businessOwner"], "businessOwnerEmail": doc.info["businessOwnerEmail"],
			"technicalOwner": doc.info["technicalOwner"], "technicalOwnerEmail": doc.info["technicalOwnerEmail"],
		}
	}))
	return nil
}

// page cuts a list as a request asks for it: 25 from the beginning by default.
func page(list []object, r *http.Request) object {
	return pageOf(list, len(list), r, func(o object) object { return o })
}

// subPage is page for a list below something else, whose links have the whole path and no query.
func subPage(list []object, path string, r *http.Request) object {
	shown := page(list, r)
	links := shown["pagination"].(object)
	limit, offset := links["limit"].(int), links["offset"].(int)
	for name, at := range map[string]int{"next": offset + limit, "previous": max(0, offset-limit)} {
		if links[name] != "" {
			links[name] = fmt.Sprintf("%s?limit=%d&offset=%d", path, limit, at)
		}
	}
	return shown
}

// pageOf shows no more than what is on the page.
func pageOf[T any](list []T, total int, r *http.Request, view func(T) object) object {
	query := r.URL.Query()
	limit, offset := number(query, "limit", 25), number(query, "offset", 0)
	at := func(offset int) string {
		return fmt.Sprintf("%s?limit=%d&offset=%d&query=%s", r.URL.Path[strings.LastIndex(r.URL.Path, "/"):], limit, offset, query.Get("query"))
	}
	next, previous := "", ""
	if offset+limit < len(list) {
		next = at(offset + limit)
	}
	if offset > 0 && offset < len(list) {
		previous = at(max(0, offset-limit))
	}
	list = list[min(offset, len(list)):]
	list = list[:min(limit, len(list))]
	views := []object{}
	for _, item := range list {
		views = append(views, view(item))
	}
	return object{"count": len(list), "list": views, "pagination": object{
		"offset": offset, "limit": limit, "total": total, "next": next, "previous": previous,
	}}
}

func number(query url.Values, name string, otherwise int) int {
	n, err := strconv.Atoi(query.Get(name))
	if err != nil || n < 0 {
		return otherwise
	}
	return n
}
