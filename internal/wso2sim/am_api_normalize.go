package wso2sim

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf16"
)

// normalize makes of an API what the server keeps: lists without empty strings, sets in the server's order, and defaults.
func (dto *apiDTO) normalize() {
	for _, list := range []*[]string{
		&dto.Audiences, &dto.Transport, &dto.Tags, &dto.Policies, &dto.SecurityScheme, &dto.VisibleRoles, &dto.VisibleTenants,
		&dto.VisibleOrganizations, &dto.SubscriptionAvailableTenants, &dto.AccessControlRoles, &dto.Categories,
		&dto.AsyncTransportProtocols,
	} {
		*list = slices.DeleteFunc(orEmpty(*list), func(s string) bool { return s == "" })
	}
	for _, list := range []*[]any{&dto.OrganizationPolicies, &dto.MediationPolicies} {
		*list = orEmpty(*list)
	}
	dto.Tags = javaSet(strings.Split(strings.Join(dto.Tags, ","), ","))
	dto.Policies = orEmpty(slices.Compact(slices.Sorted(slices.Values(dto.Policies))))
	dto.normalizeProperties()
	dto.normalizeSecurity()
	dto.normalizeTransport()
	dto.normalizeAccess()
	if dto.MaxTps != nil {
		limit := *dto.MaxTps
		limit.ProductionTimeUnit = cmp.Or(limit.ProductionTimeUnit, "SECOND")
		limit.SandboxTimeUnit = cmp.Or(limit.SandboxTimeUnit, "SECOND")
		dto.MaxTps = &limit
	}
	if dto.BusinessInformation == nil {
		dto.BusinessInformation = &businessInfo{}
	}
	if dto.CorsConfiguration == nil {
		dto.CorsConfiguration = defaultCORS()
	}
	for _, list := range []*[]string{
		&dto.CorsConfiguration.AllowOrigins, &dto.CorsConfiguration.AllowHeaders, &dto.CorsConfiguration.AllowMethods,
	} {
		*list = orEmpty(*list)
	}
	if dto.AdvertiseInfo == nil {
		dto.AdvertiseInfo = &advertiseInfo{Vendor: ptr("WSO2")}
	}
	if dto.KeyManagers == nil {
		dto.KeyManagers = []any{allKeyManagers}
	}
	if !slices.Contains(gatewayTypes, value(dto.GatewayType)) {
		dto.GatewayVendor = ptr(externalGateway)
	}
	dto.SubtypeConfiguration = &subtypeConfig{Subtype: "DEFAULT"} // whatever is sent
	dto.APIPolicies = dto.APIPolicies.complete(dto.APIPolicies == nil)
	dto.Scopes, dto.Operations = orEmpty(dto.Scopes), orderOperations(dto.Operations, dto.verbs())
}

// normalizeProperties derives one view of additional properties from the other: the list counts, or else the map.
func (dto *apiDTO) normalizeProperties() {
	if len(dto.AdditionalProperties) == 0 {
		for _, name := range sortedKeys(dto.AdditionalPropertiesMap) {
			dto.AdditionalProperties = append(dto.AdditionalProperties, dto.AdditionalPropertiesMap[name])
		}
	}
	dto.AdditionalProperties = orEmpty(dto.AdditionalProperties)
	dto.AdditionalPropertiesMap = map[string]apiProperty{}
	for _, p := range dto.AdditionalProperties {
		key := p.Name
		if p.Display {
			key += "__display"
		}
		p.Display = false
		dto.AdditionalPropertiesMap[key] = p
	}
}

func (dto *apiDTO) normalizeSecurity() {
	if len(dto.SecurityScheme) == 0 {
		dto.SecurityScheme = []string{"oauth2"}
	}
	dto.SecurityScheme = javaSet(append(slices.Clone(dto.SecurityScheme), mandatoryOAuth))
}

// normalizeTransport opens an API on both, except for WebSocket, which has neither.
func (dto *apiDTO) normalizeTransport() {
	switch {
	case value(dto.Type) == typeWS:
		dto.Transport = []string{}
	case len(dto.Transport) == 0:
		dto.Transport = []string{"http", "https"}
	}
}

// normalizeAccess keeps roles in lower case where they restrict the Publisher. These roles alone decide.
func (dto *apiDTO) normalizeAccess() {
	if dto.Visibility != "RESTRICTED" {
		dto.VisibleRoles = []string{}
	}
	for i, role := range dto.AccessControlRoles {
		dto.AccessControlRoles[i] = strings.ToLower(role)
	}
	if dto.AccessControl = "NONE"; len(dto.AccessControlRoles) > 0 {
		dto.AccessControl = "RESTRICTED"
	}
}

func (op *apiOperation) normalize() {
	op.ID, op.Verb = "", strings.ToUpper(op.Verb)
	if op.AuthType != "None" && op.AuthType != "Application" {
		op.AuthType = authAny
	}
	if op.ThrottlingPolicy == "" {
		op.ThrottlingPolicy = unlimited
	}
	op.Scopes, op.UsedProductIDs = orEmpty(op.Scopes), orEmpty(op.UsedProductIDs)
	op.OperationPolicies = op.OperationPolicies.complete(false)
}

// orderOperations has each operation once, by the first appearance of its target, and those of one target in the order
// of verbs.
func orderOperations(ops []apiOperation, verbs []string) []apiOperation {
	var targets []string
	byTarget := map[string][]apiOperation{}
	for _, op := range ops {
		op.normalize()
		same := byTarget[op.Target]
		if same == nil {
			targets = append(targets, op.Target)
		}
		if !slices.ContainsFunc(same, func(o apiOperation) bool { return o.Verb == op.Verb }) {
			byTarget[op.Target] = append(same, op)
		}
	}
	out := []apiOperation{}
	for _, target := range targets {
		slices.SortStableFunc(byTarget[target], func(a, b apiOperation) int {
			return cmp.Compare(slices.Index(verbs, a.Verb), slices.Index(verbs, b.Verb))
		})
		out = append(out, byTarget[target]...)
	}
	return out
}

// javaSet is a list as a HashSet of Java iterates over it, which is the order in which API Manager shows its sets.
func javaSet(list []string) []string {
	buckets := 16
	for len(list)*4 > buckets*3 {
		buckets *= 2
	}
	bucket := func(s string) int {
		var h int32
		for _, unit := range utf16.Encode([]rune(s)) {
			h = 31*h + int32(unit)
		}
		spread := uint32(h) ^ uint32(h)>>16
		return int(spread) & (buckets - 1)
	}
	set := []string{}
	for _, s := range list {
		if s != "" && !slices.Contains(set, s) {
			set = append(set, s)
		}
	}
	slices.SortStableFunc(set, func(a, b string) int { return cmp.Compare(bucket(a), bucket(b)) })
	return set
}
