package actual

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"

	"wso2agent/internal/desired"
	"wso2agent/internal/file"
	"wso2agent/internal/plan"
	"wso2agent/internal/sorting"
	"wso2agent/internal/wso2"
)

// wholeEvery is the number of reads of which one reads everything.
const wholeEvery = 10

// Known is what earlier reads know of APIs and endpoint certificates. The zero value knows nothing. Only one goroutine uses it.
type Known struct {
	reads int // since the last one that read everything
	memory
}

// memory is what a read knows of objects that a list shows.
type memory struct {
	apis         map[plan.APIName]knownAPI
	certificates map[string]plan.EndpointCertificate // by alias
}

// knownAPI is an API that had all that the file says of it, when the list showed it like this.
type knownAPI struct {
	Updated string // the updatedTime of the list
	Desired string // [plan.Wanted.APIHash] of what the file said
	plan.Agreed
}

// Read is the function [Read], except that it keeps less of an API that has all that the file says of it: that is in Agreed. Such an
// API costs no request if the list shows the same updatedTime as before, and the file says the same. An endpoint certificate that was as
// the file says costs none if the list shows the same alias and endpoint. So it misses changes that do not move that time: of documents,
// deployments and revisions, and of the content of certificates. Every tenth read reads everything. It keeps all of an API whose
// definition is still to be restored. A failed read changes nothing that k knows.
func (k *Known) Read(ctx context.Context, c Clients, want plan.Wanted) (plan.Have, error) {
	before := k.memory
	if k.reads%wholeEvery == 0 {
		before = memory{}
	}
	next := memory{apis: map[plan.APIName]knownAPI{}}
	have, err := read(ctx, c, want, before, &next)
	if err == nil {
		next.certificates = maps.Clone(have.Certificates)
		k.memory = next
		k.reads++
	}
	return have, err
}

// ReadToMake is Read for a caller that makes what is missing. Of the APIs that the list of API-M lacks, it only asks about those that the
// agent has made: API-M refuses to make another one of the others.
func (k *Known) ReadToMake(ctx context.Context, c Clients, want plan.Wanted) (plan.Have, error) {
	c.unlisted = askRecorded
	return k.Read(ctx, c, want)
}

// Whole reports whether the last read has read everything.
func (k *Known) Whole() bool { return k.reads%wholeEvery == 1 }

// Forget forgets what changes are about to change. A change of one version of an API may change the others.
func (k *Known) Forget(changes []plan.Change) {
	for _, c := range changes {
		switch c.Kind {
		case plan.KindAPI:
			maps.DeleteFunc(k.apis, func(name plan.APIName, _ knownAPI) bool { return strings.HasPrefix(c.Name, name.Name+" ") })
		case plan.KindDocument:
			maps.DeleteFunc(k.apis, func(name plan.APIName, _ knownAPI) bool { return c.Of == "API "+name.String() })
		case plan.KindCertificate:
			delete(k.certificates, c.Name)
		}
	}
}

// known returns what is kept of an API, if the list shows it as it was then, and the file says the same. An API with documents that the
// record has and the file does not name is read: a read also finds which of them exist.
func (r *reader) known(item desired.Field[desired.API], listed wso2.API) (plan.Agreed, bool) {
	name := plan.APIName{Name: listed.Name, Version: listed.Version}
	k, is := r.before.apis[name]
	if !is || k.ID != listed.ID || k.Updated != listed.UpdatedTime || r.unrestored(name) ||
		len(r.unnamed.of(plan.KindDocument, "API "+name.String())) > 0 ||
		k.Desired != r.want.APIHash(item) || !plan.SecretsSent(r.want, item.Value, k.ID) {
		return plan.Agreed{}, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next.apis[name] = k
	return k.Agreed, true
}

// unrestored reports whether the definition of an API is still to be restored.
func (r *reader) unrestored(name plan.APIName) bool {
	_, is := r.want.Unrestored[name.String()]
	return is
}

// agreed returns what is kept of an API that was read after the list showed it, if it has all that the file says. The list may be older
// than the API. Then it shows another time later, and the API is read again.
func (r *reader) agreed(item desired.Field[desired.API], listed wso2.API, api plan.API) (plan.Agreed, bool) {
	name := plan.APIName{Name: listed.Name, Version: listed.Version}
	if r.next == nil || r.unrestored(name) {
		return plan.Agreed{}, false
	}
	kept, ok := plan.AgreedOf(r.want, item, api)
	if ok && listed.UpdatedTime != "" {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.next.apis[name] = knownAPI{listed.UpdatedTime, r.want.APIHash(item), kept}
	}
	return kept, ok
}

// knownCertificate returns an endpoint certificate that an earlier read knows, if it was the wanted one, and the list shows it with the
// same endpoint. One that differed is read: the agent may have replaced it since, which no list shows.
func (r *reader) knownCertificate(c wso2.EndpointCertificate, wanted string) (plan.EndpointCertificate, bool) {
	known, is := r.before.certificates[c.Alias]
	return known, is && known.Object["endpoint"] == c.Endpoint && known.Fingerprint == wanted
}

const (
	// knownForm is the version of the form of the file. A change of the rules by which package plan compares an API needs another one.
	knownForm = 2
	// knownLimit is the largest size of the file, in bytes. An API with ten operations needs some 700.
	knownLimit = 8 << 20
)

// stored is the form of the file.
type stored struct {
	Version      int                 `json:"version"`
	Server       string              `json:"server"` // the address of API-M
	Reads        int                 `json:"reads"`
	APIs         []storedAPI         `json:"apis"`
	Certificates []storedCertificate `json:"certificates"`
}

type storedAPI struct {
	plan.APIName
	knownAPI
}

type storedCertificate struct{ Alias, Endpoint, Fingerprint string }

// LoadKnown returns what [Known.Save] has kept for a server. A file that is missing, damaged, of another server or of another form counts
// as nothing.
func LoadKnown(path, server string) *Known {
	s, found, err := file.LoadJSON[stored](path, knownLimit)
	if err != nil || !found || s.Version != knownForm || s.Server != server || s.Reads < 0 {
		return &Known{}
	}
	k := &Known{s.Reads, memory{map[plan.APIName]knownAPI{}, map[string]plan.EndpointCertificate{}}}
	for _, api := range s.APIs {
		k.apis[api.APIName] = api.knownAPI
	}
	for _, c := range s.Certificates {
		k.certificates[c.Alias] = plan.EndpointCertificate{Object: plan.Object{"alias": c.Alias, "endpoint": c.Endpoint}, Fingerprint: c.Fingerprint}
	}
	return k
}

// Save replaces the file at path with what k knows of a server, with mode 0600. The file has no secret. It may have 8 MiB. If Save returns
// an error, it has removed the file if it could: each later run would count its reads from the same one, and none would be the tenth.
func (k *Known) Save(path, server string) error {
	s := stored{Version: knownForm, Server: server, Reads: k.reads, APIs: []storedAPI{}, Certificates: []storedCertificate{}}
	for name, api := range k.apis {
		s.APIs = append(s.APIs, storedAPI{name, api})
	}
	sorting.By(s.APIs, func(a, b storedAPI) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version))
	})
	for alias, c := range k.certificates {
		endpoint, _ := c.Object["endpoint"].(string)
		s.Certificates = append(s.Certificates, storedCertificate{alias, endpoint, c.Fingerprint})
	}
	sorting.By(s.Certificates, func(a, b storedCertificate) int { return cmp.Compare(a.Alias, b.Alias) })
	data, err := json.Marshal(s) // not indented: it is large, and nobody reads it
	if err == nil && len(data) > knownLimit {
		err = fmt.Errorf("it has %d bytes, and may have %d", len(data), knownLimit)
	}
	if err == nil {
		_, err = file.Write(path, data, 0o600, filepath.Dir(path))
	}
	if err != nil {
		_, removed := file.Remove(path)
		return fmt.Errorf("write what is known of unchanged APIs, %s: %w", path, errors.Join(err, removed))
	}
	return nil
}
