package wso2sim

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	applicationsPath = "/api/server/v1/applications"
	applicationsPage = 30  // where no limit is asked for
	applicationsMost = 100 // whatever limit is asked for
)

// serviceProvider is what IS has of a client beside its OAuth part. It has an id of its own.
type serviceProvider struct {
	id, client string
	owner      string // the user who registered the client; nothing changes that
	created    time.Time
	authorized []*authorization
}

// serviceProviders are in the order in which they were made, so that a list needs no sorting.
type serviceProviders struct {
	all      []*serviceProvider
	byID     map[string]*serviceProvider
	byClient map[string]*serviceProvider
}

func newServiceProviders() serviceProviders {
	return serviceProviders{byID: map[string]*serviceProvider{}, byClient: map[string]*serviceProvider{}}
}

func (a *serviceProviders) add(app *serviceProvider) {
	a.all = append(a.all, app)
	a.byID[app.id], a.byClient[app.client] = app, app
}

func (a *serviceProviders) remove(app *serviceProvider) {
	a.all = slices.DeleteFunc(a.all, func(other *serviceProvider) bool { return other == app })
	delete(a.byID, app.id)
	delete(a.byClient, app.client)
}

// addApplication gives a client its application. The lock is held.
func (is *IS) addApplication(client, owner string) {
	app := &serviceProvider{id: newUUID(), client: client, owner: owner, created: time.Now()}
	is.apps.add(app)
	is.changed("application", app.id)
}

// removeApplication takes an application away, with its client and tokens. The lock is held.
func (is *IS) removeApplication(app *serviceProvider) {
	is.apps.remove(app)
	is.changed("application", app.id)
	is.oauth.drop(app.client)
}

// ownerOf is the user who registered a client.
func (is *IS) ownerOf(client string) string {
	if app := is.apps.byClient[client]; app != nil {
		return app.owner
	}
	return ""
}

// nameOf is an application's name, which is its client's.
func (is *IS) nameOf(app *serviceProvider) string {
	if c := is.oauth.clients[app.client]; c != nil {
		return c.name
	}
	return ""
}

func (is *IS) applicationRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET "+applicationsPath, is.listApplications)
	mux.HandleFunc("GET "+applicationsPath+"/{id}", func(w http.ResponseWriter, r *http.Request) {
		is.mu.Lock()
		defer is.mu.Unlock()
		app := is.apps.byID[r.PathValue("id")]
		if app == nil {
			applicationFault(w, 404, "APP-60006", "Application not found.", "Application cannot be found for the provided id: "+
				r.PathValue("id")+" in the tenantDomain: carbon.super.")
			return
		}
		writeJSON(w, http.StatusOK, is.applicationView(app))
	})
	mux.HandleFunc("DELETE "+applicationsPath+"/{id}", func(w http.ResponseWriter, r *http.Request) {
		is.mu.Lock()
		defer is.mu.Unlock()
		if app := is.apps.byID[r.PathValue("id")]; app != nil {
			is.removeApplication(app)
		}
		w.WriteHeader(http.StatusNoContent)
	})
	is.authorizedRoutes(mux)
}

// applicationFault is an error of the applications API.
func applicationFault(w http.ResponseWriter, status int, code, message, description string) {
	writeJSON(w, status, object{"code": code, "message": message, "description": description, "traceId": newUUID()})
}

// applicationAttributes are those that a list can show in addition.
var applicationAttributes = []string{
	"clientId", "issuer", "templateId", "advancedConfigurations", "associatedRoles.allowedAudience", "applicationEnabled",
}

// listApplications shows the newest first.
func (is *IS) listApplications(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	var shown []string
	if attributes := query.Get("attributes"); attributes != "" {
		shown = strings.Split(attributes, ",")
	}
	limit, offset := numberOr(query.Get("limit"), applicationsPage), numberOr(query.Get("offset"), 0)
	switch {
	case query.Get("sortBy") != "":
		applicationFault(w, 501, "APP-65002", "Sorting not supported.", "Sorting capability is not supported in this version of the API.")
		return
	case limit < 1:
		applicationFault(w, 400, "UE-10000", "Invalid Request", "must be greater than or equal to 1")
		return
	case slices.ContainsFunc(shown, func(name string) bool { return !slices.Contains(applicationAttributes, name) }):
		applicationFault(w, 400, "APP-60505", "Invalid Request.", "Invalid attribute name provided as required attribute.")
		return
	}
	limit, offset = min(limit, applicationsMost), max(offset, 0)
	filter := query.Get("filter")
	fits := condition(func(func(string) string) bool { return true })
	if filter != "" {
		var fault *filterFault
		if fits, fault = parseFilter(filter, "name", "clientId", "issuer"); fault != nil {
			refuseFilter(w, fault)
			return
		}
		if strings.Contains(filter, "clientId ") { // such a filter shows what it has looked at
			shown = append(shown, "clientId")
		}
	}
	is.mu.Lock()
	defer is.mu.Unlock()
	total, list := 0, []object{}
	for _, app := range slices.Backward(is.apps.all) {
		name := is.nameOf(app)
		if !fits(app.attribute(name)) {
			continue
		}
		if total >= offset && len(list) < limit {
			list = append(list, is.applicationSummary(app, shown))
		}
		total++
	}
	writeJSON(w, http.StatusOK, object{
		"totalResults": total, "startIndex": offset + 1, "count": len(list), "applications": list,
		"links": pageLinks(query.Get("filter"), total, offset, limit),
	})
}

// attribute gives a filter what it looks at. Nothing here has an issuer.
func (a *serviceProvider) attribute(name string) func(string) string {
	return func(attribute string) string {
		switch attribute {
		case "name":
			return name
		case "clientId":
			return a.client
		}
		return ""
	}
}

func refuseFilter(w http.ResponseWriter, fault *filterFault) {
	if fault.attribute == "" {
		applicationFault(w, 400, "APP-60004", "Invalid filter query format.",
			"Filter needs to be in the format <attribute>+<operation>+<value>. Eg: name+eq+john")
		return
	}
	applicationFault(w, 400, "APP-60004", "Filtering using the attempted attribute is not supported.", "Filtering cannot be done with the '"+
		fault.attribute+"' attribute. Filtering is only supported with 'name', 'clientId', and 'issuer' attributes.")
}

// pageLinks are the pages before and after one.
func pageLinks(filter string, total, offset, limit int) []object {
	links := []object{}
	add := func(rel string, offset int) {
		href := applicationsPath + "?offset=" + strconv.Itoa(offset) + "&limit=" + strconv.Itoa(limit)
		if filter != "" {
			href += "&filter=" + strings.ReplaceAll(filter, " ", "+")
		}
		links = append(links, object{"rel": rel, "href": href})
	}
	if offset+limit < total {
		add("next", offset+limit)
	}
	if offset > 0 {
		add("previous", max(min(offset, total)-limit, 0))
	}
	return links
}

func (is *IS) applicationSummary(app *serviceProvider, shown []string) object {
	name := is.nameOf(app)
	view := object{
		"id": app.id, "name": name, "description": "Service Provider for application " + name, "applicationVersion": "v2.0.0",
		"access": "WRITE", "self": applicationsPath + "/" + app.id,
	}
	full := object{}
	if len(shown) > 0 {
		full = is.applicationView(app)
	}
	for _, attribute := range shown {
		attribute, _, _ = strings.Cut(attribute, ".")
		view[attribute] = full[attribute]
		if attribute == "clientId" {
			view["realm"] = ""
		}
	}
	return view
}

// applicationView is an application as GET shows it. Nothing of it can be changed here but the name, by registration.
func (is *IS) applicationView(app *serviceProvider) object {
	name, audience := is.nameOf(app), ""
	if c := is.oauth.clients[app.client]; c != nil {
		audience = strings.ToUpper(c.audience)
	}
	return object{
		"id": app.id, "name": name, "description": "Service Provider for application " + name, "applicationVersion": "v2.0.0",
		"clientId": app.client, "issuer": "", "realm": "", "templateId": "", "templateVersion": "", "isManagementApp": false,
		"applicationEnabled": true, "associatedRoles": object{"allowedAudience": audience}, "access": "WRITE",
		"claimConfiguration": object{
			"dialect": "LOCAL", "claimMappings": []any{}, "requestedClaims": []any{},
			"subject": object{
				"claim": object{"uri": "http://wso2.org/claims/userid"}, "includeUserDomain": false, "includeTenantDomain": false,
				"useMappedLocalSubject": false, "mappedLocalSubjectMandatory": false,
			},
			"role": object{"includeUserDomain": true, "claim": object{"uri": "http://wso2.org/claims/role"}},
		},
		"inboundProtocols": []object{{"type": "oauth2", "self": applicationsPath + "/" + app.id + "/inbound-protocols/oidc"}},
		"authenticationSequence": object{
			"type": "DEFAULT", "steps": []object{{"id": 1, "options": []object{{"idp": "LOCAL", "authenticator": "BasicAuthenticator"}}}},
			"requestPathAuthenticators": []any{}, "subjectStepId": 1, "attributeStepId": 1,
		},
		"advancedConfigurations": object{
			"saas": false, "discoverableByEndUsers": false, "skipLoginConsent": false, "skipLogoutConsent": false,
			"returnAuthenticatedIdpList": false, "enableAuthorization": false, "fragment": false, "enableAPIBasedAuthentication": false,
			"attestationMetaData": object{"enableClientAttestation": false, "androidPackageName": "", "appleAppId": ""},
			"additionalSpProperties": []object{
				{"name": "isB2BSelfServiceApp", "value": "false", "displayName": "Is B2B Self Service Application"},
				{"name": "isThirdPartyApp", "value": "true"},
			},
			"useExternalConsentPage": false,
		},
		"provisioningConfigurations": object{"outboundProvisioningIdps": []any{}},
	}
}
