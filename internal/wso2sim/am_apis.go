package wso2sim

import (
	"net/http"
	"strconv"
	"time"
)

const publisherPath = "/api/am/publisher/v4"

// api is an API with its revisions.
type api struct {
	dto        apiDTO
	created    time.Time
	revisions  []*revision
	history    []lifecycleStep
	documents  []*document
	definition string      // as it was imported or written last; empty if never
	made       int         // revisions ever made: their numbers are never used again
	deployed   *deployment // what the gateway has or is about to get; nil if nothing
	leaving    *deployment // what the gateway still has until deployed arrives
}

func (a *api) id() string      { return a.dto.ID }
func (a *api) name() string    { return value(a.dto.Name) }
func (a *api) version() string { return value(a.dto.Version) }

func (am *AM) apiRoutes(mux *http.ServeMux) {
	apis := publisherPath + "/apis"
	mux.HandleFunc("GET "+apis, am.locked(scopesAPIView, am.listAPIs))
	mux.HandleFunc("POST "+apis, am.unlocked(scopesAPICreate, am.createAPI))
	mux.HandleFunc("GET "+apis+"/{id}", am.locked(scopesAPIView, am.showAPI))
	mux.HandleFunc("HEAD "+apis+"/{id}", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
	mux.HandleFunc("PUT "+apis+"/{id}", am.unlocked(scopesAPIWrite, am.updateAPI))
	mux.HandleFunc("DELETE "+apis+"/{id}", am.unlocked(scopesAPIDelete, am.deleteAPI))
	mux.HandleFunc("POST "+apis+"/validate", am.locked(scopesAPICreate, am.apiExists))
	mux.HandleFunc("GET "+publisherPath+"/search", am.locked(scopesAPIView, am.searchAll))
	mux.HandleFunc("GET "+apis+"/{id}/swagger", am.locked(scopesAPIView, am.withAPI(am.showDefinition)))
	mux.HandleFunc("PUT "+apis+"/{id}/swagger", am.locked(scopesAPIWrite, am.withAPI(am.updateDefinition)))
	mux.HandleFunc("POST "+apis+"/validate-openapi", am.unlocked(scopesAPICreate, am.validateOpenAPI))
	mux.HandleFunc("POST "+apis+"/import-openapi", am.unlocked(scopesAPICreate, am.importOpenAPI))
	mux.HandleFunc("POST "+apis+"/import", am.unlocked(scopesImport, am.importArchive))
	mux.HandleFunc("POST "+apis+"/copy-api", am.locked(scopesAPICreate, am.copyAPI))
	am.lifecycleRoutes(mux)
	am.tierRoutes(mux)
	mux.HandleFunc("GET "+publisherPath+"/subscriptions", am.locked(scopesSubView, am.publisherSubscriptions))
}

// withAPI finds the API of the path.
func (am *AM) withAPI(op func(http.ResponseWriter, *http.Request, *api) error) operation {
	return func(w http.ResponseWriter, r *http.Request) error {
		a := am.apis[r.PathValue("id")]
		if a == nil {
			return notFound("API", r.PathValue("id"))
		}
		return op(w, r, a)
	}
}

// gatewayTypes are those whose vendor is WSO2 unless the request names another.
var gatewayTypes = []string{defaultGatewayType, "wso2/apk", "AWS"}

const externalGateway = "external"

// apiWithID finds an API by its id, or by that of a revision.
func (am *AM) apiWithID(id string) (*api, *revision) {
	if a := am.apis[id]; a != nil {
		return a, nil
	}
	for _, a := range am.apis {
		if rev := a.revision(id); rev != nil {
			return a, rev
		}
	}
	return nil, nil
}

// showAPI shows an API, or one as it was when a revision was made.
func (am *AM) showAPI(w http.ResponseWriter, r *http.Request) error {
	a, rev := am.apiWithID(r.PathValue("id"))
	if a == nil {
		return notFound("API", r.PathValue("id"))
	}
	dto := a.dto
	if rev != nil {
		dto = rev.dto
		dto.ID, dto.IsRevision, dto.RevisionedAPIID, dto.RevisionID = rev.id, true, ptr(a.id()), rev.number
	}
	writeJSON(w, http.StatusOK, am.viewOf(dto))
	return nil
}

// viewOf is an API as it is shown: without secrets and lost tiers, and with shared scopes as they are now.
func (am *AM) viewOf(dto apiDTO) apiDTO {
	dto = am.existing(dto)
	dto.EndpointConfig = withoutSecrets(dto.EndpointConfig)
	dto.Scopes = am.shownScopes(dto.Scopes)
	return dto
}

// freshViewOf is an API in the answer to what has made it, or made it another.
func (am *AM) freshViewOf(dto apiDTO) apiDTO {
	view := am.viewOf(dto)
	view.VisibleOrganizations = []string{"carbon.super"}
	return view
}

func millis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

func (a *api) touch(now time.Time) {
	a.dto.LastUpdatedTimestamp = ptr(millis(now))
	a.dto.LastUpdatedTime = ptr(now.UTC().Format("2006-01-02 15:04:05.000"))
}

// connected are the configurations of the external key managers that are loaded. The lock is held.
func (am *AM) connected() []keyManagerDTO {
	var out []keyManagerDTO
	for _, k := range am.keyManagers {
		if k.kind == typeIS7 && k.enabled() && k.loaded(time.Now()) {
			out = append(out, k.dto)
		}
	}
	return out
}

func (am *AM) deleteAPI(w http.ResponseWriter, r *http.Request) error {
	am.mu.Lock()
	a := am.apis[r.PathValue("id")]
	if a == nil {
		am.mu.Unlock()
		return errInternal // as the product answers it
	}
	if len(am.lookup.ofAPI[a]) > 0 {
		am.mu.Unlock()
		return &fault{status: 409, code: 409, message: "Conflict",
			description: "Cannot remove the API " + a.id() + " as active subscriptions exist"}
	}
	managers, change := am.connected(), am.scopesOfUpdate(a, nil)
	delete(am.apis, a.id())
	am.lookup.removeAPI(a)
	am.changed("api", a.id())
	am.unindex(a.id())
	am.mu.Unlock()
	if !change.empty() {
		_ = am.tellScopes(r.Context(), managers, change) // the API is gone, whatever becomes of its scopes
	}
	w.WriteHeader(http.StatusOK)
	return nil
}
