package plan

import (
	"slices"

	"wso2agent/internal/desired"
)

// Sent reports whether a value is the one that was last sent for the path of an object. The caller keeps keyed hashes of what it
// sends, because no server gives a secret back. A nil Sent knows nothing, and then a secret is no difference.
type Sent func(path, value string) bool

// Names that API-M has.
const (
	unlimited        = "Unlimited"
	subscriptionless = "DefaultSubscriptionless" // with it the gateway takes any valid token, without a subscription
	allKeyManagers   = "all"
	alwaysScheme     = "oauth_basic_auth_api_key_mandatory" // which API-M adds to the security schemes of every API
	ownershipMark    = "wso2agent"                          // the additional property by which the agent knows its APIs
)

// NewAPI returns an API of a type as the agent creates it where the file says nothing: all key managers, and for HTTP the five
// operations of a REST API. [APIBody] adds what the file says.
func NewAPI(kind string) Object {
	api := Object{
		"type": kind, "tags": []any{}, "visibility": "PUBLIC",
		"policies": []any{}, "keyManagers": []any{allKeyManagers}, "securityScheme": []any{"oauth2", alwaysScheme},
	}
	if kind != "WS" { // to which API-M gives no transport
		api["transport"] = []any{"http", "https"}
	}
	if kind != "GRAPHQL" { // whose operations are those of the schema
		putOperations(api, defaultOperations(kind))
	}
	return api
}

// APIDifferences compares an API with what the Publisher shows of it. need has the policies that subscriptions need, for an API whose
// policies the file leaves out. Where the file has openapi or schema, the caller gives the operations that come from it in Operations.
// What is not of this object has functions of its own: lifecycle, documents, endpoint certificates and deployments.
func APIDifferences(want desired.API, have Object, need []string, sent Sent) []Difference {
	want = resolved(want, have, need)
	var all []Difference
	for _, d := range differences(apiTable, want, have) {
		if d.Path == "operations" || d.Path == "scopes" || d.Path == "additional_properties" {
			d.Have, d.Want = apart(d.Have.(map[string]any), d.Want.(map[string]any))
		}
		all = append(all, d)
	}
	for _, s := range endpointSecrets {
		all = append(all, changedSecret(s.path, s.of(want), sent)...)
	}
	return all
}

// APIBody returns the API to send: have with everything that the file sets. have is the whole object as the Publisher shows it, or nil
// for a creation. need is as in [APIDifferences].
func APIBody(want desired.API, have Object, need []string) Object {
	base := have
	if base == nil {
		base = NewAPI(want.Type.Or("HTTP"))
	}
	made := body(apiTable, resolved(want, have, need), base)
	if have == nil {
		withoutNulls(made)
	}
	// The server derives the map from the list. Beside an empty list it would count.
	delete(made, "additionalPropertiesMap")
	return made
}

// withoutNulls removes fields without a value from a new object, for which API-M takes its defaults. Its specification allows no null
// there.
func withoutNulls(o map[string]any) {
	for key, value := range o {
		if m, is := value.(map[string]any); is {
			withoutNulls(m)
		}
		if value == nil {
			delete(o, key)
		}
	}
}

// APISecrets returns the secrets that [APIBody] writes, by their paths: what [Sent] is to know when the body has been sent.
func APISecrets(want desired.API, have Object) map[string]string {
	want = resolved(want, have, nil)
	secrets := map[string]string{}
	for _, s := range endpointSecrets {
		if p := s.of(want); p.Set && !p.Null {
			secrets[s.path] = p.Value.Reveal()
		}
	}
	return secrets
}

// resolved fills in what the file leaves to the server or to other parts of the file.
func resolved(want desired.API, have Object, need []string) desired.API {
	want.Policies = policiesOf(want, have, need)
	want.Endpoints = followed(want.Endpoints, have)
	want.Operations = completeOperations(want, have)
	want.Scopes = completeScopes(want, have)
	return want
}

// policiesOf returns the policies that the API offers. If the file names none, policies that somebody added stay, except the one that
// needs no subscription, and the ones that subscriptions need are added.
func policiesOf(want desired.API, have Object, need []string) desired.Texts {
	if want.Policies.Set && !want.Policies.Null {
		return want.Policies
	}
	all := slices.Concat(textsAt(have, "policies"), need, []string{unlimited})
	return textsField(slices.DeleteFunc(set(all), func(p string) bool { return p == subscriptionless }))
}

func textsField(values []string) desired.Texts {
	list := desired.Texts{Set: true, Null: len(values) == 0}
	for _, v := range values {
		list.Value = append(list.Value, desired.Text{Set: true, Value: v})
	}
	return list
}

// apart returns two maps without the entries that are equal in both.
func apart(have, want map[string]any) (map[string]any, map[string]any) {
	less := func(m, other map[string]any) map[string]any {
		out := map[string]any{}
		for k, v := range m {
			if o, is := other[k]; !is || !equal(o, v) {
				out[k] = v
			}
		}
		return out
	}
	return less(have, want), less(want, have)
}
