package wso2sim

import (
	"net/http"
	"slices"
)

// tier is a throttling policy of a fresh installation.
type tier struct{ name, description string }

var subscriptionTiers = []tier{
	{"Gold", "Allows 5000 requests per minute"}, {"Silver", "Allows 2000 requests per minute"},
	{"Bronze", "Allows 1000 requests per minute"}, {unlimited, "Allows unlimited requests"},
	{"Unauthenticated", "Allows 500 request(s) per minute"},
	{subscriptionless, "Allows 10000 requests per minute when subscription validation is disabled"},
}

var apiTiers = []tier{
	{"50KPerMin", "Allows 50000 requests per minute"}, {"20KPerMin", "Allows 20000 requests per minute"},
	{"10KPerMin", "Allows 10000 requests per minute"}, {unlimited, "Allows unlimited requests"},
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
			"policyLevel": level, "tierPlan": "FREE", "stopOnQuotaReach": true})
	}
	writeJSON(w, http.StatusOK, page(list, r))
	return nil
}
