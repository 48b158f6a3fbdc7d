package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"wso2agent/internal/desired"
)

// Revision is what the Publisher has of a revision of an API.
type Revision struct {
	ID          string
	Description string    // of one that the agent has made, the [Stamp] of the API at that time
	Created     time.Time // in whole seconds, by the server's clock; zero where it does not say
	Deployments []Object  // environments that have it, with name and vhost
	Object      Object    // the API as it was when the revision was made; nil if it was not read
}

// gatewayTable has the rows of an API whose change reaches the gateway only with a new revision. The server does not keep in a revision
// which version is the default one.
var gatewayTable = slices.DeleteFunc(slices.Clone(apiTable), func(row mapping) bool {
	return row.have == nil || row.path == "default_version" || !NeedsRevision([]Difference{{Path: row.path}})
})

// Stamp returns a description for a revision of an API, which says who made it. Two objects with the same stamp are the same for the
// gateway in all fields that a file can set, except for secrets. It has 81 characters; API-M allows 255.
func Stamp(o Object) string {
	var all []any
	for _, row := range gatewayTable {
		all = append(all, row.path, row.have(o))
	}
	text, err := json.Marshal(all)
	if err != nil {
		panic(err) // cannot happen: all values come from JSON
	}
	sum := sha256.Sum256(text)
	return "wso2agent sha256:" + hex.EncodeToString(sum[:])
}

// MayLack reports whether a deployed revision may lack what the gateway is to have of an API, so that its object must be read. It does
// not if it has the stamp of the API as it is, or if nobody has changed the API since. A change of the lifecycle counts as one.
func MayLack(o Object, r Revision) bool {
	if r.Description == Stamp(o) {
		return false
	}
	ms, err := strconv.ParseInt(textAt(o, "lastUpdatedTimestamp", ""), 10, 64)
	return err != nil || !time.UnixMilli(ms).Before(r.Created)
}

// RevisionDifferences compares an API with the revisions that are deployed where the file wants the API. They differ after a run that
// ended between the save and the deployment, and after a save in the Publisher. What only portals show does not count.
func RevisionDifferences(want desired.API, have API) []Difference {
	var lacks []string
	for _, r := range have.Revisions {
		if r.Object == nil || !DeployedFor(want, r) {
			continue
		}
		for _, row := range gatewayTable {
			d := Difference{Path: row.path, Have: row.have(r.Object), Want: row.have(have.Object)}
			if !equal(d.Have, d.Want) && NeedsRevision([]Difference{d}) {
				lacks = append(lacks, row.path)
			}
		}
	}
	if len(lacks) == 0 {
		return nil
	}
	paths := slices.DeleteFunc(set(lacks), func(group string) bool { // the fields of a group say more
		return slices.ContainsFunc(lacks, func(path string) bool { return strings.HasPrefix(path, group+".") })
	})
	return []Difference{{Path: "revision", Have: "lacks " + strings.Join(paths, ", "), Want: "the saved API"}}
}

// DeployedFor reports whether a revision is deployed in an environment in which the file wants the API.
func DeployedFor(want desired.API, r Revision) bool {
	return slices.ContainsFunc(Deployments(want, ""), func(d Object) bool {
		return slices.ContainsFunc(r.Deployments, func(on Object) bool { return on["name"] == d["name"] })
	})
}
