package plan

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"wso2agent/internal/desired"
)

// What the gateway does with calls, except endpoints and operations.
var apiGateway = []mapping{
	textsRow("policies", "policies", func(a api) desired.Texts { return a.Policies }),
	nullable(textRow("throttling_policy", "apiThrottlingPolicy", "", func(a api) desired.Text { return a.ThrottlingPolicy })),
	limitRow("production", func(l desired.RateLimits) desired.Number { return l.Production }),
	limitRow("sandbox", func(l desired.RateLimits) desired.Number { return l.Sandbox }),
	limitUnitRow,
	switchRow("response_caching.enabled", "responseCachingEnabled", false, func(a api) desired.Switch {
		return within(a.ResponseCaching, func(c desired.Caching) desired.Switch { return c.Enabled })
	}),
	numberRow("response_caching.timeout", "cacheTimeout", 300, func(a api) desired.Number {
		return within(a.ResponseCaching, func(c desired.Caching) desired.Number { return c.Timeout })
	}),
	noCORSRow,
	corsEnabledRow,
	corsRow("allow_origins", "accessControlAllowOrigins", func(c desired.CORS) desired.Texts { return c.Origins }),
	corsRow("allow_headers", "accessControlAllowHeaders", func(c desired.CORS) desired.Texts { return c.Headers }),
	corsRow("allow_methods", "accessControlAllowMethods", func(c desired.CORS) desired.Texts { return c.Methods }),
	switchRow("cors.allow_credentials", corsKey+".accessControlAllowCredentials", false, func(a api) desired.Switch { return a.CORS.Value.Credentials }),
	setRow("transports", "transport", []string{"http", "https"}, nil, func(a api) desired.Texts { return a.Transports }),
	setRow("security_schemes", "securityScheme", []string{"oauth2"}, []string{alwaysScheme}, func(a api) desired.Texts { return a.SecuritySchemes }),
	textRow("authorization_header", "authorizationHeader", "Authorization", func(a api) desired.Text { return a.AuthHeader }),
	textRow("api_key_header", "apiKeyHeader", "ApiKey", func(a api) desired.Text { return a.APIKeyHeader }),
	setRow("key_managers", "keyManagers", []string{allKeyManagers}, nil, func(a api) desired.Texts { return a.KeyManagers }),
	switchRow("schema_validation", "enableSchemaValidation", false, func(a api) desired.Switch { return a.SchemaValidation }),
}

// within returns a field of a group. If the file resets the group, it resets the field.
func within[G, F any](group desired.Group[G], of func(G) desired.Field[F]) desired.Field[F] {
	if group.Set && group.Null {
		return desired.Field[F]{Set: true, Null: true, At: group.At}
	}
	return of(group.Value)
}

// nullable makes a row write null for a text that is empty.
func nullable(row mapping) mapping {
	put := row.put
	row.put = func(body Object, value any) {
		if value == "" {
			value = nil
		}
		put(body, value)
	}
	return row
}

// numberRow maps a number. The server has absent if nobody sets it.
func numberRow[T any](path, key string, absent int, of func(T) desired.Number) mapping {
	return mapping{
		path: path,
		want: func(from any) (any, bool) { f := of(from.(T)); return f.Or(absent), f.Set },
		have: func(o Object) any { return numberAt(o, key, absent) },
		put:  func(body Object, value any) { putAt(body, key, float64(value.(int))) },
	}
}

func numberAt(o Object, path string, absent int) int {
	if n, is := at(o, path).(float64); is {
		return int(n)
	}
	return absent
}

// setRow maps a set of texts that is never empty: the server has absent if nobody sets it, and adds always.
func setRow[T any](path, key string, absent, always []string, of func(T) desired.Texts) mapping {
	complete := func(texts []string) []string {
		if len(texts) == 0 {
			texts = absent
		}
		return set(slices.Concat(texts, always))
	}
	row := textsRow(path, key, of)
	row.want = func(from any) (any, bool) { f := of(from.(T)); return complete(valuesOf(f)), f.Set }
	row.have = func(o Object) any { return complete(textsAt(o, key)) }
	return row
}

const limitKey = "maxTps"

// limitRow maps a bound of the requests to backends, 0 for none.
func limitRow(name string, of func(desired.RateLimits) desired.Number) mapping {
	key := limitKey + "." + name
	row := numberRow("rate_limits."+name, key, 0, func(a api) desired.Number { return within(a.RateLimits, of) })
	row.put = func(body Object, value any) {
		if n := value.(int); n > 0 {
			putAt(body, key, float64(n))
			return
		}
		if at(body, key) != nil {
			putAt(body, key, nil)
		}
		if numberAt(body, limitKey+".production", 0) == 0 && numberAt(body, limitKey+".sandbox", 0) == 0 {
			body[limitKey] = nil
		}
	}
	return row
}

// limitUnitRow maps the one unit of the file to the two of the server. The unit of a number that the server does not have does not count.
var limitUnitRow = mapping{
	path: "rate_limits.unit",
	want: func(from any) (any, bool) {
		a := from.(api)
		unit := a.RateLimits.Value.Unit // without numbers there is no unit, so a reset of the group says all
		return unit.Or("SECOND"), unit.Set
	},
	have: func(o Object) any {
		of := func(side string) (string, bool) {
			return textAt(o, limitKey+"."+side+"TimeUnit", "SECOND"), numberAt(o, limitKey+"."+side, 0) > 0
		}
		production, hasProduction := of("production")
		sandbox, hasSandbox := of("sandbox")
		switch {
		case hasProduction && hasSandbox && production != sandbox:
			return fmt.Sprintf("%s for production, %s for sandbox", production, sandbox)
		case hasSandbox && !hasProduction:
			return sandbox
		}
		return production
	},
	put: func(body Object, value any) {
		if body[limitKey] != nil {
			putAt(body, limitKey+".productionTimeUnit", value)
			putAt(body, limitKey+".sandboxTimeUnit", value)
		}
	},
}

const corsKey = "corsConfiguration"

// corsDefaults are the lists that API-M has for an API that nobody gave others. It empties them while CORS is off.
var corsDefaults = map[string][]string{
	"accessControlAllowOrigins": {"*"},
	"accessControlAllowHeaders": {"authorization", "Access-Control-Allow-Origin", "Content-Type", "SOAPAction", "apikey", "Internal-Key"},
	"accessControlAllowMethods": {"GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"},
}

// noCORSRow resets CORS: API-M switches it off and takes the default lists. Lists do not count while it is off.
var noCORSRow = mapping{
	path: "cors",
	want: func(from any) (any, bool) { a := from.(api); return nil, a.CORS.Set && a.CORS.Null },
	have: func(o Object) any {
		if corsEnabledRow.have(o) == true {
			return "enabled"
		}
		return nil
	},
	put: func(body Object, _ any) { body[corsKey] = nil },
}

// corsEnabledRow switches CORS. To switch it on fills in the lists, which API-M would leave empty.
var corsEnabledRow = mapping{
	path: "cors.enabled",
	want: func(from any) (any, bool) {
		a := from.(api)
		f := a.CORS.Value.Enabled
		return f.Or(false), f.Set
	},
	have: func(o Object) any { is, _ := at(o, corsKey+".corsConfigurationEnabled").(bool); return is },
	put: func(body Object, value any) {
		putAt(body, corsKey+".corsConfigurationEnabled", value)
		if value == false {
			return
		}
		for key, list := range corsDefaults {
			if len(textsAt(body, corsKey+"."+key)) == 0 {
				putAt(body, corsKey+"."+key, listOf(list))
			}
		}
	},
}

// corsRow maps a list of CORS.
func corsRow(name, key string, of func(desired.CORS) desired.Texts) mapping {
	return setRow("cors."+name, corsKey+"."+key, corsDefaults[key], nil, func(a api) desired.Texts { return of(a.CORS.Value) })
}

func equal(a, b any) bool { return reflect.DeepEqual(a, b) }

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
