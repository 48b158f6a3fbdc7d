package converge

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// tree is a mapping of the file.
type tree = map[string]any

// state is a desired state: a file in JSON, which is YAML too, and the files that it names.
type state struct {
	file  tree
	files map[string]string
}

func (s state) text() []byte {
	text, err := json.MarshalIndent(s.file, "", " ")
	if err != nil {
		panic(err)
	}
	return text
}

// maker makes a random desired state. shape decides which objects there are, and what a server cannot change or cannot take back. value
// decides the rest, so that two states of one shape are one file before and after changes.
type maker struct {
	shape, value *rand.Rand
	later        bool // the state after changes
	files        map[string]string
	locals       int
	subscribable []string
	roles        []string // of IS
	users        []string
	shared       []string // scopes
	clients      []client // of IS, which nobody uses yet
}

// client is an OAuth client of IS that no key has.
type client struct{ id, secret string }

// random returns the state of a seed. Two states of one seed differ only if later does. clients are those that keys may map.
func random(seed uint64, later bool, clients []client) state {
	values := seed
	if later {
		values += 1 << 32
	}
	m := &maker{shape: rand.New(rand.NewPCG(seed, 1)), value: rand.New(rand.NewPCG(values, 2)), later: later, files: map[string]string{}, clients: clients}
	m.files["backend.pem"] = certificates[0]
	m.files["other.pem"] = certificates[1]
	file := tree{}
	if scopes := m.sharedScopes(); len(scopes) > 0 {
		file["scopes"] = scopes
	}
	if managers := m.keyManagers(); len(managers) > 0 {
		file["key_managers"] = managers
	}
	file["apis"] = m.apis()
	if m.shape.IntN(4) > 0 {
		file["identity_server"] = m.identityServer()
	}
	file["applications"] = m.applications()
	return state{file, m.files}
}

// one returns one of several.
func one[T any](r *rand.Rand, all ...T) T { return all[r.IntN(len(all))] }

// some returns some of several, at least one, in any order.
func some[T any](r *rand.Rand, all ...T) []T {
	all = slices.Clone(all)
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:1+r.IntN(len(all))]
}

// maybe sets a field in about half of all states. null also resets it at times.
func (m *maker) maybe(o tree, name string, null bool, value func() any) {
	v := value() // also if it is not used, so that a state differs from another one only where it should
	switch n := m.value.IntN(10); {
	case n < 5:
		o[name] = v
	case n == 5 && null:
		o[name] = nil
	}
}

func (m *maker) word() string {
	return one(m.value, "blue", "Grün", "a b  c", "100 % & more", "it's \"quoted\"", "x", "line one\nline two", "<b>", "日本", "trailing.") + fmt.Sprint(m.value.IntN(3))
}

func (m *maker) line() string { return strings.ReplaceAll(m.word(), "\n", " ") }

func (m *maker) sharedScopes() (all []any) {
	for i := range m.shape.IntN(3) {
		name := fmt.Sprintf("shared:%d", i)
		m.shared = append(m.shared, name)
		all = append(all, m.scope(name))
	}
	return all
}

// scope is a scope with its texts.
func (m *maker) scope(name string) tree {
	s := tree{"name": name}
	m.maybe(s, "display_name", false, func() any { return m.line() })
	m.maybe(s, "description", false, func() any { return m.line() })
	m.maybe(s, "roles", true, func() any { return some(m.value, "admin", "Internal/creator", "Internal/publisher") })
	return s
}

func (m *maker) keyManagers() (all []any) {
	if m.shape.IntN(2) == 0 {
		km := tree{"name": "Cloak", "type": one(m.shape, "KeyCloak", "Okta", "Auth0"), "issuer": "https://kc.example", "well_known_endpoint": "https://kc.example/w", "token_endpoint": "https://kc.example/t",
			"revoke_endpoint": "https://kc.example/r", "introspection_endpoint": "https://kc.example/i", "client_registration_endpoint": "https://kc.example/c"}
		km["username"], km["password"] = "agent", "throwAway1"
		properties := tree{"realm": "ours"}
		switch km["type"] {
		case "Okta":
			properties["apiKey"] = "throwAway1"
		case "Auth0":
			properties["audience"] = m.line()
		}
		km["additional_properties"] = properties
		m.maybe(km, "display_name", false, func() any { return m.line() })
		m.maybe(km, "description", false, func() any { return m.line() })
		m.maybe(km, "enabled", true, func() any { return m.value.IntN(2) == 0 })
		m.maybe(km, "jwks_endpoint", false, func() any { return "https://kc.example/" + fmt.Sprint(m.value.IntN(9)) })
		m.maybe(km, "scopes_claim", true, func() any { return one(m.value, "scp", "scopes") })
		m.maybe(km, "consumer_key_claim", true, func() any { return one(m.value, "client", "azp") })
		m.maybe(km, "token_type", true, func() any { return one(m.value, "DIRECT", "EXCHANGED", "BOTH") })
		m.maybe(km, "self_validation", true, func() any { return m.value.IntN(2) == 0 })
		m.maybe(km, "token_generation", true, func() any { return m.value.IntN(2) == 0 })
		m.maybe(km, "map_existing_apps", true, func() any { return m.value.IntN(2) == 0 })
		m.maybe(km, "claim_mapping", true, func() any { return []any{tree{"remote": one(m.value, "mail", "sub"), "local": "email"}} })
		m.maybe(km, "permissions", true, func() any {
			return tree{"type": one(m.value, "ALLOW", "DENY"), "roles": some(m.value, "admin", "Internal/subscriber")}
		})
		m.maybe(km, "grant_types", true, func() any { return some(m.value, "client_credentials", "password", "refresh_token") })
		all = append(all, km)
	}
	if m.shape.IntN(3) == 0 {
		km := tree{"name": "Resident Key Manager"}
		m.maybe(km, "description", false, func() any { return m.line() })
		km["enabled"] = true
		all = append(all, km)
	}
	if m.shape.IntN(3) == 0 {
		km := tree{"name": "WSO2-IS"}
		m.maybe(km, "display_name", false, func() any { return m.line() })
		m.maybe(km, "grant_types", false, func() any { return []any{"client_credentials", "password", "refresh_token", "authorization_code"} })
		all = append(all, km)
	}
	return all
}

// kinds are the types of APIs.
var kinds = []string{"HTTP", "HTTP", "HTTP", "OPENAPI", "OPENAPI", "GRAPHQL", "WS", "SSE"}

func (m *maker) apis() (all []any) {
	for i := range 1 + m.shape.IntN(4) {
		name := one(m.shape, "Orders", "Old Stock", "Prüfung", "a.b-c_d") + fmt.Sprint(i)
		kind := one(m.shape, kinds...)
		versions := 1
		if m.shape.IntN(4) == 0 {
			versions = 2
		}
		for v := range versions {
			all = append(all, m.api(name, kind, fmt.Sprintf("/c%d", i), v, versions))
		}
	}
	return all
}

// ways are states of the lifecycle before and after changes.
var ways = [][2]string{
	{"PUBLISHED", "PUBLISHED"}, {"", ""}, {"CREATED", "PUBLISHED"}, {"PROTOTYPED", "PUBLISHED"}, {"PUBLISHED", "DEPRECATED"}, {"PUBLISHED", "BLOCKED"},
	{"BLOCKED", "PUBLISHED"}, {"DEPRECATED", "RETIRED"}, {"PUBLISHED", "CREATED"}, {"PUBLISHED", "PROTOTYPED"}, {"CREATED", "CREATED"}, {"RETIRED", "RETIRED"}, {"", "BLOCKED"},
}

func (m *maker) api(name, kind, context string, version, versions int) tree {
	a := tree{"name": name, "version": fmt.Sprintf("%d.0", version+1), "context": context}
	way := ways[0]
	if m.shape.IntN(2) == 0 {
		way = one(m.shape, ways...)
	}
	state := way[0]
	if m.later {
		state = way[1]
	}
	if state != "" {
		a["lifecycle"] = state
	}
	if version == 0 && way[0] != "CREATED" && way[0] != "BLOCKED" && way[0] != "DEPRECATED" && way[0] != "RETIRED" && (way[1] == "" || way[1] == "PUBLISHED" || way[1] == "PROTOTYPED") {
		m.subscribable = append(m.subscribable, name)
	}
	if version == 1 {
		if m.shape.IntN(2) == 0 && kind != "OPENAPI" && kind != "GRAPHQL" {
			a["copy_of"] = "1.0"
		}
		a["default_version"] = true
	}
	if kind != "HTTP" && kind != "OPENAPI" {
		a["type"] = kind
	}
	m.texts(a)
	m.access(a)
	m.backends(a, kind)
	m.operations(a, kind, versions)
	m.gateway(a, kind)
	if m.shape.IntN(2) == 0 {
		a["documents"] = m.documents(versions > 1)
	}
	if m.shape.IntN(4) == 0 {
		a["endpoint_certificates"] = []any{tree{"alias": strings.TrimPrefix(context, "/") + fmt.Sprint(version), "endpoint": "https://b" + fmt.Sprint(m.value.IntN(3)) + ":1", "file": one(m.value, "backend.pem", "other.pem")}}
	}
	return a
}

func (m *maker) texts(a tree) {
	m.maybe(a, "description", true, func() any { return m.word() })
	m.maybe(a, "tags", true, func() any { return some(m.value, "b", "a", "money & more") })
	m.maybe(a, "categories", true, func() any { return some(m.value, "People", "Money") })
	m.maybe(a, "business_information", true, func() any {
		b := tree{}
		m.maybe(b, "business_owner", true, func() any { return m.line() })
		m.maybe(b, "business_owner_email", true, func() any { return "a@b.example" })
		m.maybe(b, "technical_owner", true, func() any { return m.line() })
		m.maybe(b, "technical_owner_email", true, func() any { return "c@b.example" })
		return b
	})
	m.maybe(a, "additional_properties", true, func() any {
		var list []any
		for _, name := range some(m.value, "team", "cost", "Owner") {
			p := tree{"name": name, "value": m.line()}
			m.maybe(p, "display", false, func() any { return m.value.IntN(2) == 0 })
			list = append(list, p)
		}
		return list
	})
}

func (m *maker) access(a tree) {
	switch m.value.IntN(4) {
	case 0:
		a["visibility"], a["visible_roles"] = "RESTRICTED", some(m.value, "admin", "Internal/subscriber", "Internal/creator")
	case 1:
		a["visibility"] = one(m.value, "PUBLIC", "PRIVATE")
	}
	switch m.value.IntN(4) {
	case 0:
		a["access_control"], a["access_control_roles"] = "RESTRICTED", some(m.value, "admin", "Internal/publisher", "Internal/creator")
	case 1:
		a["access_control"] = "NONE"
	}
	m.maybe(a, "policies", false, func() any { return append([]string{"Unlimited", "Gold"}, some(m.value, "Silver", "Bronze")...) })
}

func (m *maker) backends(a tree, kind string) {
	scheme := "http"
	if kind == "WS" {
		scheme = "ws"
	}
	url := func() string {
		return fmt.Sprintf("%s://b%d.example:8080%s", scheme, m.value.IntN(4), one(m.value, "", "/", "/p/q"))
	}
	form := m.shape.IntN(6)
	if kind == "WS" || kind == "SSE" || kind == "GRAPHQL" {
		form = min(form, 1)
	}
	switch form {
	case 0, 2:
		a["backend_url"] = url()
		m.maybe(a, "sandbox_url", false, func() any { return url() })
		m.maybe(a, "timeout", false, func() any { return one[any](m.value, "30s", 1500, "2m") })
	case 1, 3:
		e := tree{"production": m.backend(tree{"url": url()}, kind)}
		if m.shape.IntN(2) == 0 {
			e["sandbox"] = m.backend(tree{"url": url()}, kind)
		}
		a["endpoints"] = e
	case 4:
		urls := func() any {
			list := []string{url() + "/1", url() + "/2"}
			return list[:1+m.value.IntN(2)]
		}
		e := tree{"type": "load_balance", "production": m.backend(tree{"urls": urls()}, kind)}
		m.maybe(e, "session_management", true, func() any { return one(m.value, "transport", "soap", "simpleClientSession") })
		a["endpoints"] = e
	case 5:
		a["endpoints"] = tree{"type": "failover", "production": m.backend(tree{"urls": []string{url() + "/1", url() + "/2", url() + "/3"}}, kind)}
	}
}

func (m *maker) backend(b tree, kind string) tree {
	if kind == "WS" {
		return b
	}
	m.maybe(b, "timeout", true, func() any { return one(m.value, "30s", "90s") })
	m.maybe(b, "timeout_action", true, func() any { return one(m.value, "fault", "discard") })
	m.maybe(b, "retries", true, func() any { return m.value.IntN(5) })
	m.maybe(b, "retry_delay", true, func() any { return one[any](m.value, "2s", 1500) })
	m.maybe(b, "retry_codes", true, func() any { return some(m.value, 101503, 101504, 303001) })
	m.maybe(b, "suspend", true, func() any {
		return tree{"initial": "5m", "maximum": "1h", "factor": 1 + m.value.IntN(4), "codes": some(m.value, 101505, 101506)}
	})
	secret := func() string { return "throwAway" + fmt.Sprint(m.value.IntN(3)) }
	m.maybe(b, "security", true, func() any {
		switch m.value.IntN(4) {
		case 0:
			return tree{"type": "OAUTH", "token_url": "https://t.example/t", "client_id": "c", "client_secret": secret()}
		case 1:
			return tree{"type": "OAUTH", "grant_type": "PASSWORD", "token_url": "https://t.example/t", "client_id": "c", "client_secret": secret(), "username": "v", "password": secret()}
		case 2:
			return tree{"type": "APIKEY", "key_name": "k", "key_value": secret(), "key_in": one(m.value, "HEADER", "QUERY_PARAMETER")}
		}
		return tree{"type": "BASIC", "username": "u" + fmt.Sprint(m.value.IntN(3)), "password": secret()}
	})
	return b
}

// operations adds scopes and operations, or a definition that has them.
func (m *maker) operations(a tree, kind string, versions int) {
	var names []string
	var scopes []any
	for _, name := range m.shared {
		if m.shape.IntN(2) == 0 {
			names = append(names, name)
		}
	}
	if kind != "GRAPHQL" && m.shape.IntN(3) == 0 && versions == 1 {
		m.locals++
		s := m.scope(fmt.Sprintf("local:%d", m.locals))
		s["local"] = true
		scopes, names = append(scopes, s), append(names, s["name"].(string))
	}
	if m.shape.IntN(4) == 0 { // a shared scope that only the API declares
		name := fmt.Sprintf("own:%s", strings.TrimPrefix(a["context"].(string), "/"))
		scopes, names = append(scopes, name), append(names, name)
	}
	if len(scopes) > 0 {
		a["scopes"] = scopes
	}
	switch kind {
	case "OPENAPI":
		name := strings.ReplaceAll(fmt.Sprintf("%s-%s.json", a["name"], a["version"]), " ", "-")
		a["openapi"], m.files[name] = name, m.openAPI(names)
	case "GRAPHQL":
		name := strings.ReplaceAll(fmt.Sprintf("%s-%s.graphql", a["name"], a["version"]), " ", "-")
		fields := some(m.value, "orders: [String]", "count: Int", "one(id: ID!): String")
		a["schema"], m.files[name] = name, "type Query {\n  always: Int\n  "+strings.Join(fields, "\n  ")+"\n}\n"
		if m.shape.IntN(2) == 0 {
			a["operations"] = []any{m.operation("always", "QUERY", names, kind)}
		}
	case "HTTP":
		if m.shape.IntN(3) == 0 {
			return // the server's own
		}
		var all []any
		for _, target := range some(m.value, "/a", "/b/{id}", "/*", "/c.d") {
			for _, verb := range some(m.value, "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS")[:1] {
				all = append(all, m.operation(target, verb, names, kind))
			}
		}
		a["operations"] = all
	case "WS", "SSE":
		if m.shape.IntN(2) == 0 {
			a["operations"] = []any{m.operation("/a", "SUBSCRIBE", names, kind), m.operation("/*", "SUBSCRIBE", names, kind)}
		}
	}
}

func (m *maker) operation(target, verb string, scopes []string, kind string) tree {
	op := tree{"target": target, "verb": verb}
	auth := one(m.value, "", "", "Application & Application User", "None", "Application")
	if auth != "" {
		op["auth"] = auth
	}
	if kind == "HTTP" {
		m.maybe(op, "throttling_policy", true, func() any { return one(m.value, "Unlimited", "10KPerMin", "20KPerMin") })
	}
	if auth != "None" && len(scopes) > 0 && m.value.IntN(2) == 0 {
		op["scopes"] = some(m.value, scopes...)
	}
	return op
}

// openAPI is a definition. Its scopes are of the scheme that API-M writes itself.
func (m *maker) openAPI(scopes []string) string {
	paths := tree{}
	for _, path := range some(m.value, "/a", "/b/{id}", "/c") {
		item := tree{}
		for _, verb := range some(m.value, "get", "post", "put", "delete")[:1+m.value.IntN(2)%2] {
			op := tree{"responses": tree{"200": tree{"description": "done"}}, "summary": m.line()}
			if strings.Contains(path, "{id}") {
				op["parameters"] = []any{tree{"name": "id", "in": "path", "required": true, "schema": tree{"type": "string"}}}
			}
			m.maybe(op, "x-auth-type", false, func() any { return "Application & Application User" })
			m.maybe(op, "x-throttling-tier", false, func() any { return one(m.value, "Unlimited", "10KPerMin") })
			switch m.value.IntN(3) {
			case 0:
				op["x-auth-type"] = "None"
			case 1:
				if len(scopes) > 0 {
					op["security"] = []any{tree{"login": some(m.value, scopes...)}}
				}
			}
			item[verb] = op
		}
		paths[path] = item
	}
	declared := tree{}
	for _, name := range scopes {
		declared[name] = "of the definition"
	}
	d := tree{"openapi": one(m.shape, "3.0.1", "3.0.3"), "info": tree{"title": "T", "version": "1"}, "paths": paths,
		"components": tree{"schemas": tree{"Order": tree{"type": "object", "properties": tree{"n": tree{"type": one(m.value, "string", "integer")}}}},
			"securitySchemes": tree{"login": tree{"type": "oauth2", "flows": tree{"clientCredentials": tree{"tokenUrl": "https://l", "scopes": declared}}}}}}
	if m.value.IntN(2) == 0 {
		d["info"].(tree)["description"] = m.word()
	}
	text, err := json.Marshal(d)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func (m *maker) gateway(a tree, kind string) {
	m.maybe(a, "rate_limits", true, func() any {
		return tree{"production": 1 + m.value.IntN(500), "unit": one(m.value, "SECOND", "MINUTE", "HOUR")}
	})
	m.maybe(a, "response_caching", true, func() any {
		if m.value.IntN(2) == 0 {
			return tree{"enabled": false}
		}
		return tree{"enabled": true, "timeout": 1 + m.value.IntN(900)}
	})
	m.maybe(a, "cors", true, func() any {
		if m.value.IntN(3) == 0 {
			return tree{"enabled": false}
		}
		c := tree{"enabled": true}
		m.maybe(c, "allow_origins", true, func() any { return some(m.value, "https://a.example", "https://b.example") })
		m.maybe(c, "allow_headers", true, func() any { return some(m.value, "X-A", "authorization") })
		m.maybe(c, "allow_methods", true, func() any { return some(m.value, "GET", "PUT", "POST", "PATCH") })
		m.maybe(c, "allow_credentials", true, func() any { return m.value.IntN(2) == 0 })
		return c
	})
	if kind == "HTTP" || kind == "OPENAPI" {
		m.maybe(a, "throttling_policy", true, func() any { return one(m.value, "Unlimited", "10KPerMin", "50KPerMin") })
	}
	if kind != "WS" {
		m.maybe(a, "transports", true, func() any { return some(m.value, "https", "http") })
	}
	m.maybe(a, "security_schemes", true, func() any { return some(m.value, "oauth2", "api_key", "basic_auth") })
	m.maybe(a, "authorization_header", true, func() any { return one(m.value, "X-Auth", "Authorization") })
	m.maybe(a, "api_key_header", true, func() any { return one(m.value, "X-Key", "ApiKey") })
	m.maybe(a, "key_managers", true, func() any {
		return one[any](m.value, []string{"all"}, []string{"WSO2-IS"}, []string{"Resident Key Manager", "WSO2-IS"})
	})
	m.maybe(a, "schema_validation", true, func() any { return m.value.IntN(2) == 0 })
	if m.value.IntN(2) == 0 {
		a["environments"] = one[any](m.value, []string{"Default"}, []any{tree{"name": "east", "vhost": "east.example"}, "Default"}, []any{tree{"name": "east", "vhost": "east.example"}}, []any{tree{"name": "Default", "display_on_devportal": true}})
	}
}

// documents are those of an API. Of a version that may be a copy, they say everything, and the same documents have the same sources: a copy
// has the documents of the other version at that moment, and the agent and API-M leave what nobody says.
func (m *maker) documents(whole bool) (all []any) {
	for i := range 1 + m.shape.IntN(2) {
		d := tree{"name": fmt.Sprintf("Doc %d", i), "summary": m.line()}
		source := m.shape.IntN(3)
		if whole {
			source = i
		}
		switch source {
		case 0:
			d["content"] = m.word()
			m.maybe(d, "format", false, func() any { return one(m.value, "INLINE", "MARKDOWN") })
		case 1:
			d["url"] = "https://docs.example/" + fmt.Sprint(m.value.IntN(5))
		case 2:
			name := one(m.value, "guide.txt", "Other Guide.md")
			d["file"], m.files[name] = name, "text "+name
		}
		if m.value.IntN(4) == 0 && !whole {
			d["type"], d["other_type"] = "OTHER", m.line()
		} else {
			m.maybe(d, "type", true, func() any { return one(m.value, "HOWTO", "SAMPLES", "PUBLIC_FORUM", "SUPPORT_FORUM") })
		}
		m.maybe(d, "visibility", true, func() any { return one(m.value, "API_LEVEL", "OWNER_ONLY") })
		if whole {
			for field, value := range map[string]any{"type": "HOWTO", "visibility": "API_LEVEL", "format": "INLINE"} {
				if _, is := d[field]; !is && (field != "format" || d["content"] != nil) {
					d[field] = value
				}
			}
		}
		all = append(all, d)
	}
	return all
}

func (m *maker) identityServer() tree {
	is := tree{}
	var users, groups, roles []any
	for i := range 1 + m.shape.IntN(2) {
		m.users = append(m.users, fmt.Sprintf("user%d", i))
	}
	for i := range m.shape.IntN(3) {
		m.roles = append(m.roles, fmt.Sprintf("Role %d", i))
	}
	for _, name := range m.users {
		u := tree{"username": name, "password": "throwAway1"}
		m.maybe(u, "email", false, func() any { return fmt.Sprintf("%s%d@example.com", name, m.value.IntN(3)) })
		m.maybe(u, "given_name", false, func() any { return m.line() })
		m.maybe(u, "family_name", false, func() any { return m.line() })
		if len(m.roles) > 0 {
			m.maybe(u, "roles", true, func() any { return some(m.value, m.roles...) })
		}
		users = append(users, u)
	}
	for i := range m.shape.IntN(3) {
		g := tree{"name": fmt.Sprintf("Group %d", i)}
		m.maybe(g, "members", true, func() any { return some(m.value, m.users...) })
		groups = append(groups, g)
	}
	for _, name := range m.roles {
		r := tree{"name": name}
		if len(m.shared) > 0 {
			m.maybe(r, "permissions", true, func() any { return some(m.value, m.shared...) })
		}
		if len(groups) > 0 {
			m.maybe(r, "groups", true, func() any {
				var names []string
				for _, g := range some(m.value, groups...) {
					names = append(names, g.(tree)["name"].(string))
				}
				return names
			})
		}
		roles = append(roles, r)
	}
	for name, list := range map[string][]any{"users": users, "groups": groups, "roles": roles} {
		if len(list) > 0 {
			is[name] = list
		}
	}
	return is
}

func (m *maker) applications() (all []any) {
	for i := range 1 + m.shape.IntN(2) {
		app := tree{"name": fmt.Sprintf("App & %d", i)}
		m.maybe(app, "description", true, func() any { return strings.TrimSpace(m.line()) })
		m.maybe(app, "throttling_policy", true, func() any { return one(m.value, "10PerMin", "50PerMin", "Unlimited") })
		m.maybe(app, "groups", true, func() any { return some(m.value, "a", "b") })
		m.maybe(app, "attributes", true, func() any { return tree{"team": m.line()} })
		if len(m.subscribable) > 0 && m.shape.IntN(4) > 0 {
			var list []any
			for _, name := range some(m.shape, slices.Compact(m.subscribable)...) {
				s := tree{"api_name": name}
				m.maybe(s, "throttling_policy", false, func() any { return one(m.value, "Gold", "Unlimited") })
				list = append(list, s)
			}
			app["subscriptions"] = list
		}
		if m.shape.IntN(3) > 0 {
			app["keys"] = m.keys()
		}
		all = append(all, app)
	}
	return all
}

func (m *maker) keys() (all []any) {
	for _, kind := range some(m.shape, "PRODUCTION", "SANDBOX") {
		for _, manager := range some(m.shape, "", "Resident Key Manager") {
			k := tree{"type": kind}
			if manager != "" {
				k["key_manager"] = manager
			}
			grants := some(m.value, "password", "refresh_token", "authorization_code")
			grants = append(grants, "client_credentials")
			if slices.Contains(grants, "authorization_code") {
				k["callbacks"] = some(m.value, "https://a.example/cb", "https://b.example/cb")
				k["grant_types"] = grants
			} else {
				m.maybe(k, "grant_types", false, func() any { return grants })
			}
			m.maybe(k, "application_token_lifetime", true, func() any { return 100 + m.value.IntN(900) })
			m.maybe(k, "user_token_lifetime", true, func() any { return 100 + m.value.IntN(900) })
			m.maybe(k, "refresh_token_lifetime", true, func() any { return 100 + m.value.IntN(900) })
			m.maybe(k, "id_token_lifetime", true, func() any { return 100 + m.value.IntN(900) })
			m.maybe(k, "pkce_mandatory", true, func() any { return m.value.IntN(2) == 0 })
			m.maybe(k, "pkce_plain", true, func() any { return m.value.IntN(2) == 0 })
			m.maybe(k, "public_client", true, func() any { return m.value.IntN(2) == 0 })
			if manager == "" && len(m.clients) > 0 && m.shape.IntN(4) == 0 {
				k["client_id"], k["client_secret"] = m.clients[0].id, m.clients[0].secret
				m.clients = m.clients[1:]
			}
			all = append(all, k)
		}
	}
	return all
}
