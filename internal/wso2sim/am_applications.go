package wso2sim

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

const devportalPath = "/api/am/devportal/v3"

type application struct {
	id, name, policy string
	description      *string
	groups           []string
	created, updated time.Time
	keys             []*keyMapping
	owner            string // empty: the administrator
}

// applicationDTO is what the DevPortal reads; most of it is written by the server alone.
type applicationDTO struct {
	ApplicationID      *string  `json:"applicationId"`
	Name               *string  `json:"name"`
	ThrottlingPolicy   *string  `json:"throttlingPolicy"`
	Description        *string  `json:"description"`
	TokenType          *string  `json:"tokenType" enum:"OAUTH|JWT"` // JWT whatever is sent
	Status             *string  `json:"status"`
	Groups             []string `json:"groups"`
	SubscriptionCount  *int     `json:"subscriptionCount"`
	Keys               []any    `json:"keys"`
	Attributes         object   `json:"attributes"` // dropped: deployment.toml declares none
	SubscriptionScopes []any    `json:"subscriptionScopes"`
	Owner              *string  `json:"owner"`
	HashEnabled        *bool    `json:"hashEnabled"`
	CreatedTime        *string  `json:"createdTime"`
	UpdatedTime        *string  `json:"updatedTime"`
	Visibility         *string  `json:"visibility" enum:"PRIVATE|SHARED_WITH_ORG"`
}

func (am *AM) applicationRoutes(mux *http.ServeMux) {
	all := devportalPath + "/applications"
	mux.HandleFunc("GET "+all, am.subscriber(scopesApplication, am.listApplications))
	mux.HandleFunc("POST "+all, am.subscriber(scopesApplication, am.createApplication))
	mux.HandleFunc("GET "+all+"/{id}", am.subscriber(scopesApplication, am.withApplication(func(w http.ResponseWriter, _ *http.Request, app *application) error {
		view := am.applicationView(app)
		view["hashEnabled"] = false // null where an application is made or changed
		writeJSON(w, http.StatusOK, view)
		return nil
	})))
	mux.HandleFunc("PUT "+all+"/{id}", am.subscriber(scopesApplication, am.withApplication(am.updateApplication)))
	mux.HandleFunc("DELETE "+all+"/{id}", am.unlocked(scopesApplication, am.deleteApplication))
	mux.HandleFunc("GET "+devportalPath+"/throttling-policies/application", am.subscriber(scopesApplication, am.listApplicationTiers))
	mux.HandleFunc("GET "+devportalPath+"/key-managers", am.subscriber(scopesApplication, am.devportalKeyManagers))
	mux.HandleFunc("GET "+devportalPath+"/apis", am.devportalAPIs)
	mux.HandleFunc("GET "+devportalPath+"/apis/{id}", am.devportalAPI)
	mux.HandleFunc("GET "+devportalPath+"/apis/{id}/swagger", am.locked(scopesApplication, am.withAPI(am.showPublicDefinition)))
	mux.HandleFunc("GET "+devportalPath+"/apis/{id}/subscription-policies", am.locked(scopesApplication, am.withAPI(am.offeredTiers)))
	mux.HandleFunc("GET "+devportalPath+"/settings/application-attributes", am.locked(scopesApplication, func(w http.ResponseWriter, _ *http.Request) error {
		writeJSON(w, http.StatusOK, object{"count": 0, "list": []any{}})
		return nil
	}))
}

// subscriber is locked for the DevPortal, where the first call of a subscriber makes DefaultApplication.
func (am *AM) subscriber(scopes []string, op operation) http.HandlerFunc {
	return am.locked(scopes, func(w http.ResponseWriter, r *http.Request) error {
		am.ensureSubscriber(r)
		return op(w, r)
	})
}

// ensureSubscriber registers the caller, unless it came with a token that lacks apim:subscribe.
func (am *AM) ensureSubscriber(r *http.Request) {
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		if t := am.oauth.tokens[token]; t == nil || !slices.Contains(t.scopes, "apim:subscribe") {
			return
		}
	}
	if !am.subscribed {
		am.subscribed = true
		am.changed("subscriber", am.admin)
		am.addApplication(application{name: "DefaultApplication", policy: unlimited, description: ptr("This is the default application")})
	}
}

func (am *AM) addApplication(app application) *application {
	app.id, app.created = newUUID(), time.Now()
	app.updated = app.created
	am.applications[app.id] = &app
	add(am.lookup.appsByName, strings.ToLower(app.name), &app)
	am.changed("application", app.id)
	return &app
}

func (am *AM) withApplication(op func(http.ResponseWriter, *http.Request, *application) error) operation {
	return func(w http.ResponseWriter, r *http.Request) error {
		app := am.applications[r.PathValue("id")]
		if app == nil {
			return notFound("application", r.PathValue("id"))
		}
		if am.ownerOf(app) != am.admin {
			return notYours(app.id)
		}
		return op(w, r, app)
	}
}

// ownerOf is the user whose application it is.
func (am *AM) ownerOf(app *application) string { return cmp.Or(app.owner, am.admin) }

// notYours is how the DevPortal refuses an application of another user, also to an administrator.
func notYours(id string) *fault {
	return &fault{status: 403, code: 403, message: "Forbidden", description: "You don't have permission to access the application with Id " + id}
}

// applicationInfo is an application in a list.
func (am *AM) applicationInfo(app *application) object {
	return object{
		"applicationId": app.id, "name": app.name, "throttlingPolicy": app.policy, "description": app.description,
		"status": "APPROVED", "groups": orEmpty(app.groups), "subscriptionCount": am.subscriptionCount(app),
		"attributes": object{}, "owner": am.ownerOf(app), "tokenType": "JWT",
		"createdTime": millis(app.created), "updatedTime": millis(app.updated),
	}
}

func (am *AM) applicationView(app *application) object {
	view := am.applicationInfo(app)
	view["keys"], view["subscriptionScopes"] = []any{}, []any{}
	view["hashEnabled"], view["visibility"] = nil, "PRIVATE"
	return view
}

// listApplications searches as SQL's LIKE does, for a part of the name and with % and _ as they come. The list ignores
// case, and the total does not.
func (am *AM) listApplications(w http.ResponseWriter, r *http.Request) error {
	if r.URL.Query().Get("sortBy") == "throttlingPolicy" {
		return &fault{status: 500, code: 500, message: errInternal.message, description: "Error while retrieving Applications"}
	}
	query := r.URL.Query().Get("query")
	exact, anyCase := like(query), like(strings.ToLower(query))
	var found []*application
	total := 0
	for _, app := range am.applications {
		if am.ownerOf(app) != am.admin {
			continue
		}
		if exact(app.name) {
			total++
		}
		if anyCase(strings.ToLower(app.name)) {
			found = append(found, app)
		}
	}
	slices.SortFunc(found, func(a, b *application) int { return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.id, b.id)) })
	writeJSON(w, http.StatusOK, pageOf(found, total, r, am.applicationInfo))
	return nil
}

// like is the pattern %query% of SQL.
func like(query string) func(string) bool {
	if !strings.ContainsAny(query, "%_") {
		return func(s string) bool { return strings.Contains(s, query) }
	}
	return regexp.MustCompile("(?s)" + strings.NewReplacer("%", ".*", "_", ".").Replace(regexp.QuoteMeta(query))).MatchString
}

// readApplication reads and checks a body.
func readApplication(r *http.Request) (applicationDTO, error) {
	var dto applicationDTO
	if err := readJSON(r, &dto); err != nil {
		return dto, err
	}
	if dto.Name == nil {
		return dto, invalid("name", "must not be null")
	}
	if n := len(*dto.Name); n < 1 || n > 100 {
		return dto, invalid("name", "size must be between 1 and 100")
	}
	if len(value(dto.Description)) > 512 {
		return dto, invalid("description", "size must be between 0 and 512")
	}
	if dto.ThrottlingPolicy == nil {
		return dto, invalid("throttlingPolicy", "must not be null")
	}
	if strings.TrimSpace(*dto.Name) != *dto.Name {
		return dto, badRequest("Application name cannot contain leading or trailing white spaces")
	}
	return dto, nil
}

func (am *AM) createApplication(w http.ResponseWriter, r *http.Request) error {
	dto, err := readApplication(r)
	if err != nil {
		return err
	}
	if am.policyNamed(levelApplication, *dto.ThrottlingPolicy) == nil {
		return errNoTier
	}
	if am.applicationNamed(*dto.Name) != nil {
		return conflict("An application already exists with name " + *dto.Name)
	}
	app := am.addApplication(application{
		name: *dto.Name, policy: *dto.ThrottlingPolicy, description: dto.Description, groups: dto.Groups,
	})
	w.Header().Set("Location", am.url(am.port)+"/api/am/devportal/applications/"+app.id)
	writeJSON(w, http.StatusCreated, am.applicationView(app))
	return nil
}

func (am *AM) applicationNamed(name string) *application {
	if named := am.lookup.appsByName[strings.ToLower(name)]; len(named) > 0 {
		return named[0]
	}
	return nil
}

func (am *AM) updateApplication(w http.ResponseWriter, r *http.Request, app *application) error {
	dto, err := readApplication(r)
	if err != nil {
		return err
	}
	if other := am.applicationNamed(*dto.Name); other != nil && other != app {
		return conflict("An application already exists with name " + *dto.Name)
	}
	if am.policyNamed(levelApplication, *dto.ThrottlingPolicy) == nil {
		return &fault{status: 500, code: 500, message: errInternal.message, description: "Error while updating application " + app.id}
	}
	remove(am.lookup.appsByName, strings.ToLower(app.name), app)
	add(am.lookup.appsByName, strings.ToLower(*dto.Name), app)
	app.name, app.policy, app.description, app.groups = *dto.Name, *dto.ThrottlingPolicy, dto.Description, dto.Groups
	app.updated = time.Now()
	am.changed("application", app.id)
	writeJSON(w, http.StatusOK, am.applicationView(app))
	return nil
}

// deleteApplication takes subscriptions, keys and the clients that were generated along.
func (am *AM) deleteApplication(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	am.mu.Lock()
	app := am.applications[id]
	if app == nil || am.ownerOf(app) != am.admin && !strings.HasPrefix(r.URL.Path, adminApplications) {
		am.mu.Unlock()
		if app != nil {
			return notYours(id)
		}
		return notFound("application", id)
	}
	keys := slices.Clone(app.keys)
	am.mu.Unlock()
	for _, m := range keys {
		var refused *statusError
		if err := am.removeClient(r.Context(), m); err != nil && !errors.Is(err, errClientGone) && !errors.As(err, &refused) {
			return err // a client that IS refuses to delete stays behind
		}
	}
	am.mu.Lock()
	defer am.mu.Unlock()
	delete(am.applications, id)
	remove(am.lookup.appsByName, strings.ToLower(app.name), app)
	am.changed("application", id)
	for _, m := range app.keys {
		remove(am.lookup.byClient, m.clientID, m)
	}
	for _, s := range am.lookup.ofApplication[app] {
		am.removeSubscription(s)
	}
	delete(am.lookup.ofApplication, app)
	w.WriteHeader(http.StatusOK)
	return nil
}

// removeClient takes a generated client out of its key manager; one that was mapped stays.
func (am *AM) removeClient(ctx context.Context, m *keyMapping) error {
	am.mu.Lock()
	id, mapped, dto, resident := m.clientID, m.mode != modeCreated, m.keyManager.dto, m.keyManager.resident()
	if resident && id != "" && !mapped {
		am.oauth.drop(id)
	}
	am.mu.Unlock()
	if id == "" || mapped || resident {
		return nil
	}
	if err := am.connector.remove(ctx, &dto, id); err != nil {
		return &upstreamError{errKeyDelete, err}
	}
	return nil
}

// upstreamError is a fault that another server caused: the client sees the fault, the log the cause.
type upstreamError struct {
	fault *fault
	cause error
}

func (e *upstreamError) Error() string { return e.cause.Error() }

func (e *upstreamError) Unwrap() []error { return []error{e.fault, e.cause} }

// devportalKeyManagers shows what an application developer needs of the key managers, also of disabled ones.
func (am *AM) devportalKeyManagers(w http.ResponseWriter, _ *http.Request) error {
	list := []object{}
	for _, k := range am.keyManagers {
		list = append(list, object{
			"id": k.uuid, "name": k.label, "type": k.kind, "displayName": k.dto.DisplayName, "description": k.dto.Description,
			"enabled": k.enabled(), "availableGrantTypes": k.dto.AvailableGrantTypes, "tokenEndpoint": firstOf(k.dto.DisplayTokenEndpoint, k.dto.TokenEndpoint),
			"revokeEndpoint": firstOf(k.dto.DisplayRevokeEndpoint, k.dto.RevokeEndpoint), "userInfoEndpoint": nil,
			"enableTokenGeneration": k.dto.EnableTokenGeneration, "enableOAuthAppCreation": k.dto.EnableOAuthAppCreation,
			"enableMapOAuthConsumerApps": k.dto.EnableMapOAuthConsumerApps, "tokenType": k.dto.TokenType,
			"enableTokenEncryption": false, "enableTokenHashing": false, "alias": k.dto.Alias, "additionalProperties": object{}, "applicationConfiguration": k.settingNames().describe(),
		})
	}
	writeJSON(w, http.StatusOK, object{"count": len(list), "list": list})
	return nil
}

// firstOf is the one to show to people outside, or where there is none the one that the servers use.
func firstOf(shown, used *string) *string {
	if value(shown) == "" {
		return used
	}
	return shown
}
