package wso2sim

import (
	"encoding/json"
	"net/http"
	"strings"
)

// devportalAPIs lists what is published, from the index, to everyone.
func (am *AM) devportalAPIs(w http.ResponseWriter, r *http.Request) {
	known := am.allowed(r, scopesApplication)
	am.mu.Lock()
	defer am.mu.Unlock()
	terms := parseQuery(r.URL.Query().Get("query"))
	if name := strings.Join(terms["name"], " "); name != "" && !strings.HasPrefix(name, `"`) {
		terms["name"] = strings.Fields(name) // words, of which any will do
	}
	var list []*api
	for _, doc := range am.find(terms) {
		if a := am.apis[doc.id]; a != nil && visible(doc.status) && a.seenBy(known) {
			list = append(list, a)
		}
	}
	writeJSON(w, http.StatusOK, pageOf(list, len(list), r, func(a *api) object {
		info := am.apiInfo(a)
		info["createdTime"] = nil
		owned := *a.dto.AdvertiseInfo
		owned.APIOwner = nil
		info["advertiseInfo"] = owned
		return info
	}))
}

// seenBy reports whether a caller sees an API: everybody sees public ones, and the administrator, who has every role of
// a fresh installation, all of them.
func (a *api) seenBy(known bool) bool { return known || a.dto.Visibility != "RESTRICTED" }

func visible(status string) bool { return status == "PUBLISHED" || status == "PROTOTYPED" }

// devportalAPI shows one API, whose context has the version here.
func (am *AM) devportalAPI(w http.ResponseWriter, r *http.Request) {
	known := am.allowed(r, scopesApplication)
	am.mu.Lock()
	defer am.mu.Unlock()
	a := am.apis[r.PathValue("id")]
	if a == nil || !a.seenBy(known) && visible(a.dto.LifeCycleStatus) {
		notFound("API", r.PathValue("id")).write(w)
		return
	}
	if status := a.dto.LifeCycleStatus; !visible(status) && status != "DEPRECATED" {
		(&fault{status: 403, code: 403, message: "Forbidden",
			description: "You don't have permission to access the API with Id " + a.id()}).write(w)
		return
	}
	d := &a.dto
	definition, err := json.Marshal(am.publicDefinitionOf(a))
	if err != nil {
		errInternal.write(w)
		return
	}
	tiers := []object{}
	for _, tier := range d.Policies {
		tiers = append(tiers, object{"tierName": tier, "tierPlan": "FREE", "monetizationAttributes": nil})
	}
	writeJSON(w, http.StatusOK, object{
		"id": a.id(), "name": d.Name, "description": d.Description, "context": fullContext(d), "version": d.Version,
		"provider": d.Provider, "apiDefinition": string(definition), "wsdlUri": nil, "lifeCycleStatus": d.LifeCycleStatus,
		"isDefaultVersion": d.IsDefaultVersion, "type": d.Type, "transport": d.Transport, "operations": []any{},
		"authorizationHeader": d.AuthorizationHeader, "apiKeyHeader": d.APIKeyHeader, "securityScheme": d.SecurityScheme,
		"tags": d.Tags, "tiers": tiers, "hasThumbnail": false, "additionalProperties": d.AdditionalProperties,
		"monetization": object{"enabled": false}, "businessInformation": d.BusinessInformation, "environmentList": []string{"Default"}, "scopes": []any{},
		"endpointURLs": am.endpointURLs(a), "avgRating": "0.0", "subscriptions": 0, "advertiseInfo": d.AdvertiseInfo,
		"isSubscriptionAvailable": true, "categories": []any{}, "keyManagers": d.KeyManagers, "createdTime": a.created.UTC().Format("2006-01-02 15:04:05.000"),
		"lastUpdatedTime": nil, "gatewayVendor": d.GatewayVendor, "asyncTransportProtocols": []any{},
		"egress": false, "subtype": "DEFAULT",
	})
}

// endpointURLs are where the API can be called.
func (am *AM) endpointURLs(a *api) []object {
	out := []object{}
	for _, d := range a.deployments() {
		out = append(out, object{
			"environmentName": d.Name, "environmentDisplayName": d.Name, "environmentType": "hybrid",
			"URLs": object{"http": nil, "https": am.url(am.gatewayPort) + fullContext(&a.dto), "ws": nil, "wss": nil},
		})
	}
	return out
}

// fullContext is the context with the version, as the gateway has it.
func fullContext(d *apiDTO) string {
	context, version := value(d.Context), value(d.Version)
	if strings.Contains(context, "{version}") {
		return strings.ReplaceAll(context, "{version}", version)
	}
	return context + "/" + version
}
