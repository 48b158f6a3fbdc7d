// Package scopes keeps the applications of API-M authorized in IS for the scopes of API-M's APIs, and for nothing else.
//
// API-M's connector for IS 7 puts the scopes of all APIs into one API resource of IS, and creates a client in IS for every
// application with keys. IS grants such a client a scope only if the application is authorized for it. The connector does not
// authorize it. The integration guide sets [oauth] authorize_all_scopes instead, which grants every client every scope, also those of
// IS's own administration.
//
// One pass reads the scopes and the applications, decides in a pure function, and acts. It never removes an authorization, because
// that would revoke the application's tokens.
package scopes

import (
	"regexp"
	"slices"

	"wso2agent/internal/wso2"
)

// Resource is the identifier of the API resource in which the connector keeps the scopes of all APIs (apim-km-wso2is,
// WSO2IS7KeyManagerConstants).
const Resource = "User-defined-oauth2-resource"

// State is the state of IS that decisions need: the scopes of the connector's API resource, and which of them each application has.
type State struct {
	Resource     string // id of the API resource; empty if no API has had a scope yet
	Scopes       []wso2.Scope
	Applications []Application
}

// Application is an application of IS.
type Application struct {
	wso2.ISApplication
	Authorized bool         // for the API resource, perhaps for none of its scopes
	Scopes     []wso2.Scope // scopes of the API resource for which it is authorized
}

// Action is one request to IS: it authorizes an application for the named scopes.
type Action struct {
	Application wso2.ISApplication
	First       bool     // the application is not authorized for the API resource yet
	Scopes      []string // names in order, at least one
}

// Decide returns the actions after which every managed application is authorized for every scope.
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
			// By id: a scope that was created again has the same name, and no application is authorized for it.
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

// connectorName matches the name that the connector gives a client: owner, id of API-M's application, and type of the keys.
var connectorName = regexp.MustCompile(`^.+_[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}_(PRODUCTION|SANDBOX)$`)

// Managed reports whether the agent manages an application: API-M's connector has made it, or clients has its client id. Managed
// recognizes the connector's by their names, and by the description that IS gives to clients of dynamic registration.
func Managed(app wso2.ISApplication, clients []string) bool {
	if app.ClientID != "" && slices.Contains(clients, app.ClientID) {
		return true
	}
	return connectorName.MatchString(app.Name) && app.Description == "Service Provider for application "+app.Name
}
