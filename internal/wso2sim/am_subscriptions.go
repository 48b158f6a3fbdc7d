package wso2sim

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"time"
)

type subscription struct {
	id, tier    string
	application *application
	api         *api
	created     time.Time
	known       time.Time // when the gateway knows it
	status, was string    // UNBLOCKED where it is empty; was counts for the gateway until since
	since       time.Time
	changed     bool // whether its tier was ever changed: then nothing is requested any more
}

// subscriptionDTO is what the DevPortal reads.
type subscriptionDTO struct {
	SubscriptionID            *string `json:"subscriptionId"`
	ApplicationID             *string `json:"applicationId"`
	APIID                     *string `json:"apiId"`
	APIInfo                   object  `json:"apiInfo"`
	ApplicationInfo           object  `json:"applicationInfo"`
	ThrottlingPolicy          *string `json:"throttlingPolicy"`
	RequestedThrottlingPolicy *string `json:"requestedThrottlingPolicy"`
	Status                    *string `json:"status" enum:"BLOCKED|PROD_ONLY_BLOCKED|UNBLOCKED|ON_HOLD|REJECTED|TIER_UPDATE_PENDING|DELETE_PENDING"`
	RedirectionParams         *string `json:"redirectionParams"`
}

func (am *AM) subscriptionRoutes(mux *http.ServeMux) {
	all := devportalPath + "/subscriptions"
	one := func(op func(http.ResponseWriter, *http.Request, *subscription) error) operation {
		return func(w http.ResponseWriter, r *http.Request) error {
			s := am.subscriptions[r.PathValue("id")]
			if s == nil {
				return notFound("subscription", r.PathValue("id"))
			}
			return op(w, r, s)
		}
	}
	mux.HandleFunc("GET "+all, am.subscriber(scopesSubscription, am.listSubscriptions))
	mux.HandleFunc("POST "+all, am.subscriber(scopesSubscription, am.createSubscription))
	mux.HandleFunc("GET "+all+"/{id}", am.subscriber(scopesSubscription, one(func(w http.ResponseWriter, _ *http.Request, s *subscription) error {
		writeJSON(w, http.StatusOK, am.subscriptionView(s))
		return nil
	})))
	mux.HandleFunc("PUT "+all+"/{id}", am.subscriber(scopesSubscription, am.updateSubscription))
	mux.HandleFunc("POST "+all+"/multiple", am.subscriber(scopesSubscription, am.createSubscriptions))
	mux.HandleFunc("DELETE "+all+"/{id}", am.subscriber(scopesSubscription, one(func(w http.ResponseWriter, _ *http.Request, s *subscription) error {
		am.removeSubscription(s)
		w.WriteHeader(http.StatusOK)
		return nil
	})))
}

func (am *AM) subscriptionCount(app *application) int {
	return len(am.lookup.ofApplication[app])
}

// apiInfo is an API as subscriptions and the DevPortal's lists show it.
func (am *AM) apiInfo(a *api) object {
	d := &a.dto
	var plan any // none without tiers
	if len(d.Policies) > 0 {
		plan = "FREE"
	}
	return object{
		"id": a.id(), "name": d.Name, "description": d.Description, "context": d.Context, "version": d.Version, "type": d.Type,
		"createdTime": d.CreatedTime, "provider": d.Provider, "lifeCycleStatus": d.LifeCycleStatus, "thumbnailUri": nil,
		"avgRating": "0.0", "throttlingPolicies": d.Policies, "advertiseInfo": d.AdvertiseInfo,
		"businessInformation": d.BusinessInformation, "isSubscriptionAvailable": true, "monetizationLabel": plan,
		"gatewayVendor": d.GatewayVendor, "additionalProperties": []any{}, "monetizedInfo": false, "egress": false, "subtype": "DEFAULT",
	}
}

func (am *AM) subscriptionView(s *subscription) object {
	return object{
		"subscriptionId": s.id, "applicationId": s.application.id, "apiId": s.api.id(), "apiInfo": am.apiInfo(s.api),
		"applicationInfo": am.applicationInfo(s.application), "throttlingPolicy": s.tier, "requestedThrottlingPolicy": s.requested(),
		"status": s.state(), "redirectionParams": nil,
	}
}

func (am *AM) listSubscriptions(w http.ResponseWriter, r *http.Request) error {
	appID, apiID := r.URL.Query().Get("applicationId"), r.URL.Query().Get("apiId")
	if appID != "" && am.applications[appID] == nil {
		return notFound("application", appID)
	}
	if appID == "" && apiID == "" {
		return badRequest("Either applicationId or apiId should be available")
	}
	found := am.subscriptionList(appID, apiID)
	writeJSON(w, http.StatusOK, pageOf(found, len(found), r, am.subscriptionView))
	return nil
}

// publisherSubscriptions is the Publisher's view, of one API.
func (am *AM) publisherSubscriptions(w http.ResponseWriter, r *http.Request) error {
	found := am.subscriptionList("", r.URL.Query().Get("apiId"))
	writeJSON(w, http.StatusOK, pageOf(found, len(found), r, am.publisherView))
	return nil
}

func (am *AM) subscriptionList(appID, apiID string) []*subscription {
	candidates := maps.Values(am.subscriptions)
	switch {
	case appID != "":
		candidates = maps.Values(am.lookup.ofApplication[am.applications[appID]])
	case apiID != "":
		candidates = maps.Values(am.lookup.ofAPI[am.apis[apiID]])
	}
	var found []*subscription
	for s := range candidates {
		if apiID == "" || s.api.id() == apiID {
			found = append(found, s)
		}
	}
	slices.SortFunc(found, func(a, b *subscription) int { return cmp.Or(a.created.Compare(b.created), cmp.Compare(a.id, b.id)) })
	return found
}

// createSubscription makes one subscription.
func (am *AM) createSubscription(w http.ResponseWriter, r *http.Request) error {
	var dto subscriptionDTO
	if err := readJSON(r, &dto); err != nil {
		return err
	}
	s, err := am.subscribe(dto)
	if err != nil {
		return err
	}
	w.Header().Set("Location", am.url(am.port)+"/api/am/devportal/subscriptions/"+s.id)
	writeJSON(w, http.StatusCreated, am.subscriptionView(s))
	return nil
}

// subscribe checks in the product's order: the tier, the state of the API, what exists already.
func (am *AM) subscribe(dto subscriptionDTO) (*subscription, error) {
	if dto.ApplicationID == nil {
		return nil, invalid("applicationId", "must not be null")
	}
	if dto.ThrottlingPolicy == nil {
		return nil, invalid("throttlingPolicy", "must not be null")
	}
	app, a := am.applications[*dto.ApplicationID], am.apis[value(dto.APIID)]
	if a == nil {
		return nil, errGeneral
	}
	if app == nil {
		return nil, notFound("application", *dto.ApplicationID)
	}
	if err := am.checkTier(a, *dto.ThrottlingPolicy); err != nil {
		return nil, err
	}
	if !visible(a.dto.LifeCycleStatus) {
		return nil, errGeneral
	}
	if am.lookup.ofApplication[app][a] != nil {
		return nil, conflict("Specified subscription already exists for API " + a.id() + ", for application " + app.id)
	}
	now := time.Now()
	s := &subscription{id: newUUID(), tier: *dto.ThrottlingPolicy, application: app, api: a, created: now, known: now.Add(am.delays.Client.pick())}
	am.addSubscription(s)
	return s, nil
}

func (am *AM) checkTier(a *api, tier string) error {
	if tier == subscriptionless {
		return &fault{status: 400, code: 902019, message: "Invalid subscription policy",
			description: "The subscription policy " + tier + " is not for subscriptions"}
	}
	if !slices.Contains(a.dto.Policies, tier) {
		return &fault{status: 403, code: 902002, message: "Subscription Tier is not allowed for user",
			description: "Subscription Tier " + tier + " is not allowed for user " + am.admin + " "}
	}
	return nil
}
