package wso2

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"wso2agent/internal/testenv"
)

// recording answers requests as a running server did, by the step's name.
type recording map[string]struct {
	status int
	body   string
}

func loadRecording(t *testing.T, file string) recording {
	t.Helper()
	text, err := os.ReadFile(testenv.Shared(t, "recordings", file))
	must(t, err)
	var har struct {
		Log struct {
			Entries []struct {
				Comment  string
				Response struct {
					Status  int
					Content struct{ Text string }
				}
			}
		}
	}
	must(t, json.Unmarshal(text, &har))
	r := recording{}
	for _, e := range har.Log.Entries {
		r[e.Comment] = struct {
			status int
			body   string
		}{e.Response.Status, e.Response.Content.Text}
	}
	return r
}

// at starts a server that always answers as recorded in a step.
func (r recording) at(t *testing.T, step string) (string, *http.Client) {
	t.Helper()
	a, ok := r[step]
	if !ok {
		t.Fatalf("no step %q is recorded", step)
	}
	return serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(a.status)
		io.WriteString(w, a.body)
	})
}

func TestWhatRealServersAnsweredIsUnderstood(t *testing.T) {
	r := loadRecording(t, "apim-4.5.0.har")
	ctx := t.Context()

	base, hc := r.at(t, "key managers list with IS")
	kms, err := NewAdmin(hc, base, admin).KeyManagers(ctx)
	if err != nil || len(kms) != 3 || kms[2].Name != "Resident Key Manager" || !kms[2].Enabled {
		t.Errorf("key managers: %+v, %v", kms, err)
	}
	base, hc = r.at(t, "key manager get")
	km, err := NewAdmin(hc, base, admin).KeyManager(ctx, "x")
	if err != nil || km.Type != TypeIS7 || km.Issuer == "" || km.Certificates.Type != "JWKS" || !strings.HasSuffix(km.UserInfo, UserInfoPath) || km.WellKnown == "" || len(km.Raw) < 1000 {
		t.Errorf("key manager: %+v, %v", km, err)
	}
	base, hc = r.at(t, "key manager discover")
	document, err := NewAdmin(hc, base, admin).Discover(ctx, "https://localhost:9463/oauth2/token/.well-known/openid-configuration")
	if err != nil || document != (Discovered{"https://localhost:9463/oauth2/token", "https://localhost:9463/oauth2/jwks"}) {
		t.Errorf("discovered: %+v, %v", document, err)
	}
	base, hc = r.at(t, "api create")
	api, err := NewPublisher(hc, base, admin).CreateAPIObject(ctx, map[string]any{})
	if err != nil || api.Fields["lifeCycleStatus"] != StateCreated || api.ID == "" || len(api.Fields) < 20 {
		t.Errorf("API: %+v, %v", api, err)
	}
	base, hc = r.at(t, "revisions deployed")
	revs, err := NewPublisher(hc, base, admin).Revisions(ctx, "x")
	if err != nil || len(revs) != 1 || revs[0].Description != "first" || revs[0].Deployments[0] != (Deployment{"Default", "localhost", true}) {
		t.Errorf("revisions: %+v, %v", revs, err)
	}
	base, hc = r.at(t, "revision create 4")
	if _, err := NewPublisher(hc, base, admin).CreateRevision(ctx, "x", "y"); !HasCode(err, CodeRevisionLimit) {
		t.Errorf("revision limit: %v", err)
	}
	base, hc = r.at(t, "lifecycle Publish")
	if status, err := NewPublisher(hc, base, admin).ChangeLifecycle(ctx, "x", "Publish"); err != nil || status != "APPROVED" {
		t.Errorf("lifecycle: %s, %v", status, err)
	}
	base, hc = r.at(t, "applications query rec app TAG")
	apps, err := NewDevPortal(hc, base, admin).Applications(ctx, "rec app")
	if err != nil || len(apps) != 1 || apps[0].Owner != "admin" || apps[0].Status != "APPROVED" {
		t.Errorf("applications, in an answer whose total is 0: %+v, %v", apps, err)
	}
	base, hc = r.at(t, "subscriptions list")
	subs, err := NewDevPortal(hc, base, admin).Subscriptions(ctx, "x")
	if err != nil || len(subs) != 1 || subs[0].Status != "UNBLOCKED" || subs[0].APIID == "" || subs[0].ThrottlingPolicy != "Unlimited" {
		t.Errorf("subscriptions: %+v, %v", subs, err)
	}
	base, hc = r.at(t, "keys of IS, try 0")
	keys, err := NewDevPortal(hc, base, admin).GenerateKeys(ctx, "x", "y")
	if err != nil || keys.ConsumerKey == "" || keys.ConsumerSecret == "" || keys.MappingID == "" {
		t.Errorf("keys: %+v, %v", keys, err)
	}
	base, hc = r.at(t, "oauth-keys list after failure")
	rows, err := NewDevPortal(hc, base, admin).Keys(ctx, "x")
	if err != nil || len(rows) != 1 || rows[0].ConsumerKey != "" || rows[0].MappingID == "" || rows[0].KeyType != Production {
		t.Errorf("a row left behind: %+v, %v", rows, err)
	}
	base, hc = r.at(t, "gateway, unknown context")
	if a, err := NewGateway(hc, base, base, Credentials{}).Get(ctx, "/x", "t"); err != nil || a.Code != GatewayUnknown {
		t.Errorf("gateway: %+v, %v", a, err)
	}
	base, hc = r.at(t, "resident token")
	if token, err := FetchToken(ctx, hc, base, "x", "y"); err != nil || token.AccessToken == "" || token.ExpiresIn.Hours() != 1 {
		t.Errorf("token: %v, %v", token.ExpiresIn, err)
	}
}

// The fields that are sent are those that are known to fit: none is missing, since API-M takes an absent one for null
// or false, and none is there that it would refuse.
func TestWhatIsSentHasTheFieldsThatFit(t *testing.T) {
	var body []byte
	base, hc := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ = io.ReadAll(r.Body)
		io.WriteString(w, `{"id":"1","applicationId":"1","keyMappingId":"1","subscriptionId":"1"}`)
	})
	ctx := t.Context()
	tests := []struct {
		name, payload string
		send          func() error
	}{
		{"key manager", "km-create.json", func() error {
			_, err := NewAdmin(hc, base, admin).CreateKeyManager(ctx, KeyManager{AdditionalProperties: ConnectorOfIS7{Username: "u", Password: "p"}}) // neither with mutual TLS
			return err
		}},
		{"application", "application-create.json", func() error {
			_, err := NewDevPortal(hc, base, admin).CreateApplication(ctx, "a", "Unlimited", "d")
			return err
		}},
		{"subscription", "subscription-create.json", func() error {
			_, err := NewDevPortal(hc, base, admin).Subscribe(ctx, "a", "b", "Unlimited")
			return err
		}},
		{"keys", "generate-keys.json", func() error {
			_, err := NewDevPortal(hc, base, admin).GenerateKeys(ctx, "a", "b")
			return err
		}},
		{"revision", "revision-create.json", func() error {
			_, err := NewPublisher(hc, base, admin).CreateRevision(ctx, "a", "b")
			return err
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fits, err := os.ReadFile(testenv.Shared(t, "payloads", tt.payload))
			must(t, err)
			must(t, tt.send())
			if got, want := fieldNames(t, body), fieldNames(t, fits); !slices.Equal(got, want) {
				t.Errorf("sent   %v\nfitting %v", got, want)
			}
		})
	}
}

func TestThePasswordForISIsSentInClear(t *testing.T) {
	km := KeyManager{AdditionalProperties: ConnectorOfIS7{Username: "u", Password: "hunter2"}}
	text, err := json.Marshal(km)
	must(t, err)
	var sent struct{ AdditionalProperties map[string]any }
	must(t, json.Unmarshal(text, &sent))
	if got := sent.AdditionalProperties["Password"]; got != "hunter2" {
		t.Errorf("sent %v", got)
	}
}

// fieldNames are the dotted names of an object's fields, except those within lists.
func fieldNames(t *testing.T, text []byte) []string {
	t.Helper()
	var object map[string]any
	must(t, json.Unmarshal(text, &object))
	var names []string
	var walk func(map[string]any, string)
	walk = func(o map[string]any, prefix string) {
		for name, value := range o {
			names = append(names, prefix+name)
			if inner, ok := value.(map[string]any); ok {
				walk(inner, prefix+name+".")
			}
		}
	}
	walk(object, "")
	slices.Sort(names)
	return names
}
