package wso2sim

import (
	"maps"
	"net/http"
	"strings"
	"time"
)

// transition is a step of an API's life; its name is matched exactly.
type transition struct{ event, state string }

// transitions are those of a state, in the order in which the product lists them.
func transitions(state string) []transition {
	switch state {
	case "CREATED":
		return []transition{{"Publish", "PUBLISHED"}, {"Deploy as a Prototype", "PROTOTYPED"}}
	case "PROTOTYPED":
		return []transition{{"Publish", "PUBLISHED"}, {"Demote to Created", "CREATED"}}
	case "PUBLISHED":
		return []transition{{"Block", "BLOCKED"}, {"Deploy as a Prototype", "PROTOTYPED"}, {"Demote to Created", "CREATED"}, {"Deprecate", "DEPRECATED"}}
	case "BLOCKED":
		return []transition{{"Deprecate", "DEPRECATED"}, {"Re-Publish", "PUBLISHED"}}
	case "DEPRECATED":
		return []transition{{"Retire", "RETIRED"}}
	}
	return nil
}

// lifecycleView shows a state as the lifecycle has it, "Published" where the API says PUBLISHED.
func lifecycleView(a *api) object {
	available := []object{}
	for _, t := range transitions(a.dto.LifeCycleStatus) {
		available = append(available, object{"event": t.event, "targetState": ""})
	}
	state := a.dto.LifeCycleStatus
	return object{"state": state[:1] + strings.ToLower(state[1:]), "checkItems": []any{}, "availableTransitions": available}
}

// lifecycleStep is a state that an API has entered.
type lifecycleStep struct {
	State string
	At    time.Time
}

// enter takes an API to a state.
func (a *api) enter(state string) {
	a.dto.LifeCycleStatus = state
	a.history = append(a.history, lifecycleStep{state, time.Now()})
}

func (am *AM) lifecycleRoutes(mux *http.ServeMux) {
	apis := publisherPath + "/apis"
	mux.HandleFunc("POST "+apis+"/change-lifecycle", am.locked(scopesLifecycle, am.changeLifecycle))
	mux.HandleFunc("GET "+apis+"/{id}/lifecycle-state", am.locked(scopesRevisionView, am.withAPI(func(w http.ResponseWriter, _ *http.Request, a *api) error {
		writeJSON(w, http.StatusOK, lifecycleView(a))
		return nil
	})))
	mux.HandleFunc("GET "+apis+"/{id}/lifecycle-history", am.locked(scopesRevisionView, am.withAPI(am.showHistory)))
	mux.HandleFunc("DELETE "+apis+"/{id}/lifecycle-state/pending-tasks", am.locked(scopesLifecycle, am.withAPI(func(w http.ResponseWriter, _ *http.Request, _ *api) error {
		w.WriteHeader(http.StatusOK) // without workflows there are none
		return nil
	})))
}

func (am *AM) showHistory(w http.ResponseWriter, _ *http.Request, a *api) error {
	list := []object{}
	var before any
	for _, step := range a.history {
		list = append(list, object{"previousState": before, "postState": step.State, "user": am.admin,
			"updatedTime": step.At.UTC().Format("2006-01-02T15:04:05.000Z")})
		before = step.State
	}
	writeJSON(w, http.StatusOK, object{"count": len(list), "list": list})
	return nil
}

func (am *AM) changeLifecycle(w http.ResponseWriter, r *http.Request) error {
	id, action := r.URL.Query().Get("apiId"), r.URL.Query().Get("action")
	a := am.apis[id]
	switch {
	case action == "":
		return invalid("changeAPILifecycle.arg0", "must not be null")
	case a == nil:
		return notFound("API", id)
	}
	if err := am.move(a, action, r.URL.Query().Get("lifecycleChecklist")); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, object{"workflowStatus": "APPROVED", "jsonPayload": "", "lifecycleState": lifecycleView(a)})
	return nil
}

// What the checklist of a step can ask for, where an API is published for the first time.
const (
	deprecateOld = "Deprecate old versions after publishing the API:true"
	resubscribe  = "Requires re-subscription when publishing the API:true"
)

// move takes one step of the lifecycle.
func (am *AM) move(a *api, action, checklist string) error {
	var allowed []string
	target := ""
	for _, t := range transitions(a.dto.LifeCycleStatus) {
		allowed = append(allowed, t.event)
		if t.event == action {
			target = t.state
		}
	}
	if target == "" {
		return &fault{status: 400, code: 903234, message: "Unsupported state change action",
			description: "Lifecycle state change action " + action + " is not allowed for this API. Allowed actions are [" + strings.Join(allowed, ", ") + "]"}
	}
	if target == "PUBLISHED" {
		if err := publishable(a); err != nil {
			return err
		}
	}
	first := target == "PUBLISHED" && a.dto.LifeCycleStatus != "BLOCKED"
	a.enter(target)
	a.touch(a.history[len(a.history)-1].At)
	if target == "RETIRED" {
		for _, s := range maps.Clone(am.lookup.ofAPI[a]) {
			am.removeSubscription(s)
		}
	}
	am.changed("api", a.id())
	am.reindex(a)
	if first && !strings.Contains(checklist, resubscribe) {
		am.carrySubscriptions(a)
	}
	if first && strings.Contains(checklist, deprecateOld) {
		am.deprecateOlder(a)
	}
	return nil
}

func publishable(a *api) error {
	refuse := func(code int, what string) error {
		why := "Failed to publish service to API store. No " + what + " selected"
		return &fault{status: 400, code: code, message: why, description: why + " for API with UUID " + a.id()}
	}
	if len(a.dto.EndpointConfig) == 0 && value(a.dto.Type) != typeWebSub {
		return refuse(903223, "endpoint")
	}
	if len(a.dto.Policies) == 0 {
		return refuse(903224, "Tiers")
	}
	return nil
}
