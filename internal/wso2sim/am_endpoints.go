package wso2sim

import (
	"maps"
	"net/url"
	"slices"
	"strings"
)

// endpoint is the address of a backend: "production_endpoints" or "sandbox_endpoints".
func (dto *apiDTO) endpoint(kind string) string {
	if all := dto.endpoints(kind); len(all) > 0 {
		return all[0]
	}
	return ""
}

// endpoints are all addresses of a kind: one, or those of load balancing or failover.
func (dto *apiDTO) endpoints(kind string) []string {
	var out []string
	add := func(block any) {
		if block, _ := block.(map[string]any); block != nil {
			at, _ := block["url"].(string)
			out = append(out, at)
		}
	}
	if list, several := dto.EndpointConfig[kind].([]any); several {
		for _, block := range list {
			add(block)
		}
		return out
	}
	add(dto.EndpointConfig[kind])
	return out
}

var errBadEndpoint = &fault{status: 400, code: 900346, message: "Endpoint URL(s) is(are) not valid", description: "Endpoint URL(s) is(are) not valid"}

// checkEndpoints looks at the type, which may be any but not missing, and at the addresses.
func (dto *apiDTO) checkEndpoints() error {
	if len(dto.EndpointConfig) == 0 {
		return nil
	}
	if dto.EndpointConfig["endpoint_type"] == nil {
		return errInternal
	}
	schemes := []string{"http", "https"}
	switch kind, _ := dto.EndpointConfig["endpoint_type"].(string); {
	case value(dto.Type) == typeWS:
		schemes = []string{"ws", "wss"}
	case !slices.Contains([]string{"http", "address", "load_balance", "failover"}, kind):
		return nil
	}
	for _, kind := range []string{"production", "sandbox"} {
		for _, at := range append(dto.endpoints(kind+"_endpoints"), dto.endpoints(kind+"_failovers")...) {
			u, err := url.Parse(at)
			if err != nil || u.Host == "" || !slices.Contains(schemes, strings.ToLower(u.Scheme)) {
				return errBadEndpoint
			}
		}
	}
	return nil
}

// secretsOf are the fields of endpoint security that only go in.
var secretsOf = []string{"password", "clientSecret", "apiKeyValue"}

// securityOf are the settings of endpoint security, for production and sandbox.
func securityOf(config object) map[string]object {
	out := map[string]object{}
	security, _ := config["endpoint_security"].(map[string]any)
	for kind, block := range security {
		if block, ok := block.(map[string]any); ok {
			out[kind] = block
		}
	}
	return out
}

// withSecurity is a configuration in which each block of endpoint security was changed. The one that is given stays as it is.
func withSecurity(config object, change func(kind string, block object)) object {
	blocks := securityOf(config)
	if len(blocks) == 0 {
		return config
	}
	security := object{}
	for kind, block := range blocks {
		block = maps.Clone(block)
		change(kind, block)
		security[kind] = block
	}
	config = maps.Clone(config)
	config["endpoint_security"] = security
	return config
}

// madeEndpoints is what a creation keeps of endpoint security.
func madeEndpoints(config object) object {
	return withSecurity(config, func(_ string, block object) {
		if _, has := block["customParameters"]; !has {
			block["customParameters"] = nil
		}
	})
}

// updatedEndpoints is what an update keeps: secrets that come empty or not at all are those from before, and each block
// with credentials has every field.
func updatedEndpoints(was, config object) object {
	before := securityOf(was)
	return withSecurity(madeEndpoints(config), func(kind string, block object) {
		credentials := block["username"] != nil || block["clientId"] != nil || block["apiKeyIdentifier"] != nil
		if !credentials {
			return
		}
		for name, otherwise := range map[string]any{
			"additionalProperties": object{}, "apiKeyIdentifier": nil, "apiKeyIdentifierType": nil, "apiKeyValue": nil,
			"clientId": nil, "clientSecret": nil, "grantType": nil, "password": nil, "proxyConfigs": nil, "tokenUrl": nil,
			"uniqueIdentifier": nil, "username": nil,
			"connectionTimeoutDuration": -1, "connectionRequestTimeoutDuration": -1, "socketTimeoutDuration": -1,
		} {
			if _, has := block[name]; !has {
				block[name] = otherwise
			}
		}
		if old := before[kind]; old["type"] == block["type"] {
			for _, name := range secretsOf {
				if secret, _ := block[name].(string); secret == "" && old[name] != nil {
					block[name] = old[name]
				}
			}
		}
	})
}

// withoutSecrets is a configuration as it is shown.
func withoutSecrets(config object) object {
	return withSecurity(config, func(_ string, block object) {
		for _, name := range secretsOf {
			if block[name] != nil {
				block[name] = ""
			}
		}
	})
}
