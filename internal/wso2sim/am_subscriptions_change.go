package wso2sim

import (
	"net/http"
	"slices"
	"time"
)

// The states of a subscription. A blocked one may be so for production keys alone.
const (
	unblocked         = "UNBLOCKED"
	blocked           = "BLOCKED"
	productionBlocked = "PROD_ONLY_BLOCKED"
)

var scopesSubWrite = []string{"apim:subscription_block", "apim:subscription_manage", "apim:api_manage"}

func (s *subscription) state() string {
	if s.status == "" {
		return unblocked
	}
	return s.status
}

// requested is the tier that was asked for; a change forgets it.
func (s *subscription) requested() any {
	if s.changed {
		return nil
	}
	return s.tier
}

// blockedFor reports whether the gateway refuses keys of a type.
func (s *subscription) blockedFor(keyType string, now time.Time) bool {
	state := s.status
	if now.Before(s.since) {
		state = s.was
	}
	return state == blocked || state == productionBlocked && keyType == "PRODUCTION"
}

// subscriptionChangeRoutes are those of the Publisher that change a subscription.
func (am *AM) subscriptionChangeRoutes(mux *http.ServeMux) {
	handle := func(path string, op func(r *http.Request, s *subscription) error) {
		mux.HandleFunc("POST "+publisherPath+"/subscriptions/"+path, am.locked(scopesSubWrite, func(w http.ResponseWriter, r *http.Request) error {
			s := am.subscriptions[r.URL.Query().Get("subscriptionId")]
			if s == nil {
				return notFound("subscription", r.URL.Query().Get("subscriptionId"))
			}
			if err := op(r, s); err != nil {
				return err
			}
			am.changed("subscription", s.id)
			writeJSON(w, http.StatusOK, am.publisherView(s))
			return nil
		}))
	}
	handle("block-subscription", func(r *http.Request, s *subscription) error {
		state := r.URL.Query().Get("blockState")
		if state != blocked && state != productionBlocked {
			return errInternal
		}
		am.setState(s, state)
		return nil
	})
	handle("unblock-subscription", func(_ *http.Request, s *subscription) error {
		am.setState(s, unblocked)
		return nil
	})
	handle("change-business-plan", func(r *http.Request, s *subscription) error {
		plan := r.URL.Query().Get("businessPlan")
		if !slices.Contains(s.api.dto.Policies, plan) {
			return &fault{status: 400, code: 902019, message: "The Business plan is not allowed.",
				description: "Business plan '" + plan + "' is not allowed for the API."}
		}
		s.tier, s.changed = plan, true
		return nil
	})
}

// setState changes a state, of which the gateway hears a moment later.
func (am *AM) setState(s *subscription, state string) {
	s.was, s.status, s.since = s.status, state, time.Now().Add(am.delays.Client.pick())
}

func (am *AM) publisherView(s *subscription) object {
	return object{
		"subscriptionId": s.id, "throttlingPolicy": s.tier, "subscriptionStatus": s.state(),
		"applicationInfo": object{
			"applicationId": s.application.id, "name": s.application.name, "subscriber": am.ownerOf(s.application),
			"description": s.application.description, "subscriptionCount": am.subscriptionCount(s.application),
		},
	}
}

// createSubscriptions makes several. One that cannot be made ends it, and those before it stay.
func (am *AM) createSubscriptions(w http.ResponseWriter, r *http.Request) error {
	var all []subscriptionDTO
	if err := readJSON(r, &all); err != nil {
		return err
	}
	list := []object{}
	for _, dto := range all {
		a := am.apis[value(dto.APIID)]
		if a == nil || !visible(a.dto.LifeCycleStatus) {
			return notFound("API", value(dto.APIID))
		}
		s, err := am.subscribe(dto)
		if err != nil {
			return err
		}
		list = append(list, am.subscriptionView(s))
	}
	writeJSON(w, http.StatusOK, list)
	return nil
}

// updateSubscription reads the tier to change to from requestedThrottlingPolicy. It looks at the state of the body and
// at that of the subscription, neither of which may be another than UNBLOCKED.
func (am *AM) updateSubscription(w http.ResponseWriter, r *http.Request) error {
	var dto subscriptionDTO
	if err := readJSON(r, &dto); err != nil {
		return err
	}
	s := am.subscriptions[r.PathValue("id")]
	switch {
	case s == nil || dto.Status == nil:
		return badRequest("Request must contain status of the subscription")
	case *dto.Status != unblocked || s.state() != unblocked:
		return badRequest("Cannot update subscriptions with provided or existing status")
	}
	requested := value(dto.RequestedThrottlingPolicy)
	if !slices.Contains(s.api.dto.Policies, requested) {
		return &fault{status: 500, code: 500, message: errInternal.message, description: "Error while adding the subscription API:" +
			s.api.id() + ", application:" + s.application.id + ", tier:" + value(dto.ThrottlingPolicy)}
	}
	s.tier, s.changed = requested, true
	am.changed("subscription", s.id)
	writeJSON(w, http.StatusOK, am.subscriptionView(s))
	return nil
}
