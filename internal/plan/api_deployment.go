package plan

import (
	"slices"

	"wso2agent/internal/desired"
)

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
// Both sides are environments with their hosts. A host that the file leaves out is not compared; vhost is that of a deployment that is
// missing. Whether the Developer Portal shows an address is not compared either: API-M 4.5 makes false true without a word. If the file
// has no list, further environments stay.
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

// Rollout is what brings an API to the gateway environments of the file.
type Rollout struct {
	Revision string     // the id of the revision to deploy; empty for a new one
	To       []Object   // where to deploy it: the body of the request
	Withdraw []Revision // what to undeploy then, with the environments
	Spare    bool       // take an API out of no environment that is not in To, to make room for a new revision
}

// RolloutOf returns how to bring an API to the environments of the file. have is the API as it is saved now. changed reports whether the
// gateway needs a new revision, and late whether a revision is behind the saved API. An environment that has what it should have is left
// out: it would be loaded again, and API-M refuses to deploy a revision where it is.
func RolloutOf(want desired.API, have API, vhost string, changed, late bool) (r Rollout) {
	type place struct{ revision, host string }
	has, wanted := map[string]place{}, map[string]bool{}
	for _, revision := range have.Revisions {
		for _, d := range revision.Deployments {
			has[textAt(d, "name", "")] = place{revision.ID, textAt(d, "vhost", "")}
		}
	}
	if n := len(have.Revisions); n > 0 && !changed && have.Revisions[n-1].Description == Stamp(have.Object) {
		r.Revision = have.Revisions[n-1].ID // of a run that ended before it was deployed, or deployed elsewhere
	}
	all := Deployments(want, "")
	for _, d := range all {
		name := textAt(d, "name", "")
		wanted[name] = true
		if r.Revision == "" && !changed && !late {
			r.Revision = has[name].revision
		}
	}
	for _, d := range all {
		on, deployed := has[textAt(d, "name", "")]
		if d["vhost"] == "" {
			d["vhost"] = vhost
			if deployed {
				d["vhost"] = on.host
			}
		}
		if !deployed || changed || on.host != d["vhost"] || late && on.revision != r.Revision {
			r.To = append(r.To, d)
			if deployed && on.revision == r.Revision {
				r.Revision = "" // another host for a revision that is there
			}
		}
	}
	if !want.Environments.Set || want.Environments.Null {
		return r
	}
	for _, revision := range have.Revisions {
		left := slices.DeleteFunc(slices.Clone(revision.Deployments), func(d Object) bool { return wanted[textAt(d, "name", "")] })
		if len(left) > 0 {
			r.Withdraw = append(r.Withdraw, Revision{ID: revision.ID, Deployments: left})
		}
	}
	return r
}
