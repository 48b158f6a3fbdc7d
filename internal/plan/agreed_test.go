package plan

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

const documented = `
apis:
  - name: Orders
    version: 1.0.0
    context: /orders
    backend_url: "http://backend:8080"
    documents: [{name: Guide, summary: How, content: Text}]
`

// withGuide is what the Publisher has of the API of the documented file.
func withGuide() API {
	api := served()
	api.Object["id"], api.Object["keyManagers"] = "id1", []any{"all"}
	api.Object["operations"] = []any{map[string]any{"target": "/a", "verb": "GET"}}
	api.Documents = map[string]Document{"Guide": {Object: Object{"documentId": "d1", "name": "Guide", "summary": "How", "type": "HOWTO", "visibility": "API_LEVEL", "sourceType": "INLINE"}, Content: []byte("Text")}}
	return api
}

// TestAComparisonNeedsNoMoreOfAnAPIThatAgrees: with what is kept of it, a comparison finds the same.
func TestAComparisonNeedsNoMoreOfAnAPIThatAgrees(t *testing.T) {
	want := wanted(t, documented)
	api := withGuide()
	api.Revisions = []Revision{{ID: "r1", Created: time.Unix(1, 0), Deployments: api.Deployments}}
	name := APIName{"Orders", "1.0.0"}
	kept, ok := AgreedOf(want, want.File.APIs.Value[0], api)
	if !ok {
		t.Fatal(Compare(want, Have{APIs: map[APIName]API{name: api}}).Changes)
	}
	if expected := (Agreed{"id1", map[string]string{"Guide": "d1"}, Served{
		Operations: []ServedOperation{{Target: "/a", Verb: "GET"}}, Policies: []string{"Unlimited"}, KeyManagers: []string{"all"}, Backend: "http://backend:8080", Deployed: time.Unix(1, 0),
	}}); !reflect.DeepEqual(kept, expected) {
		t.Errorf("%+v is kept, and should be %+v", kept, expected)
	}
	whole, less := Compare(want, Have{APIs: map[APIName]API{name: api}}), Compare(want, Have{Agreed: map[APIName]Agreed{name: kept}})
	if !reflect.DeepEqual(less, whole) {
		t.Errorf("the comparison finds %+v, and of the whole API %+v", less, whole)
	}
}

func TestAnAPIThatDiffersDoesNotAgree(t *testing.T) {
	for name, change := range map[string]func(*API){
		"a field":               func(a *API) { a.Object["context"] = "/other" },
		"the lifecycle":         func(a *API) { a.Object["lifeCycleStatus"] = "CREATED" },
		"somebody's decision":   func(a *API) { a.Object["lifeCycleStatus"] = "BLOCKED" },
		"no deployment":         func(a *API) { a.Deployments = nil },
		"a document":            func(a *API) { a.Documents["Guide"].Object["summary"] = "Other" },
		"a document's content":  func(a *API) { a.Documents["Guide"] = Document{Object: a.Documents["Guide"].Object} },
		"a document is missing": func(a *API) { a.Documents = nil },
	} {
		want, api := wanted(t, documented), withGuide()
		change(&api)
		if _, ok := AgreedOf(want, want.File.APIs.Value[0], api); ok {
			t.Errorf("%s: the API agrees", name)
		}
	}
}

// TestAnAPIWithSecretsAgreesOnlyIfTheRecordHasThem: an API that is to be adopted must be read, and a changed secret must be sent.
func TestAnAPIWithSecretsAgreesOnlyIfTheRecordHasThem(t *testing.T) {
	want, api := wanted(t, withSecrets), served()
	side := map[string]any{"enabled": true, "type": "BASIC", "username": "u", "password": ""}
	api.Object["id"] = "id1"
	api.Object["endpointConfig"].(map[string]any)["endpoint_security"] = map[string]any{"production": side, "sandbox": side}
	record := []OwnedObject{{KindAPI, "Orders 1.0.0", "", "id1"}}
	sent := func(last string) func(string, string, string) Sent {
		return func(string, string, string) Sent { return func(_, value string) bool { return value == last } }
	}
	for name, c := range map[string]struct {
		owned []OwnedObject
		sent  func(string, string, string) Sent
		ok    bool
	}{
		"without a record":          {nil, nil, true},
		"a record without the API":  {nil, sent("api-now"), false},
		"the record has the secret": {record, sent("api-now"), true},
		"the secret has changed":    {record, sent("api-before"), false},
	} {
		want.Owned, want.Sent = c.owned, c.sent
		if _, ok := AgreedOf(want, want.File.APIs.Value[0], api); ok != c.ok {
			t.Errorf("%s: the API agrees: %t", name, ok)
		}
		if ok := SecretsSent(want, want.File.APIs.Value[0].Value, "id1"); ok != c.ok {
			t.Errorf("%s: the secrets are those that were sent: %t", name, ok)
		}
	}
}

// TestTheHashOfAnAPICoversWhatItsComparisonNeeds, and nothing of other APIs.
func TestTheHashOfAnAPICoversWhatItsComparisonNeeds(t *testing.T) {
	const text = "apis:\n  - {name: Orders, version: 1.0.0, context: /orders, backend_url: 'http://b:1', documents: [{name: File, summary: How, file: guide.txt}], openapi: o.yaml}\n"
	const app = "applications: [{name: Shop, subscriptions: [{api_name: Orders, throttling_policy: Gold}]}]\n"
	hash := func(text string, change func(*Wanted)) string {
		w := wanted(t, text)
		w.Contents = map[string][]byte{"guide.txt": []byte("a")}
		w.Definitions = map[string]Definition{"o.yaml": {Text: []byte("a")}}
		change(&w)
		return w.APIHash(w.File.APIs.Value[0])
	}
	nothing := func(*Wanted) {}
	before := hash(text, nothing)
	for name, same := range map[string]string{
		"the same":         hash(text, nothing),
		"another API":      hash(text+"  - {name: Chat, version: '1', context: /chat, backend_url: 'http://b:1'}\n", nothing),
		"another key name": hash(text, func(w *Wanted) { w.KeyManager = "Other" }),
	} {
		if same != before {
			t.Errorf("%s gives another hash", name)
		}
	}
	for name, other := range map[string]string{
		"a field":                       hash(strings.Replace(text, "/orders", "/order", 1), nothing),
		"a subscription":                hash(text+app, nothing),
		"the virtual host":              hash(text, func(w *Wanted) { w.VHost = "gw" }),
		"the content of a file":         hash(text, func(w *Wanted) { w.Contents["guide.txt"] = []byte("b") }),
		"the definition":                hash(text, func(w *Wanted) { w.Definitions["o.yaml"] = Definition{Text: []byte("b")} }),
		"which scopes are shared":       hash(text+"scopes: [{name: read}]\n", nothing),
		"an environment of the gateway": hash(strings.Replace(text, "openapi:", "environments: [Default], openapi:", 1), nothing),
	} {
		if other == before {
			t.Errorf("%s gives the same hash", name)
		}
	}
}
