package apply

import (
	"context"
	"errors"
	"net/http"

	"wso2agent/internal/plan"
	"wso2agent/internal/wso2"
)

// rollOut deploys an API as it is saved, and undeploys it from the environments that the file does not name any more. Of a new API have
// has no revision.
func (r *round) rollOut(ctx context.Context, have plan.API, o plan.Rollout) error {
	id := textOf(have.Object, "id")
	if len(o.To) > 0 {
		revision := o.Revision
		if revision == "" {
			var err error
			if revision, err = r.revision(ctx, have); err != nil {
				return err
			}
		}
		if err := r.Publisher.DeployRevision(ctx, id, revision, deploymentsOf(o.To)...); err != nil {
			return gone(err)
		}
	}
	for _, old := range o.Withdraw {
		if err := r.Publisher.UndeployRevision(ctx, id, old.ID, deploymentsOf(old.Deployments)); err != nil {
			return gone(err)
		}
	}
	return nil
}

func deploymentsOf(places []plan.Object) (all []wso2.Deployment) {
	for _, p := range places {
		display, _ := p["displayOnDevportal"].(bool)
		all = append(all, wso2.Deployment{Environment: textOf(p, "name"), VHost: textOf(p, "vhost"), DisplayOnDevPortal: display})
	}
	return all
}

// revision makes a revision of an API. If the API has the maximum number of revisions, it deletes one before.
func (r *round) revision(ctx context.Context, have plan.API) (string, error) {
	id, stamp := textOf(have.Object, "id"), plan.Stamp(have.Object)
	made, err := r.Publisher.CreateRevision(ctx, id, stamp)
	if !wso2.HasCode(err, wso2.CodeRevisionLimit) {
		return made, gone(err)
	}
	if len(have.Revisions) == 0 {
		return "", again(err) // somebody made them since the round has read the API
	}
	if err := r.makeRoom(ctx, id, have.Revisions); err != nil {
		return "", err
	}
	return r.Publisher.CreateRevision(ctx, id, stamp)
}

// makeRoom deletes the oldest revision that is not deployed. If all are deployed, it undeploys the oldest one first.
func (r *round) makeRoom(ctx context.Context, id string, revisions []plan.Revision) error {
	oldest := revisions[0]
	for _, revision := range revisions {
		if len(revision.Deployments) == 0 {
			oldest = revision
			break
		}
	}
	var err error
	if len(oldest.Deployments) > 0 {
		err = r.Publisher.UndeployRevision(ctx, id, oldest.ID, deploymentsOf(oldest.Deployments))
	}
	if err == nil {
		err = r.Publisher.DeleteRevision(ctx, id, oldest.ID)
	}
	if wso2.HasStatus(err, http.StatusNotFound) {
		return nil // somebody has deleted it
	}
	if wso2.HasCode(err, codeRevisionDeployed) {
		return again(errors.Join(errors.New("somebody has just deployed the oldest revision"), err))
	}
	return err
}
