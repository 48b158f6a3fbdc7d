package apply

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"wso2agent/internal/plan"
	"wso2agent/internal/remedy"
	"wso2agent/internal/wso2"
)

// lifecycle brings an API to a state, step by step.
func (r *round) lifecycle(ctx context.Context, api plan.Object, target string) error {
	id, state := textOf(api, "id"), textOf(api, "lifeCycleStatus")
	if textOf(api, "workflowStatus") == waits {
		return pending(state, target)
	}
	way, err := plan.Lifecycle(state, target, nil)
	if err != nil {
		return byHand(err)
	}
	for i, action := range way {
		var checklist []string
		if action == "Publish" && i < len(way)-1 { // nobody can subscribe to what is published on the way to another state
			checklist = append(checklist, wso2.NoCarriedSubscriptions)
		}
		status, err := r.Publisher.ChangeLifecycle(ctx, id, action, checklist...)
		switch {
		case wso2.HasCode(err, wso2.CodeLifecycle):
			return r.notOffered(ctx, id, target, err)
		case err != nil:
			return gone(err)
		case status == waits:
			return pending(state, target)
		}
	}
	return nil
}

// waits is the status of a change that somebody must approve.
const waits = "CREATED"

func pending(state, target string) error {
	return toApprove(remedy.Add(fmt.Errorf("the change of the lifecycle from %s to %s waits for approval", state, target),
		"approve it in API-M's Admin Portal, under Tasks"))
}

// notOffered says why the server refuses a step. If it offers another way, or if somebody else has made the step, another round goes on.
func (r *round) notOffered(ctx context.Context, id, target string, cause error) error {
	now, err := r.Publisher.Lifecycle(ctx, id)
	if err != nil {
		return again(errors.Join(cause, err))
	}
	offered := []string{}
	for _, t := range now.Transitions {
		offered = append(offered, t.Action)
	}
	if _, err := plan.Lifecycle(strings.ToUpper(now.State), target, offered); err != nil {
		return byHand(remedy.Add(errors.Join(err, cause), "look for a pending task in API-M's Admin Portal, or change lifecycle in the file"))
	}
	return again(cause)
}
