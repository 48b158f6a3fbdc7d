package wso2sim

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// tier is a throttling policy of a fresh installation.
type tier struct {
	name, description string
	requests          int // per minute
}

const noLimit = 1<<31 - 1

var subscriptionTiers = []tier{
	{"Gold", "Allows 5000 requests per minute", 5000},
	{"Silver", "Allows 2000 requests per minute", 2000},
	{"Bronze", "Allows 1000 requests per minute", 1000},
	{unlimited, "Allows unlimited requests", noLimit},
	{"Unauthenticated", "Allows 500 request(s) per minute", 500},
	{subscriptionless, "Allows 10000 requests per minute when subscription validation is disabled", 10000},
	{"AsyncGold", "Allows 50000 events per day", 50000},
	{"AsyncSilver", "Allows 25000 events per day", 25000},
	{"AsyncBronze", "Allows 5000 events per day", 5000},
	{"AsyncUnlimited", "Allows unlimited events", noLimit},
	{"AsyncDefaultSubscriptionless", "Allows 10000 events per day when subscription validation is disabled", 10000},
}

var apiTiers = []tier{
	{"50KPerMin", "Allows 50000 requests per minute", 50000},
	{"20KPerMin", "Allows 20000 requests per minute", 20000},
	{"10KPerMin", "Allows 10000 requests per minute", 10000},
	{unlimited, "Allows unlimited requests", noLimit},
}

func checkTiers(dto *apiDTO) error {
	for _, name := range dto.Policies {
		if !slices.ContainsFunc(subscriptionTiers, func(t tier) bool { return t.name == name }) {
			return errNoTier
		}
	}
	return nil
}

func listTiers(w http.ResponseWriter, r *http.Request) error {
	level := r.PathValue("level")
	tiers, known := map[string][]tier{"subscription": subscriptionTiers, "api": apiTiers}[level]
	if !known {
		return notFound("policy level", level)
	}
	list := []object{}
	for _, t := range tiers {
		list = append(list, object{"name": t.name, "displayName": t.name, "description": t.description,
			"policyLevel": level, "tierPlan": "FREE", "stopOnQuotaReach": true,
			"requestCount": t.requests, "unitTime": time.Minute.Milliseconds(), "quotaPolicyType": "REQUESTCOUNT"})
	}
	writeJSON(w, http.StatusOK, page(list, r))
	return nil
}

// listApplicationTiers is what the DevPortal shows of them.
func listApplicationTiers(w http.ResponseWriter, r *http.Request) error {
	list := []object{}
	for _, name := range applicationPolicies {
		requests := noLimit
		if n, err := strconv.Atoi(strings.TrimSuffix(name, "PerMin")); err == nil {
			requests = n
		}
		list = append(list, object{"name": name, "description": nil, "policyLevel": "APPLICATION", "attributes": object{}, "stopOnQuotaReach": true,
			"requestCount": requests, "unitTime": 1, "timeUnit": "min", "quotaPolicyType": "REQUESTCOUNT", "tierPlan": nil})
	}
	writeJSON(w, http.StatusOK, page(list, r))
	return nil
}
