package apply

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"wso2agent/internal/plan"
	"wso2agent/internal/remedy"
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
			if revision, err = r.revision(ctx, have, o); err != nil {
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
func (r *round) revision(ctx context.Context, have plan.API, o plan.Rollout) (string, error) {
	id, stamp := textOf(have.Object, "id"), plan.Stamp(have.Object)
	made, err := r.Publisher.CreateRevision(ctx, id, stamp)
	if !wso2.HasCode(err, wso2.CodeRevisionLimit) {
		return made, gone(err)
	}
	if len(have.Revisions) == 0 {
		return "", again(err) // somebody made them since the round has read the API
	}
	old, ok := surplus(have.Revisions, o)
	if !ok {
		return "", byHand(remedy.Add(fmt.Errorf("each revision serves an environment in which the new one is not to be deployed: %w", err),
			"undeploy or delete a revision in the Publisher, or deploy in more environments"))
	}
	if err := r.makeRoom(ctx, id, old); err != nil {
		return "", err
	}
	return r.Publisher.CreateRevision(ctx, id, stamp)
}

// surplus returns which revision to delete before another one is made: the oldest one that is not deployed, else the oldest one that the
// new one replaces everywhere, else the oldest one. ok is false if only the last one is left, and its environments are to be spared.
func surplus(revisions []plan.Revision, o plan.Rollout) (old plan.Revision, ok bool) {
	left := func(d plan.Object) bool {
		return !slices.ContainsFunc(o.To, func(to plan.Object) bool { return to["name"] == d["name"] })
	}
	for _, r := range revisions {
		if len(r.Deployments) == 0 {
			return r, true
		}
	}
	for _, r := range revisions {
		if !slices.ContainsFunc(r.Deployments, left) {
			return r, true
		}
	}
	return revisions[0], !o.Spare
}

// makeRoom undeploys a revision where it is deployed, and deletes it.
func (r *round) makeRoom(ctx context.Context, id string, old plan.Revision) error {
	var err error
	if len(old.Deployments) > 0 {
		err = r.Publisher.UndeployRevision(ctx, id, old.ID, deploymentsOf(old.Deployments))
	}
	if err == nil {
		err = r.Publisher.DeleteRevision(ctx, id, old.ID)
	}
	if wso2.HasStatus(err, http.StatusNotFound) {
		return nil // somebody has deleted it
	}
	if wso2.HasCode(err, codeRevisionDeployed) {
		return again(errors.Join(errors.New("somebody has just deployed the revision to delete"), err))
	}
	return err
}
