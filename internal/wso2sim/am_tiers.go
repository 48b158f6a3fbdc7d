package wso2sim

import (
	"net/http"
	"slices"
)

// tier is a throttling policy of a fresh installation.
type tier struct {
	name, description string
	requests          int // per minute
	events            int // for those of streaming APIs, which count events in place of requests
	unit              string
	subscribers       int // those of WebSub at a time; 0 is any number
}

const noLimit = 1<<31 - 1

var subscriptionTiers = []tier{
	{name: "Gold", description: "Allows 5000 requests per minute", requests: 5000},
	{name: "Silver", description: "Allows 2000 requests per minute", requests: 2000},
	{name: "Bronze", description: "Allows 1000 requests per minute", requests: 1000},
	{name: unlimited, description: "Allows unlimited requests", requests: noLimit},
	{name: "Unauthenticated", description: "Allows 500 request(s) per minute", requests: 500},
	{name: subscriptionless, description: "Allows 10000 requests per minute when subscription validation is disabled", requests: 100000},
	{name: "AsyncGold", description: "Allows 50000 events per day", events: 50000, unit: "days"},
	{name: "AsyncSilver", description: "Allows 25000 events per day", events: 25000, unit: "days"},
	{name: "AsyncBronze", description: "Allows 5000 events per day", events: 5000, unit: "days"},
	{name: "AsyncDefaultSubscriptionless", description: "Allows 10000 events per day when subscription validation is disabled", events: 10000, unit: "days"},
	{name: "AsyncUnlimited", description: "Allows unlimited events", events: noLimit, unit: "days"},
	{name: "AsyncWHGold", description: "Allows 10000 events per month and 1000 active subscriptions", events: 10000, unit: "months", subscribers: 1000},
	{name: "AsyncWHSilver", description: "Allows 5000 events per month and 500 active subscriptions", events: 5000, unit: "months", subscribers: 500},
	{name: "AsyncWHBronze", description: "Allows 1000 events per month and 500 active subscriptions", events: 1000, unit: "months", subscribers: 100},
	{name: "AsyncWHUnlimited", description: "Allows unlimited events and unlimited active subscriptions", events: noLimit, unit: "months", subscribers: noLimit},
}

var apiTiers = []tier{
	{name: "50KPerMin", description: "Allows 50000 requests per minute", requests: 50000},
	{name: "20KPerMin", description: "Allows 20000 requests per minute", requests: 20000},
	{name: "10KPerMin", description: "Allows 10000 requests per minute", requests: 10000},
	{name: unlimited, description: "Allows unlimited requests", requests: noLimit},
}

var applicationTiers = []tier{
	{name: "50PerMin", description: "Allows 50 request per minute", requests: 50},
	{name: "20PerMin", description: "Allows 20 request per minute", requests: 20},
	{name: "10PerMin", description: "Allows 10 request per minute", requests: 10},
	{name: unlimited, description: "Allows unlimited requests", requests: noLimit},
}

func builtInTiers() map[string][]tier {
	return map[string][]tier{levelSubscription: subscriptionTiers, levelApplication: applicationTiers, levelAdvanced: apiTiers}
}

// policy is a tier as the Admin API has it.
func (t tier) policy() policyDTO {
	limit := &throttleLimit{Type: ptr("REQUESTCOUNTLIMIT"), RequestCount: &requestQuota{"min", 1, t.requests}}
	if t.events > 0 {
		limit = &throttleLimit{Type: ptr("EVENTCOUNTLIMIT"), EventCount: &eventQuota{t.unit, 1, t.events}}
	}
	return policyDTO{
		PolicyName: ptr(t.name), DisplayName: ptr(t.name), Description: ptr(t.description), DefaultLimit: limit,
		StopOnQuotaReach: true, BillingPlan: ptr("FREE"), SubscriberCount: t.subscribers,
	}
}

// checkReferences looks for what an API names: tiers and categories. The lock is held.
func (am *AM) checkReferences(dto *apiDTO) error {
	for _, name := range dto.Policies {
		if am.policyNamed(levelSubscription, name) == nil {
			return errNoTier
		}
	}
	for _, name := range dto.Categories {
		if !slices.ContainsFunc(am.categories, func(c *category) bool { return c.name == name }) {
			return &fault{status: 400, code: 900345, message: "The API category is invalid.", description: " The API category is invalid for API: %s"}
		}
	}
	return nil
}

// quota is how many requests a policy allows in what time, as the portals show it. Of Unlimited they show no time.
func (p *throttlePolicy) quota() (requests int, unit string, perUnit int, kind any) {
	limit := p.dto.DefaultLimit
	switch {
	case p.name() == unlimited:
		return noLimit, "ms", 0, nil
	case limit.RequestCount != nil:
		return limit.RequestCount.RequestCount, limit.RequestCount.TimeUnit, limit.RequestCount.UnitTime, "REQUESTCOUNT"
	case limit.EventCount != nil:
		return limit.EventCount.EventCount, limit.EventCount.TimeUnit, limit.EventCount.UnitTime, nil
	case limit.Bandwidth != nil:
		return limit.Bandwidth.DataAmount, limit.Bandwidth.TimeUnit, limit.Bandwidth.UnitTime, "BANDWIDTHVOLUME"
	}
	return 0, "min", 1, "REQUESTCOUNT"
}

// quotaTypes are the kinds of quotas as the DevPortal names them where it shows the tiers of an API.
var quotaTypes = map[any]any{"REQUESTCOUNT": "requestCount", "BANDWIDTHVOLUME": "bandwidthVolume"}

// plan is the billing plan that the portals show: policies of subscriptions have one, and Unlimited on every level.
func (p *throttlePolicy) plan() any {
	switch {
	case p.name() == unlimited:
		return "FREE"
	case p.level == levelSubscription:
		return p.dto.BillingPlan
	}
	return nil
}

// offeredTiers are those of an API, in full.
func (am *AM) offeredTiers(w http.ResponseWriter, _ *http.Request, a *api) error {
	list := []object{}
	for _, name := range a.dto.Policies {
		p := am.policyNamed(levelSubscription, name)
		if p == nil {
			continue
		}
		requests, unit, n, kind := p.quota()
		list = append(list, object{
			"name": name, "displayName": p.dto.DisplayName, "description": p.dto.Description, "policyContent": nil, "tierAttributes": nil,
			"requestsPerMin": requests, "requestCount": requests, "unitTime": n, "timeUnit": unit, "tierPlan": p.plan(),
			"stopOnQuotaReached": p.dto.StopOnQuotaReach, "tierPermission": nil, "monetizationAttributes": nil, "quotaPolicyType": quotaTypes[kind],
			"rateLimitCount": p.dto.RateLimitCount, "rateLimitTimeUnit": p.dto.RateLimitTimeUnit, "bandwidthDataUnit": nil,
			"totalTokenCount": 0, "promptTokenCount": 0, "completionTokenCount": 0,
		})
	}
	writeJSON(w, http.StatusOK, list)
	return nil
}

// existing are the tiers of an API that exist: the API keeps the names of others, and shows none of them.
func (am *AM) existing(dto apiDTO) apiDTO {
	dto.Policies = slices.DeleteFunc(slices.Clone(dto.Policies), func(name string) bool { return am.policyNamed(levelSubscription, name) == nil })
	return dto
}

// listApplicationTiers is what the DevPortal shows of them.
func (am *AM) listApplicationTiers(w http.ResponseWriter, r *http.Request) error {
	list := []object{}
	for _, p := range byName(am.policiesOf(levelApplication)) {
		requests, unit, n, kind := p.quota()
		list = append(list, object{"name": p.name(), "description": p.dto.Description, "policyLevel": "APPLICATION", "attributes": object{}, "stopOnQuotaReach": true,
			"requestCount": requests, "unitTime": n, "timeUnit": unit, "quotaPolicyType": kind, "tierPlan": p.plan(), "dataUnit": nil, "rateLimitCount": 0,
			"rateLimitTimeUnit": nil, "throttlingPolicyPermissions": object{"type": "ALLOW", "roles": []string{"Internal/everyone"}},
			"monetizationAttributes": object{"billingType": nil, "billingCycle": nil, "fixedPrice": nil, "pricePerRequest": nil, "currencyType": nil}})
	}
	writeJSON(w, http.StatusOK, page(list, r))
	return nil
}
