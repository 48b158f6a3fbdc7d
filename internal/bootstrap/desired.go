// Package bootstrap brings API-M to a desired state that people write in one YAML file: IS as key manager, APIs
// published, an application with subscriptions and keys. It can run again at any time: a run that finds everything as
// desired sends nothing but GET.
package bootstrap

import "strings"

// Desired is what shall be on the server, checked against the servers' rules by [Load].
type Desired struct {
	APIs          []API
	Application   Application
	Subscriptions []Subscription
}

// API is an API that shall be published. Name and version together identify it.
type API struct {
	Name        string // without spaces around it, single spaces within: API-M makes it so
	Version     string
	Context     string // begins with a slash; without the version
	BackendURL  string
	Description string   // empty: what the server has stays
	Tags        []string // nil: what the server has stays
}

// Path is where the gateway serves the API: the version follows the context, unless the context says where it goes.
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
	PolicyAt         string // its place in the file, as file:line:column; empty where the file names none
}

// Subscription lets the application call all versions of an API.
type Subscription struct {
	APIName          string
	ThrottlingPolicy string
	PolicyAt         string // its place in the file, as file:line:column; empty where the file names none
}

// policies are the subscription policies that an API must offer: those of its subscriptions, and always Unlimited.
func (d *Desired) policies(name string) []string {
	list := []string{defaultPolicy}
	for _, s := range d.Subscriptions {
		if s.APIName == name && s.ThrottlingPolicy != defaultPolicy {
			list = append(list, s.ThrottlingPolicy)
		}
	}
	return list
}

// defaultPolicy is the policy, of applications and of subscriptions alike, where the file names none.
const defaultPolicy = "Unlimited"
