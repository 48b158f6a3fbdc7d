package wso2sim

import (
	"cmp"
	"net/http"
	"slices"
)

// tierRoutes are the throttling policies as the Publisher shows them. It changes none of them.
func (am *AM) tierRoutes(mux *http.ServeMux) {
	tiers := publisherPath + "/throttling-policies"
	mux.HandleFunc("GET "+tiers+"/{level}", am.locked(scopesTierView, am.listTiers))
	mux.HandleFunc("GET "+tiers+"/{level}/{name}", am.locked(scopesTierView, am.showTier))
	mux.HandleFunc("GET "+tiers+"/streaming/subscription", am.locked(scopesTierView, am.listStreamingTiers))
}

// tierLevel is a level as the Publisher names it: in a path, and in what it shows.
func tierLevel(path string) (level, shown string, err error) {
	switch path {
	case "subscription":
		return levelSubscription, "SUBSCRIPTION", nil
	case "api":
		return levelAdvanced, "API", nil
	}
	return "", "", &fault{status: 404, code: 404, message: "Not Found", description: "policyLevel should be one of [subscription, api]"}
}

// listTiers leaves out the tiers that nobody chooses, or only a streaming API.
func (am *AM) listTiers(w http.ResponseWriter, r *http.Request) error {
	level, shown, err := tierLevel(r.PathValue("level"))
	if err != nil {
		return err
	}
	list := []object{}
	for _, p := range byName(am.policiesOf(level)) {
		if p.name() != "Unauthenticated" && p.dto.DefaultLimit.EventCount == nil {
			list = append(list, p.publisherView(shown))
		}
	}
	writeJSON(w, http.StatusOK, page(list, r))
	return nil
}

func (am *AM) showTier(w http.ResponseWriter, r *http.Request) error {
	level, shown, err := tierLevel(r.PathValue("level"))
	if err != nil {
		return err
	}
	p := am.policyNamed(level, r.PathValue("name"))
	if p == nil {
		return notFound("throttling policy", r.PathValue("name"))
	}
	writeJSON(w, http.StatusOK, p.publisherView(shown))
	return nil
}

// publisherView is a policy with its limit in flat fields.
func (p *throttlePolicy) publisherView(level string) object {
	requests, unit, n, kind := p.quota()
	return object{
		"name": p.name(), "description": p.dto.Description, "policyLevel": level, "displayName": p.dto.DisplayName, "attributes": object{},
		"requestCount": requests, "dataUnit": nil, "totalTokenCount": 0, "promptTokenCount": 0, "completionTokenCount": 0,
		"unitTime": n, "timeUnit": unit, "rateLimitCount": p.dto.RateLimitCount, "rateLimitTimeUnit": p.dto.RateLimitTimeUnit,
		"quotaPolicyType": kind, "tierPlan": p.plan(), "stopOnQuotaReach": true, "monetizationProperties": object{},
	}
}

// listStreamingTiers shows those that count events, as they were made, and does not page them.
func (am *AM) listStreamingTiers(w http.ResponseWriter, _ *http.Request) error {
	list := []object{}
	for _, p := range am.policiesOf(levelSubscription) {
		if d := &p.dto; d.DefaultLimit.EventCount != nil {
			list = append(list, object{
				"policyId": len(list), "uuid": p.id, "policyName": p.name(), "displayName": d.DisplayName, "description": d.Description,
				"isDeployed": p.deployed(), "tenantId": -1234, "tenantDomain": "carbon.super",
				"defaultLimit":   object{"type": d.DefaultLimit.Type, "requestCount": nil, "bandwidth": nil, "eventCount": d.DefaultLimit.EventCount},
				"rateLimitCount": d.RateLimitCount, "rateLimitTimeUnit": d.RateLimitTimeUnit, "subscriberCount": d.SubscriberCount,
				"customAttributes": orEmpty(d.CustomAttributes), "stopOnQuotaReach": d.StopOnQuotaReach, "billingPlan": d.BillingPlan, "permissions": d.Permissions,
			})
		}
	}
	writeJSON(w, http.StatusOK, object{"count": len(list), "list": list, "pagination": nil})
	return nil
}

func byName(policies []*throttlePolicy) []*throttlePolicy {
	return slices.SortedFunc(slices.Values(policies), func(a, b *throttlePolicy) int { return cmp.Compare(a.name(), b.name()) })
}
