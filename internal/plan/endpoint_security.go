package plan

import (
	"strings"

	"wso2agent/internal/desired"
)

const securityKey = configKey + ".endpoint_security"

// securityRows has the rows of the authentication at the backends of a side.
func securityRows(path, side string, of func(api) desired.Group[desired.EndpointAuth]) []mapping {
	key := securityKey + "." + side
	text := func(name, field, absent string, get func(desired.EndpointAuth) desired.Text) mapping {
		return textRow(path+"."+name, key+"."+field, absent, func(a api) desired.Text { return get(of(a).Value) })
	}
	rows := []mapping{
		{
			path: path,
			want: func(from any) (any, bool) { a := from.(api); s := of(a); return nil, s.Set && s.Null },
			have: func(o Object) any { return authAt(o, side) },
			put: func(body Object, _ any) {
				if security, is := at(body, securityKey).(map[string]any); is {
					delete(security, side)
				}
			},
		},
		{
			path: path + ".type",
			want: func(from any) (any, bool) { a := from.(api); s := of(a).Value.Type; return s.Value, s.Set },
			have: func(o Object) any { return authAt(o, side) },
			put: func(body Object, value any) {
				if authAt(body, side) == value {
					return
				}
				if value == "APIKEY" {
					value = "apikey"
				}
				putAt(body, key, map[string]any{"enabled": true, "type": value})
			},
		},
		text("username", "username", "", func(s desired.EndpointAuth) desired.Text { return s.Username }),
		text("token_url", "tokenUrl", "", func(s desired.EndpointAuth) desired.Text { return s.TokenURL }),
		text("grant_type", "grantType", "CLIENT_CREDENTIALS", func(s desired.EndpointAuth) desired.Text { return grantOf(s) }),
		text("client_id", "clientId", "", func(s desired.EndpointAuth) desired.Text { return s.ClientID }),
		text("key_name", "apiKeyIdentifier", "", func(s desired.EndpointAuth) desired.Text { return s.KeyName }),
		text("key_in", "apiKeyIdentifierType", "HEADER", func(s desired.EndpointAuth) desired.Text { return placeOf(s) }),
	}
	for _, s := range secretsOf(path, of) {
		rows = append(rows, secretRow(s.path, key+"."+s.key, s.of))
	}
	return rows
}

// grantOf returns the grant type also where the file leaves it to the default: the server needs it.
func grantOf(s desired.EndpointAuth) desired.Text {
	if s.Type.Value == "OAUTH" && !s.GrantType.Set {
		return desired.Text{Set: true, Null: true}
	}
	return s.GrantType
}

// placeOf does the same for the place of an API key.
func placeOf(s desired.EndpointAuth) desired.Text {
	if s.Type.Value == "APIKEY" && !s.KeyIn.Set {
		return desired.Text{Set: true, Null: true}
	}
	return s.KeyIn
}

// authAt returns the type of the authentication of a side as the file names it; nil if there is none.
func authAt(o Object, side string) any {
	block, is := at(o, securityKey+"."+side).(map[string]any)
	if enabled, _ := block["enabled"].(bool); !is || !enabled {
		return nil
	}
	return strings.ToUpper(textAt(block, "type", ""))
}

// endpointSecret is a secret of the authentication at a backend.
type endpointSecret struct {
	path, key string
	of        func(api) desired.Password
}

// secretsOf has the secrets of a side. The server shows them as "", keeps them for "", and so an update that leaves them as they were
// read loses nothing.
func secretsOf(path string, of func(api) desired.Group[desired.EndpointAuth]) []endpointSecret {
	return []endpointSecret{
		{path + ".password", "password", func(a api) desired.Password { return of(a).Value.Password }},
		{path + ".client_secret", "clientSecret", func(a api) desired.Password { return of(a).Value.ClientSecret }},
		{path + ".key_value", "apiKeyValue", func(a api) desired.Password { return of(a).Value.KeyValue }},
	}
}

// endpointSecrets has the secrets of both sides. The keyed hash of what was last sent decides whether one has changed.
var endpointSecrets = append(
	secretsOf("endpoints.production.security", func(a api) desired.Group[desired.EndpointAuth] { return a.Endpoints.Value.Production.Value.Security }),
	secretsOf("endpoints.sandbox.security", func(a api) desired.Group[desired.EndpointAuth] { return a.Endpoints.Value.Sandbox.Value.Security })...,
)
