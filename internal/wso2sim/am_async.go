package wso2sim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// The types of APIs, as far as the server treats them differently.
const (
	typeHTTP    = "HTTP"
	typeGraphQL = "GRAPHQL"
	typeWS      = "WS"
	typeSSE     = "SSE"
	typeWebSub  = "WEBSUB"
)

// streaming reports whether an API has topics in place of resources.
func (dto *apiDTO) streaming() bool {
	return slices.Contains([]string{typeWS, typeSSE, typeWebSub, "ASYNC", "WEBHOOK"}, value(dto.Type))
}

// verbs are those that operations of the API's type can have.
func (dto *apiDTO) verbs() []string {
	switch {
	case value(dto.Type) == typeGraphQL:
		return []string{"QUERY", "MUTATION", "SUBSCRIPTION"}
	case dto.streaming():
		return []string{"SUBSCRIBE", "PUBLISH"}
	}
	return verbs
}

// defaultOperations are those of an API that names none.
func (dto *apiDTO) defaultOperations() []apiOperation {
	target, of := "/*", []string{"GET", "PUT", "POST", "DELETE", "PATCH"}
	switch value(dto.Type) {
	case typeWS:
		of = []string{"SUBSCRIBE", "PUBLISH"}
	case typeSSE, "ASYNC":
		of = []string{"SUBSCRIBE"}
	case typeWebSub, "WEBHOOK":
		target, of = "_default", []string{"SUBSCRIBE"}
	case typeGraphQL:
		of = []string{"QUERY", "MUTATION", "SUBSCRIPTION"}
	}
	var out []apiOperation
	for _, verb := range of {
		out = append(out, apiOperation{Target: target, Verb: verb})
	}
	return out
}

func (am *AM) asyncRoutes(mux *http.ServeMux) {
	apis := publisherPath + "/apis"
	mux.HandleFunc("POST "+apis+"/validate-asyncapi", am.locked(scopesAPICreate, validateAsyncAPI))
	mux.HandleFunc("POST "+apis+"/import-asyncapi", am.unlocked(scopesAPICreate, am.importAsyncAPI))
	mux.HandleFunc("GET "+apis+"/{id}/asyncapi", am.locked(scopesAPIView, am.withAPI(func(w http.ResponseWriter, _ *http.Request, a *api) error {
		writeJSON(w, http.StatusOK, asyncDefinition(&a.dto))
		return nil
	})))
}

// asyncAPI is the part of an AsyncAPI definition that makes an API. The product reads JSON.
type asyncAPI struct {
	AsyncAPI string `json:"asyncapi"`
	Info     struct {
		Title, Version, Description *string
	} `json:"info"`
	Channels map[string]map[string]any `json:"channels"`
}

// readAsyncAPI reads the file of a form. A broken one is an unchecked error.
func readAsyncAPI(r *http.Request) (doc asyncAPI, raw []byte, _ error) {
	if err := r.ParseMultipartForm(maxBody); err != nil {
		return doc, nil, badRequest("The body is no multipart form")
	}
	raw, err := formFile(r)
	if err == nil {
		err = json.Unmarshal(raw, &doc)
	}
	return doc, raw, err
}

func validateAsyncAPI(w http.ResponseWriter, r *http.Request) error {
	doc, raw, err := readAsyncAPI(r)
	if err != nil {
		return err
	}
	if doc.AsyncAPI == "" || doc.Info.Title == nil || doc.Channels == nil {
		writeJSON(w, http.StatusOK, object{"isValid": false, "content": nil, "info": nil, "errors": []object{
			{"code": "900756", "message": "Error while parsing AsyncAPI definition", "description": "The definition is none"},
		}})
		return nil
	}
	var content any
	if r.URL.Query().Get("returnContent") == "true" {
		content = string(raw)
	}
	writeJSON(w, http.StatusOK, object{"isValid": true, "content": content, "errors": []any{}, "info": object{
		"name": doc.Info.Title, "version": doc.Info.Version, "context": nil, "description": doc.Info.Description,
		"asyncAPIVersion": doc.AsyncAPI, "protocol": nil, "endpoints": nil, "gatewayVendor": "wso2", "asyncTransportProtocols": []any{},
	}})
	return nil
}

// importAsyncAPI makes an API whose topics are the channels of a definition.
func (am *AM) importAsyncAPI(w http.ResponseWriter, r *http.Request) error {
	doc, _, err := readAsyncAPI(r)
	if err != nil {
		return err
	}
	dto := newAPIDTO()
	if err := decodeProperties(r, &dto); err != nil {
		return err
	}
	if err := dto.checkSchema(); err != nil {
		return err
	}
	for _, channel := range sortedKeys(doc.Channels) {
		for _, verb := range dto.verbs() {
			if _, has := doc.Channels[channel][strings.ToLower(verb)]; has {
				dto.Operations = append(dto.Operations, apiOperation{Target: channel, Verb: verb})
			}
		}
	}
	a, err := am.addAPI(r.Context(), dto)
	if err != nil {
		return err
	}
	am.mu.Lock()
	defer am.mu.Unlock()
	w.Header().Set("Location", am.url(am.port)+"/api/am/publisher/apis/"+a.id())
	writeJSON(w, http.StatusCreated, am.viewOf(a.dto))
	return nil
}

// asyncDefinition shows the topics of a streaming API as an AsyncAPI document.
func asyncDefinition(dto *apiDTO) object {
	channels := object{}
	for _, op := range dto.Operations {
		topic := object{}
		if op.URIMapping != nil {
			topic["x-uri-mapping"] = *op.URIMapping
		}
		member(channels, op.Target)[strings.ToLower(op.Verb)] = topic
	}
	described, bound := object{}, object{}
	for _, s := range dto.Scopes {
		described[s.Scope.Name], bound[s.Scope.Name] = s.Scope.Description, strings.Join(s.Scope.Bindings, ",")
	}
	doc := object{
		"asyncapi": "2.0.0", "info": object{"title": dto.Name, "version": dto.Version}, "channels": channels,
		"components": object{"securitySchemes": object{"oauth2": object{"type": "oauth2", "flows": object{"implicit": object{
			"authorizationUrl": "http://localhost:9999", "scopes": described, "x-scopes-bindings": bound,
		}}}}},
	}
	protocol := map[string]string{typeWS: "ws", typeSSE: "sse"}[value(dto.Type)]
	for _, kind := range []string{"production", "sandbox"} {
		if at := dto.endpoint(kind + "_endpoints"); at != "" {
			member(doc, "servers")[kind] = object{"url": at, "protocol": protocol}
		}
	}
	return doc
}
