package wso2sim

import (
	"context"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const publisherPath = "/api/am/publisher/v4"

// api is an API with its revisions.
type api struct {
	dto       apiDTO
	created   time.Time
	revisions []*revision
	made      int         // revisions ever made: their numbers are never used again
	deployed  *deployment // what the gateway has or is about to get; nil if nothing
	leaving   *deployment // what the gateway still has until deployed arrives
}

func (a *api) id() string      { return a.dto.ID }
func (a *api) name() string    { return value(a.dto.Name) }
func (a *api) version() string { return value(a.dto.Version) }

func (am *AM) apiRoutes(mux *http.ServeMux) {
	apis := publisherPath + "/apis"
	mux.HandleFunc("GET "+apis, am.locked(scopesAPIView, am.listAPIs))
	mux.HandleFunc("POST "+apis, am.unlocked(scopesAPICreate, am.createAPI))
	mux.HandleFunc("GET "+apis+"/{id}", am.locked(scopesAPIView, am.withAPI(func(w http.ResponseWriter, _ *http.Request, a *api) error {
		writeJSON(w, http.StatusOK, am.existing(a.dto))
		return nil
	})))
	mux.HandleFunc("PUT "+apis+"/{id}", am.unlocked(scopesAPIWrite, am.updateAPI))
	mux.HandleFunc("DELETE "+apis+"/{id}", am.unlocked(scopesAPIDelete, am.deleteAPI))
	mux.HandleFunc("GET "+apis+"/{id}/swagger", am.locked(scopesAPIView, am.withAPI(showDefinition)))
	mux.HandleFunc("POST "+apis+"/import-openapi", am.unlocked(scopesAPICreate, am.importOpenAPI))
	mux.HandleFunc("POST "+apis+"/import", am.unlocked(scopesImport, am.importArchive))
	mux.HandleFunc("POST "+apis+"/copy-api", am.locked(scopesAPICreate, am.copyAPI))
	mux.HandleFunc("POST "+apis+"/change-lifecycle", am.locked(scopesLifecycle, am.changeLifecycle))
	mux.HandleFunc("GET "+apis+"/{id}/lifecycle-state", am.locked(scopesRevisionView, am.withAPI(func(w http.ResponseWriter, _ *http.Request, a *api) error {
		writeJSON(w, http.StatusOK, lifecycleView(a))
		return nil
	})))
	mux.HandleFunc("GET "+publisherPath+"/throttling-policies/{level}", am.locked(scopesTierView, am.listTiers))
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
	if *dto.Name == "" {
		return invalid("name", "size must be between 1 and 2147483647")
	}
	if !namePattern.MatchString(*dto.Name) {
		return invalid("name", `must match "`+namePattern.String()+`"`)
	}
	return nil
}

// checkNew is what only a new API has to pass: its name, version and context, in its own right and beside the others.
func (am *AM) checkNew(dto *apiDTO) error {
	dto.Name = ptr(spaces.ReplaceAllString(strings.TrimSpace(*dto.Name), " "))
	if err := checkContext(dto); err != nil {
		return err
	}
	if len(*dto.Name) > 60 || len(*dto.Version) > 30 || !versionPattern.MatchString(*dto.Version) {
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
	case len(c) > 232:
		return malformed("is longer than 232 characters")
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
	for _, op := range dto.Operations {
		if !slices.Contains(verbs, strings.ToUpper(op.Verb)) {
			return errGeneral
		}
	}
	return nil
}

// checkKeyManagers accepts a list of names of key managers that are loaded.
func (am *AM) checkKeyManagers(dto *apiDTO) error {
	if _, ok := dto.KeyManagers.([]any); !ok {
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
	a, err := am.addAPI(r.Context(), dto)
	if err != nil {
		return err
	}
	am.wrote(w, a)
	return nil
}

// wrote answers 201 with an API.
func (am *AM) wrote(w http.ResponseWriter, a *api) {
	am.mu.Lock()
	defer am.mu.Unlock()
	w.Header().Set("Location", am.url(am.port)+"/api/am/publisher/apis/"+a.id())
	// The answer to a creation is not yet what reading the API gives: lists that are empty have an empty string in them.
	view := a.dto
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
	if err := dto.checkMapping(); err != nil {
		return err
	}
	if err := am.checkKeyManagers(dto); err != nil {
		return err
	}
	if err := am.checkNew(dto); err != nil {
		return err
	}
	return am.checkReferences(dto)
}

// store gives a new API its id and times.
func (am *AM) store(dto apiDTO) *api {
	if len(dto.Operations) == 0 {
		dto.Operations = defaultOperations()
	}
	dto.normalize()
	am.markShared(&dto)
	a := &api{dto: dto, created: time.Now()}
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
	dto := newAPIDTO()
	if err := readJSON(r, &dto); err != nil {
		return err
	}
	am.mu.Lock()
	a := am.apis[r.PathValue("id")]
	managers, change := am.connected(), scopeChange{}
	if a != nil {
		dto.Type = a.dto.Type // the body's is not looked at
		change = am.scopesOfUpdate(a, dto.Scopes)
	}
	am.mu.Unlock()
	if a == nil {
		return notFound("API", r.PathValue("id"))
	}
	if err := dto.checkSchema(); err != nil {
		return err
	}
	if len(dto.Operations) == 0 {
		return &fault{status: 404, code: 900763, message: "No resources found", description: "API must have at least one resource defined"}
	}
	if err := dto.checkMapping(); err != nil {
		return err
	}
	am.mu.Lock()
	err := am.checkReferences(&dto)
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
	writeJSON(w, http.StatusOK, a.dto)
	return nil
}

func (am *AM) replace(a *api, dto apiDTO) error {
	if _, ok := dto.KeyManagers.([]any); !ok {
		dto.KeyManagers = []any{allKeyManagers}
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
	dto.normalize()
	am.markShared(&dto)
	dto.AdvertiseInfo.APIOwner = was.AdvertiseInfo.APIOwner
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
