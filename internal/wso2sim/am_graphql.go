package wso2sim

import (
	"net/http"
	"strconv"
)

func (am *AM) graphQLRoutes(mux *http.ServeMux) {
	apis := publisherPath + "/apis"
	mux.HandleFunc("POST "+apis+"/validate-graphql-schema", am.locked(scopesAPICreate, validateGraphQL))
	mux.HandleFunc("POST "+apis+"/import-graphql-schema", am.unlocked(scopesAPICreate, am.importGraphQL))
	mux.HandleFunc("GET "+apis+"/{id}/graphql-schema", am.locked(scopesAPIView, am.withAPI(func(w http.ResponseWriter, _ *http.Request, a *api) error {
		writeJSON(w, http.StatusOK, object{"name": value(a.dto.Provider) + "--" + a.name() + a.version() + ".graphql", "schemaDefinition": a.definition})
		return nil
	})))
	mux.HandleFunc("PUT "+apis+"/{id}/graphql-schema", am.locked(scopesAPIWrite, am.withAPI(am.updateGraphQL)))
	mux.HandleFunc("GET "+apis+"/{id}/graphql-policies/complexity", am.locked(scopesAPIView, am.withAPI(func(w http.ResponseWriter, _ *http.Request, _ *api) error {
		writeJSON(w, http.StatusOK, object{"list": []any{}})
		return nil
	})))
	mux.HandleFunc("GET "+apis+"/{id}/graphql-policies/complexity/types", am.locked(scopesAPIView, am.withAPI(showGraphQLTypes)))
}

// validateGraphQL is 200 whatever the schema is.
func validateGraphQL(w http.ResponseWriter, r *http.Request) error {
	refuse := func(why string) error {
		writeJSON(w, http.StatusOK, object{"isValid": false, "errorMessage": why, "graphQLInfo": nil})
		return nil
	}
	if err := r.ParseMultipartForm(maxBody); err != nil {
		return badRequest("The body is no multipart form")
	}
	schema, err := formFile(r)
	if err != nil {
		return refuse("GraphQL filename cannot be null")
	}
	types, err := parseGraphQL(string(schema))
	if err != nil {
		return refuse(err.Error())
	}
	operations := []object{}
	for i, op := range graphQLOperations(types) {
		operations = append(operations, object{
			"id": strconv.Itoa(i), "target": op.Target, "verb": op.Verb, "authType": "Any", "throttlingPolicy": nil, "scopes": []any{},
			"usedProductIds": []any{}, "amznResourceName": nil, "amznResourceTimeout": nil, "amznResourceContentEncode": nil,
			"payloadSchema": nil, "uriMapping": nil, "operationPolicies": nil,
		})
	}
	writeJSON(w, http.StatusOK, object{"isValid": true, "errorMessage": nil, "graphQLInfo": object{
		"operations": operations, "graphQLSchema": object{"name": nil, "schemaDefinition": string(schema)},
	}})
	return nil
}

// importGraphQL takes any schema, also a broken one, and the operations that the request names, whether the schema has
// them or not. An API that exists is an unchecked error and no conflict.
func (am *AM) importGraphQL(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseMultipartForm(maxBody); err != nil {
		return badRequest("The body is no multipart form")
	}
	schema, err := formFile(r)
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
	dto.Type = ptr(typeGraphQL)
	a, err := am.addAPI(r.Context(), dto)
	if f := asFault(err); err != nil && f.status == http.StatusConflict {
		return &fault{status: 500, code: 500, message: errInternal.message,
			description: "Error while adding new API : null-" + *dto.Name + "-" + *dto.Version + " - Error occurred while adding the API. " + f.description}
	}
	if err != nil {
		return err
	}
	am.mu.Lock()
	defer am.mu.Unlock()
	a.definition = string(schema)
	am.changed("api", a.id())
	w.Header().Set("Location", am.url(am.port)+"/api/am/publisher/apis/"+a.id())
	view := am.viewOf(a.dto)
	view.VisibleRoles, view.SubscriptionAvailableTenants = orBlank(view.VisibleRoles), orBlank(view.SubscriptionAvailableTenants)
	view.AsyncTransportProtocols = orBlank(view.AsyncTransportProtocols)
	view.LastUpdatedTime, view.LastUpdatedTimestamp = nil, nil
	writeJSON(w, http.StatusCreated, view)
	return nil
}

// updateGraphQL takes the operations of the schema, and answers them.
func (am *AM) updateGraphQL(w http.ResponseWriter, r *http.Request, a *api) error {
	if err := r.ParseMultipartForm(maxBody); err != nil {
		return badRequest("The body is no multipart form")
	}
	schema := r.FormValue("schemaDefinition")
	types, err := parseGraphQL(schema)
	if err != nil {
		return err
	}
	a.definition = schema
	a.takeOperations(graphQLOperations(types))
	am.settleScopes(&a.dto)
	a.touched(am)
	writeJSON(w, http.StatusOK, a.dto.Operations)
	return nil
}

func showGraphQLTypes(w http.ResponseWriter, _ *http.Request, a *api) error {
	types, err := parseGraphQL(a.definition)
	if err != nil {
		return err
	}
	list := []object{}
	for _, t := range types {
		list = append(list, object{"type": t.name, "fieldList": t.fields})
	}
	writeJSON(w, http.StatusOK, object{"typeList": list})
	return nil
}
