package desired

import (
	"slices"
	"strings"
)

// Kind returns the type of the endpoints, also where the file leaves it to the agent. api is the type of the API.
func (e Endpoints) Kind(api string) string {
	switch {
	case e.Type.Set && !e.Type.Null:
		return e.Type.Value
	case api == "WS":
		return "ws"
	case e.Production.Value.URLs.Set, e.Sandbox.Value.URLs.Set:
		return "load_balance"
	}
	return "http"
}

// check reports what is wrong with the backends of an API of a type.
func (e *Endpoints) check(api string, ps *Problems) {
	kind := e.Kind(api)
	if (kind == "ws") != (api == "WS") && e.Type.Set {
		ps.Add(e.Type.At, "", "an API of type %s cannot have endpoints of type %s", api, kind)
		return
	}
	if e.Sessions.Set && kind != "load_balance" {
		ps.Add(e.Sessions.At, "remove it", "session_management is for load_balance, and the type is %s", kind)
	}
	for _, item := range []*Group[Endpoint]{&e.Production, &e.Sandbox} {
		reported := item.Wrong && !item.Value.URL.Set && !item.Value.URLs.Set
		if item.Set && !item.Null && !reported {
			item.Value.check(item.At, kind, ps)
		}
	}
}

func (e *Endpoint) check(at Place, kind string, ps *Problems) {
	least := map[string]int{"load_balance": 1, "failover": 2}[kind]
	switch {
	case kind == "default" && (e.URL.Set || e.URLs.Set):
		ps.Add(at, "remove it", "an endpoint of type default has no address: a policy of the API sets it")
	case kind == "default":
	case e.URL.Wrong, e.URLs.Wrong:
	case least > 0 && (len(e.URLs.Value) < least || e.URL.Set):
		ps.Add(at, "", "an endpoint of type %s needs urls with at least %d of them, and no url", kind, least)
	case least == 0 && e.URLs.Set:
		ps.Add(e.URLs.At, "set type to load_balance or failover", "an endpoint of type %s has one url", kind)
	case least == 0 && (!e.URL.Set || e.URL.Null):
		ps.Add(at, "", "the endpoint has no url")
	}
	for _, url := range append(slices.Clone(e.URLs.Value), e.URL) {
		if socket := strings.HasPrefix(strings.ToLower(url.Value), "ws"); url.Value != "" && socket != (kind == "ws") {
			ps.Add(url.At, "", "an endpoint of type %s cannot have the address %s: %s", kind, Shown(url.Shown()),
				map[bool]string{true: "it begins with ws:// or wss://", false: "it begins with http:// or https://"}[kind == "ws"])
		}
	}
	if s := e.Suspend.Value; s.Initial.Set && s.Maximum.Set && !s.Initial.Wrong && !s.Maximum.Wrong && s.Maximum.Value < s.Initial.Value {
		ps.Add(s.Maximum.At, "", "maximum is shorter than initial")
	}
	if e.Security.Set && !e.Security.Null {
		e.Security.Value.check(e.Security.At, ps)
	}
}

// check reports fields that the type of authentication lacks, and those that it does not have. API-M accepts both without a word.
func (s EndpointAuth) check(at Place, ps *Problems) {
	needs := map[string][]string{"BASIC": {"username", "password"}, "OAUTH": {"token_url", "client_id", "client_secret"}, "APIKEY": {"key_name", "key_value"}}[s.Type.Value]
	if needs == nil || s.GrantType.Wrong {
		return // reported
	}
	optional := map[string][]string{"OAUTH": {"grant_type"}, "APIKEY": {"key_in"}}[s.Type.Value]
	if s.Type.Value == "OAUTH" && s.GrantType.Value == "PASSWORD" {
		needs = append(needs, "username", "password")
	}
	for _, f := range []struct {
		name string
		set  bool
		at   Place
	}{
		{"username", s.Username.Set && !s.Username.Null, s.Username.At}, {"password", s.Password.Set && !s.Password.Null, s.Password.At},
		{"token_url", s.TokenURL.Set && !s.TokenURL.Null, s.TokenURL.At}, {"client_id", s.ClientID.Set && !s.ClientID.Null, s.ClientID.At},
		{"client_secret", s.ClientSecret.Set && !s.ClientSecret.Null, s.ClientSecret.At}, {"grant_type", s.GrantType.Set, s.GrantType.At},
		{"key_name", s.KeyName.Set && !s.KeyName.Null, s.KeyName.At}, {"key_value", s.KeyValue.Set && !s.KeyValue.Null, s.KeyValue.At},
		{"key_in", s.KeyIn.Set, s.KeyIn.At},
	} {
		switch needed := slices.Contains(needs, f.name); {
		case needed && !f.set:
			ps.Add(at, "add it", "security of type %s has no %s", s.Type.Shown(), f.name)
		case f.set && !needed && !slices.Contains(optional, f.name):
			ps.Add(f.at, "remove it", "%s is not for security of type %s", f.name, s.Type.Shown())
		}
	}
}
