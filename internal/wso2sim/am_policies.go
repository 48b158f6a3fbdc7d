package wso2sim

import (
	"net/http"
	"slices"
	"strings"
)

// The levels of throttling policies, as the Admin API names them.
const (
	levelSubscription = "subscription"
	levelApplication  = "application"
	levelAdvanced     = "advanced"
)

var (
	scopesPolicyView  = []string{"apim:admin", "apim:admin_operations", "apim:admin_tier_view", "apim:admin_tier_manage"}
	scopesPolicyWrite = []string{"apim:admin", "apim:admin_operations", "apim:admin_tier_manage"}
)

// throttlePolicy is a throttling policy of one of the levels.
type throttlePolicy struct {
	id, level string
	builtIn   bool // whether it came with the installation
	dto       policyDTO
}

func (p *throttlePolicy) name() string { return value(p.dto.PolicyName) }

// deployed reports what the product says: that the streaming policies of the installation are deployed, and no others.
func (p *throttlePolicy) deployed() bool { return p.builtIn && p.dto.DefaultLimit.EventCount != nil }

// policyDTO is a policy as the Admin API reads it. Each level shows some of the fields.
type policyDTO struct {
	PolicyID             *string         `json:"policyId"`
	PolicyName           *string         `json:"policyName"`
	DisplayName          *string         `json:"displayName"`
	Description          *string         `json:"description"`
	IsDeployed           *bool           `json:"isDeployed"`
	Type                 *string         `json:"type"`
	GraphQLMaxComplexity int             `json:"graphQLMaxComplexity"`
	GraphQLMaxDepth      int             `json:"graphQLMaxDepth"`
	DefaultLimit         *throttleLimit  `json:"defaultLimit"`
	Monetization         object          `json:"monetization"`
	RateLimitCount       int             `json:"rateLimitCount"`
	RateLimitTimeUnit    *string         `json:"rateLimitTimeUnit"`
	SubscriberCount      int             `json:"subscriberCount"`
	CustomAttributes     []any           `json:"customAttributes"`
	StopOnQuotaReach     bool            `json:"stopOnQuotaReach"`
	BillingPlan          *string         `json:"billingPlan"`
	Permissions          *kmPermissions  `json:"permissions"`
	BurstLimit           *burstLimit     `json:"burstLimit"`
	ConditionalGroups    []limitingGroup `json:"conditionalGroups"`
}

type burstLimit struct {
	RateLimitCount    int     `json:"rateLimitCount"`
	RateLimitTimeUnit *string `json:"rateLimitTimeUnit"`
}

// throttleLimit has one of its limits, by its type. Units of time are not checked.
type throttleLimit struct {
	Type         *string       `json:"type"`
	RequestCount *requestQuota `json:"requestCount"`
	Bandwidth    *volumeQuota  `json:"bandwidth"`
	EventCount   *eventQuota   `json:"eventCount"`
	AIAPIQuota   object        `json:"aiApiQuota"`
}

type requestQuota struct {
	TimeUnit     string `json:"timeUnit"`
	UnitTime     int    `json:"unitTime"`
	RequestCount int    `json:"requestCount"`
}

type volumeQuota struct {
	TimeUnit   string `json:"timeUnit"`
	UnitTime   int    `json:"unitTime"`
	DataAmount int    `json:"dataAmount"`
	DataUnit   string `json:"dataUnit"`
}

type eventQuota struct {
	TimeUnit   string `json:"timeUnit"`
	UnitTime   int    `json:"unitTime"`
	EventCount int    `json:"eventCount"`
}

// limitingGroup is a limit of an advanced policy for the requests that its conditions fit.
type limitingGroup struct {
	Description *string             `json:"description"`
	Conditions  []limitingCondition `json:"conditions"`
	Limit       *throttleLimit      `json:"limit"`
}

type limitingCondition struct {
	Type            *string `json:"type"`
	InvertCondition bool    `json:"invertCondition"`
	Header          object  `json:"headerCondition"`
	IP              object  `json:"ipCondition"`
	JWTClaims       object  `json:"jwtClaimsCondition"`
	QueryParameter  object  `json:"queryParameterCondition"`
}

func (am *AM) policyRoutes(mux *http.ServeMux) {
	for _, level := range []string{levelSubscription, levelApplication, levelAdvanced} {
		all := "/api/am/admin/v4/throttling/policies/" + level
		one := func(op func(http.ResponseWriter, *http.Request, *throttlePolicy) error) operation {
			return func(w http.ResponseWriter, r *http.Request) error {
				at := slices.IndexFunc(am.policies, func(p *throttlePolicy) bool { return p.level == level && p.id == r.PathValue("id") })
				if at < 0 {
					return notFound(level+" policy", r.PathValue("id"))
				}
				return op(w, r, am.policies[at])
			}
		}
		mux.HandleFunc("GET "+all, am.locked(scopesPolicyView, func(w http.ResponseWriter, _ *http.Request) error {
			am.listPolicies(w, level)
			return nil
		}))
		mux.HandleFunc("POST "+all, am.locked(scopesPolicyWrite, func(w http.ResponseWriter, r *http.Request) error {
			return am.createPolicy(w, r, level)
		}))
		mux.HandleFunc("GET "+all+"/{id}", am.locked(scopesPolicyView, one(func(w http.ResponseWriter, _ *http.Request, p *throttlePolicy) error {
			writeJSON(w, http.StatusOK, p.view())
			return nil
		})))
		mux.HandleFunc("PUT "+all+"/{id}", am.locked(scopesPolicyWrite, one(am.updatePolicy)))
		mux.HandleFunc("DELETE "+all+"/{id}", am.locked(scopesPolicyWrite, one(am.deletePolicy)))
	}
}

// policyNamed finds a policy of a level, or nil.
func (am *AM) policyNamed(level, name string) *throttlePolicy {
	for _, p := range am.policies {
		if p.level == level && p.name() == name {
			return p
		}
	}
	return nil
}

func (am *AM) policiesOf(level string) []*throttlePolicy {
	return slices.DeleteFunc(slices.Clone(am.policies), func(p *throttlePolicy) bool { return p.level != level })
}

func (am *AM) listPolicies(w http.ResponseWriter, level string) {
	list := []object{}
	for _, p := range am.policiesOf(level) {
		view := p.view()
		if level == levelAdvanced {
			view["type"] = "AdvancedThrottlePolicyInfo"
			delete(view, "conditionalGroups")
		}
		list = append(list, view)
	}
	writeJSON(w, http.StatusOK, object{"count": len(list), "list": list})
}

func (p *throttlePolicy) view() object {
	d := &p.dto
	view := object{
		"policyId": p.id, "policyName": d.PolicyName, "displayName": d.DisplayName, "description": d.Description,
		"isDeployed": p.deployed(), "defaultLimit": d.DefaultLimit, "type": strings.ToUpper(p.level[:1]) + p.level[1:] + "ThrottlePolicy",
	}
	switch p.level {
	case levelSubscription:
		view["graphQLMaxComplexity"], view["graphQLMaxDepth"] = d.GraphQLMaxComplexity, d.GraphQLMaxDepth
		view["monetization"], view["subscriberCount"] = d.Monetization, d.SubscriberCount
		view["rateLimitCount"], view["rateLimitTimeUnit"] = d.RateLimitCount, d.RateLimitTimeUnit
		view["customAttributes"], view["stopOnQuotaReach"] = orEmpty(d.CustomAttributes), d.StopOnQuotaReach
		view["billingPlan"], view["permissions"] = d.BillingPlan, d.Permissions
	case levelApplication:
		burst := burstLimit{}
		if d.BurstLimit != nil {
			burst = *d.BurstLimit
		}
		view["burstLimit"] = burst
	case levelAdvanced:
		view["conditionalGroups"] = orEmpty(d.ConditionalGroups)
	}
	return view
}

// readPolicy reads and checks a body. A subscription policy without a billing plan fails where it is written.
func readPolicy(r *http.Request, level string) (policyDTO, error) {
	var dto policyDTO
	if err := readJSON(r, &dto); err != nil {
		return dto, err
	}
	switch {
	case dto.PolicyName == nil:
		return dto, invalid("policyName", "must not be null")
	case dto.DefaultLimit == nil:
		return dto, invalid("defaultLimit", "must not be null")
	case strings.ContainsAny(*dto.PolicyName, " \t"):
		return dto, &fault{status: 400, code: 900706, message: "contain invalid characters",
			description: "policyName property value of payload cannot contain invalid characters"}
	case level == levelSubscription && dto.BillingPlan == nil:
		return dto, errGeneral
	}
	return dto, nil
}

func (am *AM) createPolicy(w http.ResponseWriter, r *http.Request, level string) error {
	dto, err := readPolicy(r, level)
	if err != nil {
		return err
	}
	if am.policyNamed(level, *dto.PolicyName) != nil {
		return conflict(strings.ToUpper(level[:1]) + level[1:] + " Policy with name " + *dto.PolicyName + " already exists")
	}
	p := am.addPolicy(level, dto, false)
	w.Header().Set("Location", am.url(am.port)+"/api/am/admin/throttling/policies/"+level+"/"+p.id)
	writeJSON(w, http.StatusCreated, p.view())
	return nil
}

func (am *AM) addPolicy(level string, dto policyDTO, builtIn bool) *throttlePolicy {
	p := &throttlePolicy{id: newUUID(), level: level, builtIn: builtIn, dto: dto}
	am.policies = append(am.policies, p)
	am.changed("policy", p.id)
	return p
}

func (am *AM) updatePolicy(w http.ResponseWriter, r *http.Request, p *throttlePolicy) error {
	dto, err := readPolicy(r, p.level)
	if err != nil {
		return err
	}
	dto.PolicyName = p.dto.PolicyName
	p.dto = dto
	am.changed("policy", p.id)
	writeJSON(w, http.StatusOK, p.view())
	return nil
}

// deletePolicy fails for a policy that a subscription or an application has. APIs that offer it keep its name.
func (am *AM) deletePolicy(w http.ResponseWriter, _ *http.Request, p *throttlePolicy) error {
	used := false
	switch p.level {
	case levelSubscription:
		for _, s := range am.subscriptions {
			used = used || s.tier == p.name()
		}
	case levelApplication:
		for _, app := range am.applications {
			used = used || app.policy == p.name()
		}
	}
	if used {
		return &fault{status: 500, code: 500, message: errInternal.message,
			description: "Error while deleting " + strings.ToUpper(p.level[:1]) + p.level[1:] + " level policy : " + p.id}
	}
	am.policies = slices.DeleteFunc(am.policies, func(other *throttlePolicy) bool { return other == p })
	am.changed("policy", p.id)
	w.WriteHeader(http.StatusOK)
	return nil
}

// installPolicies makes those of a fresh installation.
func (am *AM) installPolicies() {
	for level, tiers := range builtInTiers() {
		for _, t := range tiers {
			am.addPolicy(level, t.policy(), true)
		}
	}
}

type policyRecord struct {
	Level   string
	BuiltIn bool
	DTO     policyDTO
}

func (am *AM) policyRecord(id string) any {
	for _, p := range am.policies {
		if p.id == id {
			return policyRecord{p.level, p.builtIn, p.dto}
		}
	}
	return nil
}

// restorePolicies makes the policies of a fresh installation for a state that has none.
func (am *AM) restorePolicies(held map[string][]entry) error {
	am.policies = nil
	if held["policy"] == nil {
		am.installPolicies()
		return nil
	}
	return decode(held, "policy", func(id string, r policyRecord) {
		am.policies = append(am.policies, &throttlePolicy{id: id, level: r.Level, builtIn: r.BuiltIn, dto: r.DTO})
	})
}
