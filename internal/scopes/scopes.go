// Package scopes keeps the applications of API-M authorized in IS for the scopes of API-M's APIs, and for nothing else.
//
// API-M's connector for IS 7 puts the scopes of all APIs into one API resource of IS, and makes a client in IS for every
// application with keys. IS grants such a client a scope only if the application is authorized for it; the connector
// does not do that. The guide's way around it, [oauth] authorize_all_scopes, grants every client every scope, those of
// IS's own administration too.
//
// One pass reads the scopes and the applications, decides in a pure function, and acts. It never takes an authorization
// away, since that ends the application's tokens.
package scopes

import (
	"regexp"
	"slices"

	"wso2agent/internal/wso2"
)

// Resource is the identifier of the API resource in which the connector keeps the scopes of all APIs (apim-km-wso2is,
// WSO2IS7KeyManagerConstants).
const Resource = "User-defined-oauth2-resource"

// State is what matters of IS: the scopes of the connector's API resource, and what each application may get of them.
type State struct {
	Resource     string // id of the API resource; empty: no API has had a scope yet
	Scopes       []wso2.Scope
	Applications []Application
}

// Application is an application of IS.
type Application struct {
	wso2.ISApplication
	Authorized bool         // for the API resource, if only for none of its scopes
	Scopes     []wso2.Scope // of the API resource, for which it is authorized
}

// Action is one request to IS: it authorizes an application for the named scopes.
type Action struct {
	Application wso2.ISApplication
	First       bool     // the application is not authorized for the API resource yet
	Scopes      []string // names in order, never none
}

// Decide returns what is missing before every managed application is authorized for every scope.
func Decide(s State, clients []string) (actions []Action) {
	if s.Resource == "" {
		return nil
	}
	for _, app := range s.Applications {
		if !Managed(app.ISApplication, clients) {
			continue
		}
		var missing []string
		for _, scope := range s.Scopes {
			// By id: a scope that was made again has the same name, and nobody is authorized for it.
			if !slices.ContainsFunc(app.Scopes, func(has wso2.Scope) bool { return has.ID == scope.ID }) {
				missing = append(missing, scope.Name)
			}
		}
		if len(missing) > 0 {
			slices.Sort(missing)
			actions = append(actions, Action{Application: app.ISApplication, First: !app.Authorized, Scopes: missing})
		}
	}
	return actions
}

// connectorName is the name that the connector gives a client: owner, id of API-M's application, type of the keys.
var connectorName = regexp.MustCompile(`^.+_[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}_(PRODUCTION|SANDBOX)$`)

// Managed tells whether an application is one that API-M's connector made, by its name and by the description that IS
// gives to clients of dynamic registration, or one whose client id is listed in clients.
func Managed(app wso2.ISApplication, clients []string) bool {
	if app.ClientID != "" && slices.Contains(clients, app.ClientID) {
		return true
	}
	return connectorName.MatchString(app.Name) && app.Description == "Service Provider for application "+app.Name
}
