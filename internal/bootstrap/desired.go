// Package bootstrap brings API-M to a desired state that people write in one YAML file: IS as key manager, published APIs, and an
// application with subscriptions and keys. It can run again at any time. A run that finds everything as desired only sends GET
// requests.
package bootstrap

import "strings"

// Desired is the desired state of the server. [Load] has checked it against the servers' rules.
type Desired struct {
	APIs          []API
	Application   Application
	Subscriptions []Subscription
}

// API is an API to publish. Name and version together identify it.
type API struct {
	Name        string // without spaces around it, and with single spaces inside, as API-M stores it
	Version     string
	Context     string // begins with a slash; without the version
	BackendURL  string
	Description string   // empty: the server keeps its description
	Tags        []string // nil: the server keeps its tags
}

// Path returns the path at which the gateway serves the API. The version follows the context, unless the context has a place for it.
func (a API) Path() string { return gatewayPath(a.Context, a.Version) }

func gatewayPath(context, version string) string {
	if strings.Contains(context, "{version}") {
		return strings.ReplaceAll(context, "{version}", version)
	}
	return context + "/" + version
}

// Application is the application that calls the APIs.
type Application struct {
	Name             string
	ThrottlingPolicy string
	PolicyAt         string // where the file names it, as file:line:column; empty if the file does not
}

// Subscription lets the application call all versions of an API.
type Subscription struct {
	APIName          string
	ThrottlingPolicy string
	PolicyAt         string // where the file names it, as file:line:column; empty if the file does not
}

// policies returns the subscription policies that an API must offer: Unlimited, and those of its subscriptions.
func (d *Desired) policies(name string) []string {
	list := []string{defaultPolicy}
	for _, s := range d.Subscriptions {
		if s.APIName == name && s.ThrottlingPolicy != defaultPolicy {
			list = append(list, s.ThrottlingPolicy)
		}
	}
	return list
}

// defaultPolicy is the throttling policy of applications and subscriptions for which the file names none.
const defaultPolicy = "Unlimited"
