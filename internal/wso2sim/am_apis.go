package wso2sim

import (
	"context"
	"net/http"
	"regexp"
	"strconv"
	"strings"
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

// namePattern and versionPattern are those of the API's schema.
var (
	namePattern    = regexp.MustCompile(`(^[^~!@#;:%^*()+={}|\\<>"',&$\[\]/]*$)`)
	versionPattern = regexp.MustCompile(`^[^~!@#;:%^*()+={}|\\<>"',&/$\[\]\s]+$`)
	contextPattern = regexp.MustCompile(`^[a-zA-Z0-9_${}/.;()-]+$`)
	spaces         = regexp.MustCompile(` +`)
)

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

// checkSchema is bean validation, before anything looks at the values.
func (dto *apiDTO) checkSchema() error {
	for _, field := range []struct {
		name  string
		value *string
	}{{"name", dto.Name}, {"context", dto.Context}, {"version", dto.Version}} {
		if field.value == nil {
			return invalid(field.name, "must not be null")
		}
	}
	switch {
	case *dto.Name == "":
		return invalid("name", "size must be between 1 and 2147483647")
	case !namePattern.MatchString(*dto.Name):
		return invalid("name", `must match "`+namePattern.String()+`"`)
	case *dto.Context == "" || len(*dto.Context) > 232:
		return invalid("context", "size must be between 1 and 232")
	case !versionPattern.MatchString(*dto.Version):
		return invalid("version", `must match "`+versionPattern.String()+`"`)
	case len(value(dto.Description)) > maxDescription:
		return invalid("description", "size must be between 0 and 32766")
	}
	return nil
}

// checkNew is what only a new API has to pass: its name, version and context, in its own right and beside the others.
func (am *AM) checkNew(dto *apiDTO) error {
	dto.Name = ptr(spaces.ReplaceAllString(strings.TrimSpace(*dto.Name), " "))
	if err := checkContext(dto); err != nil {
		return err
	}
	if len(*dto.Name) > 60 || len(*dto.Version) > 30 {
		return errNameLength
	}
	for _, other := range am.lookup.beside(dto) {
		if err := dto.clash(other); err != nil {
			return err
		}
	}
	return nil
}

func checkContext(dto *apiDTO) error {
	malformed := func(why string) error {
		return &fault{status: 400, code: 900253, message: "The API context is malformed.",
			description: "'The API context is malformed. For API " + *dto.Name + ", context " + *dto.Context + " " + why + "'"}
	}
	switch c := *dto.Context; {
	case strings.HasSuffix(c, "/"):
		return malformed("cannot end with /")
	case !contextPattern.MatchString(c):
		return malformed("contains invalid characters")
	}
	if !strings.HasPrefix(*dto.Context, "/") {
		dto.Context = ptr("/" + *dto.Context)
	}
	return nil
}

// clash says whether another API is in the way of a new one.
func (dto *apiDTO) clash(other *api) error {
	exists := func(status, code int, message, description string) error {
		return &fault{status: status, code: code, message: message, description: description}
	}
	sameName, sameContext := other.name() == *dto.Name, strings.EqualFold(value(other.dto.Context), *dto.Context)
	switch {
	case sameName && other.version() == *dto.Version:
		return exists(409, 900300, "The API already exists.", "The API already exists")
	case sameName && !sameContext:
		return exists(400, 900977, "Block Condition Error", "API Context does not exist")
	case !sameName && strings.EqualFold(other.name(), *dto.Name):
		return exists(409, 900250, "The API name already exists.", "An API with name '"+*dto.Name+"' already exists")
	case !sameName && sameContext:
		return exists(409, 900251, "The API context already exists.", "An API with context '"+*dto.Context+"' already exists")
	}
	return nil
}

// checkMapping fails where the product's mapping takes a value for granted that is null (carbon-apimgt,
// APIMappingUtil.fromDTOtoAPI), as one that its enumeration does not have is.
func (dto *apiDTO) checkMapping() error {
	if dto.EndpointImplementationType == nil || dto.Type == nil || dto.AdvertiseInfo != nil && dto.AdvertiseInfo.Vendor == nil {
		return errInternal
	}
	return nil
}

// checkKeyManagers accepts a list of names of key managers that are loaded.
func (am *AM) checkKeyManagers(dto *apiDTO) error {
	if _, ok := dto.KeyManagers.([]any); !ok && dto.KeyManagers != nil {
		return &fault{status: 400, code: 903203, message: "KeyManagers value needs to be an array",
			description: "Value of the KeyManagers config should be an array"}
	}
	for _, name := range dto.keyManagers() {
		if k := am.keyManagerByName(name); name != allKeyManagers && (k == nil || !k.loaded(time.Now())) {
			return errKMUnknown
		}
	}
	return nil
}

func (am *AM) createAPI(w http.ResponseWriter, r *http.Request) error {
	dto := newAPIDTO()
	if err := readJSON(r, &dto); err != nil {
		return err
	}
	if err := dto.checkSchema(); err != nil {
		return err
	}
	switch {
	case dto.Policies == nil:
		return errInternal // null, which is not the same as none
	case dto.Provider != nil && *dto.Provider != am.admin:
		return &fault{status: 400, code: 900700, message: "Parameter value missing",
			description: "Some of the mandatory parameter values were missing"}
	}
	sent := dto
	a, err := am.addAPI(r.Context(), dto)
	if err != nil {
		return err
	}
	am.wrote(w, a, &sent)
	return nil
}

// wrote answers 201 with an API that was sent.
func (am *AM) wrote(w http.ResponseWriter, a *api, sent *apiDTO) {
	am.mu.Lock()
	defer am.mu.Unlock()
	w.Header().Set("Location", am.url(am.port)+"/api/am/publisher/apis/"+a.id())
	// The answer to a creation is not yet what reading the API gives: lists that are empty have an empty string in them.
	view := am.freshViewOf(a.dto)
	view.Tags = javaSet(sent.Tags)
	if value(view.GatewayVendor) == externalGateway {
		view.GatewayVendor = ptr(strings.ToLower(value(view.GatewayType)))
	}
	view.VisibleRoles, view.SubscriptionAvailableTenants = orBlank(view.VisibleRoles), orBlank(view.SubscriptionAvailableTenants)
	view.AsyncTransportProtocols = orBlank(view.AsyncTransportProtocols)
	view.LastUpdatedTime, view.LastUpdatedTimestamp = nil, nil
	writeJSON(w, http.StatusCreated, view)
}

func orBlank(list []string) []string {
	if len(list) == 0 {
		return []string{""}
	}
	return list
}

// addAPI checks and stores a new API. It takes the lock itself, and calls the key managers without it.
func (am *AM) addAPI(ctx context.Context, dto apiDTO) (*api, error) {
	am.mu.Lock()
	if err := am.checkBeside(&dto); err != nil {
		am.mu.Unlock()
		return nil, err
	}
	managers, change := am.connected(), am.scopesOfNew(dto.Scopes)
	am.mu.Unlock()
	if len(dto.Scopes) > 0 {
		if err := am.tellScopes(ctx, managers, change); err != nil {
			return nil, err
		}
	}
	am.mu.Lock()
	defer am.mu.Unlock()
	if err := am.checkNew(&dto); err != nil { // another request may have come first
		return nil, err
	}
	return am.store(dto), nil
}

func (am *AM) checkBeside(dto *apiDTO) error {
	if err := am.checkKeyManagers(dto); err != nil {
		return err
	}
	if err := am.checkNew(dto); err != nil {
		return err
	}
	if err := am.check(dto); err != nil {
		return err
	}
	if err := dto.resolvePolicies(map[string]string{}); err != nil {
		return err
	}
	return am.checkReferences(dto)
}

// store gives a new API its id and times.
func (am *AM) store(dto apiDTO) *api {
	if len(dto.Operations) == 0 {
		dto.Operations = dto.defaultOperations()
	}
	dto.EndpointConfig = madeEndpoints(dto.EndpointConfig)
	dto.normalize()
	am.settleScopes(&dto)
	a := &api{dto: dto, created: time.Now()}
	a.history = []lifecycleStep{{"CREATED", a.created}}
	a.dto.ID, a.dto.Provider, a.dto.LifeCycleStatus = newUUID(), ptr(am.admin), "CREATED"
	a.dto.AdvertiseInfo.APIOwner = ptr(am.admin)
	a.dto.CreatedTime = ptr(millis(a.created))
	a.touch(a.created)
	am.apis[a.id()] = a
	am.lookup.addAPI(a)
	am.changed("api", a.id())
	am.reindex(a)
	return a
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

// updateAPI replaces what may change: name, version, context, provider, state and type of the body are not looked at,
// and what is absent is emptied.
func (am *AM) updateAPI(w http.ResponseWriter, r *http.Request) error {
	dto := updatedAPIDTO()
	if err := readJSON(r, &dto); err != nil {
		return err
	}
	am.mu.Lock()
	a, rev := am.apiWithID(r.PathValue("id"))
	managers, change := am.connected(), scopeChange{}
	var err error
	switch {
	case a == nil:
		err = notFound("API", r.PathValue("id"))
	case rev != nil:
		err = errGeneral // a revision does not change
	default:
		err = am.checkUpdate(a, &dto)
		change = am.scopesOfUpdate(a, dto.Scopes)
	}
	am.mu.Unlock()
	if err != nil {
		return err
	}
	if err := am.tellScopes(r.Context(), managers, change); err != nil {
		return err
	}
	am.mu.Lock()
	defer am.mu.Unlock()
	if err := am.replace(a, dto); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, am.viewOf(a.dto))
	return nil
}

// checkUpdate gives an update the names that it cannot change, and checks the rest. The lock is held.
func (am *AM) checkUpdate(a *api, dto *apiDTO) error {
	if err := dto.checkSchema(); err != nil {
		return err
	}
	dto.Type, dto.Name, dto.Version = a.dto.Type, a.dto.Name, a.dto.Version
	if len(dto.Operations) == 0 {
		return errNoOperations
	}
	if err := am.check(dto); err != nil {
		return err
	}
	if err := dto.resolvePolicies(a.dto.policyCopies()); err != nil {
		return err
	}
	return am.checkReferences(dto)
}

var errNoOperations = &fault{status: 404, code: 900763, message: "No resources found", description: "API must have at least one resource defined"}

func (am *AM) replace(a *api, dto apiDTO) error {
	if _, ok := dto.KeyManagers.([]any); !ok {
		dto.KeyManagers = nil
	}
	if err := am.checkKeyManagers(&dto); err != nil {
		return err
	}
	was := a.dto
	dto.ID, dto.Name, dto.Version, dto.Context, dto.Provider = was.ID, was.Name, was.Version, was.Context, was.Provider
	dto.LifeCycleStatus, dto.Type, dto.CreatedTime = was.LifeCycleStatus, was.Type, was.CreatedTime
	if len(dto.Policies) == 0 {
		dto.Policies = []string{subscriptionless}
	}
	dto.EndpointConfig = updatedEndpoints(was.EndpointConfig, dto.EndpointConfig)
	dto.normalize()
	am.settleScopes(&dto)
	a.dto = dto
	a.touch(time.Now())
	am.changed("api", a.id())
	am.reindex(a)
	return nil
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
