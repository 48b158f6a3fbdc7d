package plan

import "wso2agent/internal/desired"

// defaultEnvironment is the gateway environment that API-M brings.
const defaultEnvironment = "Default"

// Deployments returns where the file wants an API: the body of a deployment of a revision. An API whose file names no environment is
// to be in the one that API-M brings. vhost is the host of an environment for which the file names none.
func Deployments(want desired.API, vhost string) []Object {
	if !want.Environments.Set || want.Environments.Null {
		return []Object{{"name": defaultEnvironment, "vhost": vhost, "displayOnDevportal": true}}
	}
	var all []Object
	for _, e := range want.Environments.Value {
		all = append(all, Object{"name": e.Value.Name.Value, "vhost": e.Value.VHost.Or(vhost), "displayOnDevportal": e.Value.Display.Or(true)})
	}
	return all
}

// DeploymentDifferences compares the environments of the file with the deployments that the Publisher shows of a revision or an API.
// Both sides are environments with their hosts. A host that the file leaves out is not compared; vhost is that of a deployment that is missing. Whether the Developer Portal shows
// an address is not compared either: API-M 4.5 makes false true without a word. If the file has no list, further environments stay.
func DeploymentDifferences(want desired.API, deployments []Object, vhost string) []Difference {
	have := map[string]any{}
	for _, d := range deployments {
		have[textAt(d, "name", "")] = textAt(d, "vhost", "")
	}
	wanted := map[string]any{}
	if !want.Environments.Set || want.Environments.Null {
		for name, vhost := range have {
			wanted[name] = vhost
		}
	}
	for _, d := range Deployments(want, "") {
		name := textAt(d, "name", "")
		host, deployed := have[name]
		switch {
		case d["vhost"] != "":
			wanted[name] = d["vhost"]
		case deployed:
			wanted[name] = host
		default:
			wanted[name] = vhost
		}
	}
	has, wants := apart(have, wanted)
	if len(has) == 0 && len(wants) == 0 {
		return nil
	}
	return []Difference{{Path: "environments", Have: has, Want: wants}}
}
