package wso2sim

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// showDefinition gives the operations back as an OpenAPI document, in JSON alone.
func (am *AM) showDefinition(w http.ResponseWriter, r *http.Request, a *api) error {
	if accept := r.Header.Get("Accept"); accept != "" && !strings.Contains(accept, "json") && !strings.Contains(accept, "*/*") {
		w.WriteHeader(http.StatusNotAcceptable)
		return nil
	}
	if a.dto.streaming() {
		return &fault{status: 500, code: 500, message: "Internal server error",
			description: "Error while retrieving swagger of API : " + a.id()}
	}
	writeJSON(w, http.StatusOK, am.definitionOf(a))
	return nil
}

// definitionOf is the definition that was imported or written last, or else one made of the operations, with what API
// Manager adds to it.
func (am *AM) definitionOf(a *api) object {
	dto := am.viewOf(a.dto)
	doc := object{}
	if value(dto.Type) == typeGraphQL || yaml.Unmarshal([]byte(a.definition), &doc) != nil || len(doc) == 0 {
		doc = object{"openapi": "3.0.1", "security": []object{{"default": []string{}}}}
		if owner := dto.BusinessInformation; owner.BusinessOwner != nil {
			doc["info"] = object{"contact": object{"name": owner.BusinessOwner, "email": owner.BusinessOwnerEmail}}
		}
	}
	info := member(doc, "info")
	info["title"], info["version"] = dto.Name, dto.Version
	if delete(info, "description"); dto.Description != nil {
		info["description"] = dto.Description
	}
	doc["servers"] = []object{{"url": "/"}}
	enrichPaths(doc, &dto)
	enrichScopes(doc, &dto)
	enrichDocument(doc, &dto)
	return doc
}

// publicDefinitionOf is a definition without what concerns the gateway alone: where back ends are, and how they are called.
func (am *AM) publicDefinitionOf(a *api) object {
	doc := am.definitionOf(a)
	delete(doc, "servers")
	withoutExtensions(doc)
	for _, path := range member(doc, "paths") {
		for _, operation := range path.(object) {
			withoutExtensions(operation.(object))
		}
	}
	return doc
}

func withoutExtensions(of object) {
	maps.DeleteFunc(of, func(name string, _ any) bool { return strings.HasPrefix(name, "x-wso2-") })
}

// showPublicDefinition is the DevPortal's, which names the address of the API. Where it is deployed nowhere its host is empty.
func (am *AM) showPublicDefinition(w http.ResponseWriter, _ *http.Request, a *api) error {
	doc, host := am.publicDefinitionOf(a), "http://"
	if len(a.deployments()) > 0 {
		host = am.url(am.gatewayPort)
	}
	doc["servers"] = []object{{"url": host + fullContext(&a.dto)}}
	writeJSON(w, http.StatusOK, doc)
	return nil
}

// keepDefinition keeps a definition as it was imported or written.
func (a *api) keepDefinition(doc object) {
	text, err := yaml.Marshal(doc)
	if err != nil {
		panic(err) // it was read as YAML
	}
	a.definition = string(text)
}

// touched notes that an API has changed. The lock is held.
func (a *api) touched(am *AM) {
	a.touch(time.Now())
	am.changed("api", a.id())
	am.reindex(a)
}

// takeOperations replaces the operations of an API: what it knows of one stays.
func (a *api) takeOperations(ops []apiOperation) {
	for i, op := range ops {
		for _, was := range a.dto.Operations {
			if was.Target == op.Target && was.Verb == strings.ToUpper(op.Verb) {
				was.Scopes = orEmpty(op.Scopes)
				if op.AuthType != "" {
					was.AuthType = op.AuthType
				}
				if op.ThrottlingPolicy != "" {
					was.ThrottlingPolicy = op.ThrottlingPolicy
				}
				ops[i] = was
			}
		}
	}
	a.dto.Operations = orderOperations(ops, a.dto.verbs())
}

// updateDefinition takes operations and scopes of a definition. Title, version and description of the API stay.
func (am *AM) updateDefinition(w http.ResponseWriter, r *http.Request, a *api) error {
	if err := r.ParseMultipartForm(maxBody); err != nil {
		return badRequest("The body is no multipart form")
	}
	text := r.FormValue("apiDefinition")
	if text == "" {
		return errInternal
	}
	doc, wrong := parseDefinition([]byte(text))
	if len(wrong) > 0 {
		return wrong[0]
	}
	ops := doc.operations()
	if len(ops) == 0 {
		return &fault{status: 500, code: 500, message: errInternal.message, description: "Error while updating the swagger definition of the API: " +
			a.id() + " - 900763:No resources found::API must have at least one resource defined"}
	}
	dto := a.dto
	dto.Operations, dto.Scopes = ops, orEmpty(doc.scopes()) // as recorded, an API without scopes has an empty list
	if err := am.check(&dto); err != nil {
		return err
	}
	a.dto.Scopes = dto.Scopes
	a.takeOperations(ops)
	am.settleScopes(&a.dto)
	a.keepDefinition(doc.raw)
	a.touched(am)
	writeJSON(w, http.StatusOK, am.definitionOf(a))
	return nil
}

// member is an object within an object, made where it is not there.
func member(of object, name string) object {
	inner, ok := of[name].(object)
	if !ok {
		inner = object{}
		of[name] = inner
	}
	return inner
}

// security is what x-wso2-application-security says of an API's security schemes.
func (dto *apiDTO) security() object {
	types := slices.DeleteFunc(slices.Clone(dto.SecurityScheme), func(s string) bool { return s == mandatoryOAuth })
	return object{"security-types": types, "optional": false}
}

var pathParameter = regexp.MustCompile(`\{([^}]*)\}`)

// enrichPaths has the document show exactly the operations of the API.
func enrichPaths(doc object, dto *apiDTO) {
	known := member(doc, "paths")
	paths := object{}
	ops := dto.Operations
	if value(dto.Type) == typeGraphQL { // all of them go through one
		ops = []apiOperation{{Target: "/", Verb: "POST", AuthType: authAny, ThrottlingPolicy: unlimited, Scopes: []string{}}}
		member(known, "/")["post"] = object{
			"responses": object{"200": object{"description": "OK"}}, "requestBody": object{
				"description": "Query or mutation to be passed to graphQL API", "required": true,
				"content": object{"application/json": object{"schema": object{"type": "object", "properties": object{"Payload": object{"type": "string"}}}}},
			},
		}
	}
	for _, op := range ops {
		verb := strings.ToLower(op.Verb)
		for name, field := range member(known, op.Target) { // parameters and texts of the path
			if !slices.Contains(verbs, strings.ToUpper(name)) {
				member(paths, op.Target)[name] = field
			}
		}
		shown, ok := member(known, op.Target)[verb].(object)
		if !ok {
			shown = object{"responses": object{"200": object{"description": "OK"}}}
			var parameters []any
			for _, match := range pathParameter.FindAllStringSubmatch(op.Target, -1) {
				parameters = append(parameters, object{"name": match[1], "in": "path", "required": true, "schema": object{"type": "string"}})
			}
			if parameters != nil {
				shown["parameters"] = parameters
			}
		}
		enrichParameters(shown)
		shown["security"] = enrichSecurity(shown["security"], op.Scopes)
		shown["x-auth-type"], shown["x-throttling-tier"], shown["x-wso2-application-security"] = op.AuthType, op.ThrottlingPolicy, dto.security()
		member(paths, op.Target)[verb] = shown
	}
	doc["paths"] = paths
}

// enrichParameters says of each parameter how it is written, as the specification has it by default.
func enrichParameters(operation object) {
	list, _ := operation["parameters"].([]any)
	for _, item := range list {
		p, ok := item.(object)
		if !ok || p["in"] == nil || p["style"] != nil {
			continue
		}
		p["style"], p["explode"] = "simple", false
		if p["in"] == "query" || p["in"] == "cookie" {
			p["style"], p["explode"] = "form", true
		}
	}
}

// enrichSecurity keeps what a definition asks for, beside the scopes by API Manager's own scheme.
func enrichSecurity(was any, scopes []string) []any {
	out := []any{}
	list, _ := was.([]any)
	for _, item := range list {
		if scheme, ok := item.(object); ok && scheme["default"] == nil {
			out = append(out, item)
		}
	}
	return append(out, object{"default": scopes})
}

func enrichScopes(doc object, dto *apiDTO) {
	described, bound := object{}, object{}
	for _, s := range dto.Scopes {
		described[s.Scope.Name] = s.Scope.Description
		bound[s.Scope.Name] = strings.Join(s.Scope.Bindings, ",")
	}
	flow := object{"authorizationUrl": "https://test.com", "scopes": described}
	if len(bound) > 0 {
		flow["x-scopes-bindings"] = bound
	}
	member(member(doc, "components"), "securitySchemes")["default"] = object{"type": "oauth2", "flows": object{"implicit": flow}}
}

func enrichDocument(doc object, dto *apiDTO) {
	doc["x-wso2-auth-header"], doc["x-wso2-api-key-header"] = dto.AuthorizationHeader, dto.APIKeyHeader
	doc["x-wso2-cors"] = dto.CorsConfiguration
	for _, kind := range []string{"production", "sandbox"} {
		if urls := dto.endpoints(kind + "_endpoints"); len(urls) > 0 {
			doc["x-wso2-"+kind+"-endpoints"] = object{"urls": urls, "type": dto.EndpointConfig["endpoint_type"]}
		}
	}
	doc["x-wso2-basePath"], doc["x-wso2-transports"] = fullContext(dto), dto.Transport
	doc["x-wso2-application-security"] = dto.security()
	doc["x-wso2-response-cache"] = object{"enabled": dto.ResponseCachingEnabled, "cacheTimeoutInSeconds": dto.CacheTimeout}
}
