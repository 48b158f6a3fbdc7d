package plan

import (
	"slices"

	"wso2agent/internal/desired"
)

// APIVersion is one version of an API in the Publisher.
type APIVersion struct {
	ID, Name, Version string
	Context           string // without the version
	State             string // of the lifecycle, such as PUBLISHED
}

// WantedSubscription is a subscription to one version of an API.
type WantedSubscription struct {
	API  APIVersion
	Want desired.Subscription
}

// Subscriptions returns what the subscriptions of an application mean: an API's name means all its versions, in the order of apis.
// Nobody can subscribe to a version that is in none of the states PUBLISHED and PROTOTYPED. So such a version counts only if the
// application has subscribed before. subscribed are the ids of these versions.
func Subscriptions(want []desired.Field[desired.Subscription], apis []APIVersion, subscribed []string) (all []WantedSubscription) {
	for _, item := range want {
		for _, api := range apis {
			open := api.State == "PUBLISHED" || api.State == "PROTOTYPED"
			if api.Name == item.Value.APIName.Value && (open || slices.Contains(subscribed, api.ID)) {
				all = append(all, WantedSubscription{api, item.Value})
			}
		}
	}
	return all
}

// subscriptionTable maps a subscription. API-M changes the policy only by requestedThrottlingPolicy, which is null afterwards.
var subscriptionTable = []mapping{{
	path: "throttling_policy",
	want: func(from any) (any, bool) {
		s := from.(desired.Subscription)
		return s.ThrottlingPolicy.Or("Unlimited"), s.ThrottlingPolicy.Set
	},
	have: func(o Object) any { return textAt(o, "throttlingPolicy", "") },
	put: func(body Object, value any) {
		if _, exists := body["subscriptionId"]; exists {
			body["requestedThrottlingPolicy"] = value
			return
		}
		body["throttlingPolicy"] = value
	},
}}

// SubscriptionDifferences compares a subscription with what the Developer Portal shows of it.
func SubscriptionDifferences(want desired.Subscription, have Object) []Difference {
	return differences(subscriptionTable, want, have)
}

// SubscriptionBody returns the body of POST /subscriptions for the application and the version if have is nil, else of PUT
// /subscriptions/{id}. API-M refuses the PUT of a subscription for which SubscriptionStopped returns a status.
func SubscriptionBody(want desired.Subscription, have Object, applicationID, apiID string) Object {
	base := have
	if have == nil {
		base = Object{"applicationId": applicationID, "apiId": apiID, "throttlingPolicy": "Unlimited"}
	} else if at(have, "requestedThrottlingPolicy") == nil {
		base = clone(have).(Object)
		base["requestedThrottlingPolicy"] = have["throttlingPolicy"] // without it the PUT fails with status 500
	}
	return body(subscriptionTable, want, base)
}

// SubscriptionStopped returns the status of a subscription that does not work, such as BLOCKED or ON_HOLD; "" if it works. Nobody can
// change its policy before somebody unblocks or approves it.
func SubscriptionStopped(have Object) string {
	if status := textAt(have, "status", ""); status != "UNBLOCKED" {
		return status
	}
	return ""
}
