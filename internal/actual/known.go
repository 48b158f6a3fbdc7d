package actual

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/json"
	"maps"
	"slices"

	"wso2agent/internal/plan"
	"wso2agent/internal/wso2"
)

// knownLimit is the most that a [Known] keeps, in bytes. A simple API needs some 1.5 KB. What does not fit is read every time.
const knownLimit = 4 << 20

// Known is what earlier reads know of APIs and endpoint certificates. The zero value knows nothing. Only one goroutine uses it.
type Known struct {
	wanted string // the hash of the desired state of which it knows: what is read depends on it
	memory
}

// memory is what a read knows of objects that a list shows.
type memory struct {
	apis         map[string]knownAPI // by id
	certificates map[string]plan.EndpointCertificate
	size         int           // of all apis, in bytes
	writer       *flate.Writer // during a read: a new one for each API would allocate more than a megabyte
}

// knownAPI is an API as it was when the list showed it like this.
type knownAPI struct {
	name    plan.APIName
	updated string
	packed  []byte // the [plan.API], compressed: the objects of 500 APIs take more memory than an idle agent has
}

// Read is the function [Read], except that an API costs no request if the list shows the same updatedTime as when k last
// read it. An endpoint certificate costs none if the list shows the same alias and endpoint. So it misses changes that do not move
// that time: of documents, deployments and revisions, and of the content of certificates. A failed read changes nothing
// that k knows.
func (k *Known) Read(ctx context.Context, c Clients, want plan.Wanted) (plan.Have, error) {
	if now := want.Hash(); now != k.wanted {
		*k = Known{wanted: now}
	}
	next := memory{apis: map[string]knownAPI{}, certificates: map[string]plan.EndpointCertificate{}}
	have, err := read(ctx, c, want, k.memory, &next)
	if err == nil {
		next.certificates, next.writer = maps.Clone(have.Certificates), nil
		k.memory = next
	}
	return have, err
}

// ReadToMake is [ReadToMake] by the rules of [Known.Read].
func (k *Known) ReadToMake(ctx context.Context, c Clients, want plan.Wanted) (plan.Have, error) {
	c.unlisted = askRecorded
	return k.Read(ctx, c, want)
}

// Forget makes the next read ask for an API and for an endpoint certificate of these names, whatever their lists show.
func (k *Known) Forget(api, alias string) {
	maps.DeleteFunc(k.apis, func(_ string, known knownAPI) bool { return known.name.String() == api })
	delete(k.certificates, alias)
}

// known returns an API that an earlier read knows, if the list still shows it as it was then. An API with documents that the record has
// and the file does not name is read: a read also finds which of them exist.
func (r *reader) known(listed wso2.API) (plan.API, bool) {
	name := plan.APIName{Name: listed.Name, Version: listed.Version}
	k, is := r.before.apis[listed.ID]
	if !is || k.name != name || k.updated != listed.UpdatedTime || len(r.unnamed.of(plan.KindDocument, "API "+name.String())) > 0 {
		return plan.API{}, false
	}
	var api plan.API
	if err := json.NewDecoder(flate.NewReader(bytes.NewReader(k.packed))).Decode(&api); err != nil {
		return plan.API{}, false // cannot happen; a read costs two requests
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next.add(listed.ID, k)
	return api, true
}

// remember keeps an API that was read after the list showed it. The list may be older than the API. Then it shows another time later, and
// the API is read again.
func (r *reader) remember(listed wso2.API, api plan.API) {
	if r.next == nil || listed.UpdatedTime == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var b bytes.Buffer
	if r.next.writer == nil {
		r.next.writer, _ = flate.NewWriter(nil, flate.BestSpeed) // a level that exists
	}
	r.next.writer.Reset(&b)
	if err := json.NewEncoder(r.next.writer).Encode(api); err != nil || r.next.writer.Close() != nil {
		return // cannot happen: the object comes from JSON
	}
	name := plan.APIName{Name: listed.Name, Version: listed.Version}
	r.next.add(listed.ID, knownAPI{name, listed.UpdatedTime, slices.Clip(b.Bytes())})
}

// add adds an API, if there is room.
func (m *memory) add(id string, k knownAPI) {
	if m.size+len(k.packed) <= knownLimit {
		m.size += len(k.packed)
		m.apis[id] = k
	}
}

// knownCertificate returns an endpoint certificate that an earlier read knows, if the list shows it with the same endpoint.
func (r *reader) knownCertificate(c wso2.EndpointCertificate) (plan.EndpointCertificate, bool) {
	known, is := r.before.certificates[c.Alias]
	return known, is && known.Object["endpoint"] == c.Endpoint
}
