package bootstrap

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"wso2agent/internal/wso2"
)

// environment is the gateway environment that the product ships.
const environment = "Default"

// deployAPI makes sure that the desired API is deployed to the gateway. It returns when the deployed revision was made, or zero if
// this run has deployed one. A revision has a hash of the desired API in its description. By that a run sees whether the deployed
// revision is current, even if an earlier run was stopped. An API that is new has no revision.
func (r *run) deployAPI(ctx context.Context, want API, id string, isNew bool) (before time.Time, err error) {
	var revisions []wso2.Revision
	if !isNew {
		if revisions, err = r.Publisher.Revisions(ctx, id); err != nil {
			return before, err
		}
	}
	stamp := stampOf(newAPI(want, r.desired.policies(want.Name)))
	target := wso2.Deployment{Environment: environment, VHost: r.VHost, DisplayOnDevPortal: true}
	revision := ""
	for i, rev := range revisions {
		if rev.Description != stamp {
			continue
		}
		if deployedAt(rev, target) {
			return rev.Created(), nil
		}
		// The run deploys the last revision if it is current. It does not deploy an older one: somebody may have changed
		// the API by hand since, in fields that the file does not set.
		if i == len(revisions)-1 {
			revision = rev.ID
		}
	}
	if revision == "" {
		if revision, err = r.createRevision(ctx, want, id, stamp); err != nil {
			return before, err
		}
	}
	return before, r.change(fmt.Sprintf("deployed API %q %s", want.Name, want.Version), func() error {
		return r.Publisher.DeployRevision(ctx, id, revision, target)
	})
}

// createRevision makes a revision. If the API has the maximum number of revisions, it first deletes one.
func (r *run) createRevision(ctx context.Context, want API, id, stamp string) (string, error) {
	var made string
	create := func() error {
		var err error
		made, err = r.Publisher.CreateRevision(ctx, id, stamp)
		return err
	}
	what := fmt.Sprintf("made a revision of API %q %s", want.Name, want.Version)
	err := r.change(what, create)
	if !wso2.HasCode(err, wso2.CodeRevisionLimit) {
		return made, err
	}
	if err := r.makeRoom(ctx, want, id); err != nil {
		return "", err
	}
	return made, r.change(what, create)
}

// makeRoom deletes the oldest revision that is not deployed. If all are deployed, it undeploys the oldest one first.
func (r *run) makeRoom(ctx context.Context, want API, id string) error {
	revisions, err := r.Publisher.Revisions(ctx, id)
	if err != nil {
		return err
	}
	if len(revisions) == 0 {
		return fmt.Errorf("API-M refuses a further revision of API %q %s, and lists none", want.Name, want.Version)
	}
	oldest := revisions[0]
	for _, rev := range revisions {
		if len(rev.Deployments) == 0 {
			oldest = rev
			break
		}
	}
	if len(oldest.Deployments) > 0 {
		err := r.change(fmt.Sprintf("undeployed the oldest revision of API %q %s", want.Name, want.Version), func() error {
			return orGone(r.Publisher.UndeployRevision(ctx, id, oldest.ID, oldest.Deployments))
		})
		if err != nil {
			return err
		}
	}
	return r.change(fmt.Sprintf("deleted the oldest revision of API %q %s", want.Name, want.Version), func() error {
		return orGone(r.Publisher.DeleteRevision(ctx, id, oldest.ID))
	})
}

func deployedAt(rev wso2.Revision, target wso2.Deployment) bool {
	for _, d := range rev.Deployments {
		if d == target {
			return true
		}
	}
	return false
}

// stampOf returns the description of a revision of the desired API. It has 81 characters; API-M allows 255.
func stampOf(api wso2.NewAPI) string {
	text, err := json.Marshal(api)
	if err != nil {
		panic(err) // cannot happen: all fields are texts and lists of texts
	}
	sum := sha256.Sum256(text)
	return "wso2agent sha256:" + hex.EncodeToString(sum[:])
}
