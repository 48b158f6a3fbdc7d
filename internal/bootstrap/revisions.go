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

// deployAPI makes sure that API-M sends the API to the gateway as it is desired, and returns when the revision was made that
// was deployed before; zero where this run has deployed one. A revision carries a hash of the desired API
// in its description, so a run sees whether the deployed one is current, whoever stopped in the middle before. An API that is
// new has no revision.
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
		// One that was made last and not deployed is taken up. An older one is not: the API may have been changed
		// by hand since, in what the file does not tell.
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

// createRevision makes a revision, and room for it where the API has as many as are allowed.
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

// makeRoom deletes the oldest revision that is not deployed. Where all are, the oldest is undeployed first.
func (r *run) makeRoom(ctx context.Context, want API, id string) error {
	revisions, err := r.Publisher.Revisions(ctx, id)
	if err != nil {
		return err
	}
	if len(revisions) == 0 {
		return fmt.Errorf("API %q %s has too many revisions and shows none", want.Name, want.Version)
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

// stampOf is the description of a revision of the desired API: 81 characters of the 255 that are allowed.
func stampOf(api wso2.NewAPI) string {
	text, err := json.Marshal(api)
	if err != nil {
		panic(err) // texts and lists of texts only
	}
	sum := sha256.Sum256(text)
	return "wso2agent sha256:" + hex.EncodeToString(sum[:])
}
