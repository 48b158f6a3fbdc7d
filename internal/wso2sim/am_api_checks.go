package wso2sim

import (
	"slices"
	"strings"
	"time"
)

const maxDescription = 32766

// reservedProperties are the fields of an API that no additional property may be called.
var reservedProperties = []string{"provider", "version", "context", "status", "description", "subcontext", "doc", "lcstate", "name", "tags"}

// check is what a new API and a changed one have to pass, beside what only a new one has. The lock is held.
func (am *AM) check(dto *apiDTO) error {
	for _, check := range []func() error{dto.checkMapping, dto.checkAvailability, func() error { return am.checkOperations(dto) }, dto.checkTransports,
		dto.checkProperties, dto.checkAccess, dto.checkEndpoints} {
		if err := check(); err != nil {
			return err
		}
	}
	return am.checkScopes(dto)
}

func (dto *apiDTO) checkAvailability() error {
	if dto.GatewayType != nil && *dto.GatewayType == "" {
		return errGeneral
	}
	if value(dto.SubscriptionAvailability) == "ALL_TENANTS" {
		return &fault{status: 500, code: 900363, message: "Internal Server Error occurred while updating the API",
			description: "Internal Server Error. 'Cannot set Subscription Availability to ALL_TENANTS when Cross Tenant Subscription is disabled'"}
	}
	return nil
}

// checkOperations looks for target, verb and tier. Those of other types of APIs than REST have no tier of their own.
func (am *AM) checkOperations(dto *apiDTO) error {
	for _, op := range dto.Operations {
		switch {
		case op.Target == "":
			return &fault{status: 400, code: 902032, message: "Resource URI template value not defined",
				description: "Resource URI template value (target) not defined"}
		case op.Verb == "":
			return &fault{status: 400, code: 902031, message: "Operation type/http method is not specified for the operation/resource",
				description: "Operation type/http method is not specified for the operation/resource: " + op.Target}
		case !slices.Contains(dto.verbs(), strings.ToUpper(op.Verb)):
			return &fault{status: 400, code: 903201, message: "Invalid HTTP method provided for API resource",
				description: "The HTTP method '" + op.Verb + "' provided for resource '" + op.Target + "' is invalid"}
		case value(dto.Type) == typeHTTP && op.ThrottlingPolicy != "" && am.policyNamed(levelAdvanced, op.ThrottlingPolicy) == nil:
			return errNoTier
		}
	}
	return nil
}

func (dto *apiDTO) checkTransports() error {
	for _, transport := range dto.Transport {
		if !slices.Contains([]string{"", "http", "https", "ws", "wss"}, transport) {
			return &fault{status: 400, code: 903205, message: "Unsupported transport",
				description: "Unsupported transport '" + transport + "' provided for the API"}
		}
	}
	return nil
}

func (dto *apiDTO) checkProperties() error {
	for _, p := range dto.AdditionalProperties {
		if strings.Contains(p.Name, " ") || slices.Contains(reservedProperties, strings.ToLower(p.Name)) {
			return &fault{status: 400, code: 900346, message: "Invalid additional properties",
				description: "Invalid additional properties for API: " + value(dto.Name) + ":" + value(dto.Version)}
		}
	}
	return nil
}

// checkAccess looks for the roles that may see an API in the portals.
func (dto *apiDTO) checkAccess() error {
	roles := slices.Clone(dto.AccessControlRoles)
	if dto.Visibility == "RESTRICTED" {
		if len(dto.VisibleRoles) == 0 {
			return &fault{status: 400, code: 900610, message: "Access control roles cannot be empty",
				description: "Access control roles cannot be empty when visibility is restricted"}
		}
		roles = append(roles, dto.VisibleRoles...)
	}
	for _, role := range roles {
		if role != "" && !hasRole(role) {
			return &fault{status: 400, code: 900610, message: "Invalid user roles found", description: "Invalid user roles found"}
		}
	}
	return nil
}

// checkScopes refuses a local scope that an operation of an API of another name asks for, or one for a role that does
// not exist.
func (am *AM) checkScopes(dto *apiDTO) error {
	for _, s := range dto.Scopes {
		name := s.Scope.Name
		if am.sharedScopeNamed(name) {
			continue
		}
		for _, other := range am.apis {
			if other.name() != value(dto.Name) && other.asksFor(name) {
				return &fault{status: 400, code: 900988, message: "Scope already assigned locally by another API",
					description: "Scope already assigned locally by another API"}
			}
		}
		for _, role := range s.Scope.Bindings {
			if !hasRole(role) {
				return &fault{status: 404, code: 903250, message: "Role does not exist", description: "Role " + role + " does not exist"}
			}
		}
	}
	return nil
}

func (a *api) asksFor(scope string) bool {
	return slices.ContainsFunc(a.dto.Operations, func(op apiOperation) bool { return slices.Contains(op.Scopes, scope) })
}

func (a *api) hasScope(name string) bool {
	return slices.ContainsFunc(a.dto.Scopes, func(s apiScope) bool { return s.Scope.Name == name })
}

// checkMapping fails where the product's mapping takes a value for granted that is null (carbon-apimgt,
// APIMappingUtil.fromDTOtoAPI), as one that its enumeration does not have is.
func (dto *apiDTO) checkMapping() error {
	if dto.EndpointImplementationType == nil || dto.Type == nil || dto.AdvertiseInfo != nil && dto.AdvertiseInfo.Vendor == nil {
		return errInternal
	}
	return nil
}

// checkKeyManagers accepts a list of names of key managers that are loaded.
func (am *AM) checkKeyManagers(dto *apiDTO) error {
	if _, ok := dto.KeyManagers.([]any); !ok && dto.KeyManagers != nil {
		return &fault{status: 400, code: 903203, message: "KeyManagers value needs to be an array",
			description: "Value of the KeyManagers config should be an array"}
	}
	for _, name := range dto.keyManagers() {
		if k := am.keyManagerByName(name); name != allKeyManagers && (k == nil || !k.loaded(time.Now())) {
			return errKMUnknown
		}
	}
	return nil
}
