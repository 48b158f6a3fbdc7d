package plan

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"wso2agent/internal/desired"
	"wso2agent/internal/testenv"
)

// step is a recorded request with its answer.
type step struct {
	name, method, path, query string // path is without host
	status                    int
	sent, got                 Object
}

// recorded returns the steps of all recordings of a product, by the names of their files.
func recorded(t *testing.T, product string) map[string][]step {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(testenv.Shared(t, "recordings"), product+"*.har"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no recording of %s: %v", product, err)
	}
	all := map[string][]step{}
	for _, file := range files {
		var archive struct {
			Log struct {
				Entries []struct {
					Comment string
					Request struct {
						Method, URL string
						PostData    struct{ Text string }
					}
					Response struct {
						Status  int
						Content struct{ Text string }
					}
				}
			}
		}
		data, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(data, &archive)
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range archive.Log.Entries {
			path, query, _ := strings.Cut(hostOf.ReplaceAllString(e.Request.URL, ""), "?")
			s := step{name: e.Comment, method: e.Request.Method, path: path, query: query, status: e.Response.Status}
			_ = json.Unmarshal([]byte(e.Request.PostData.Text), &s.sent) // not all bodies are objects
			_ = json.Unmarshal([]byte(e.Response.Content.Text), &s.got)
			all[filepath.Base(file)] = append(all[filepath.Base(file)], s)
		}
	}
	return all
}

var hostOf = regexp.MustCompile(`^https?://[^/]+`)

// stored is what a server shows of an object after a request that has written it.
type stored struct {
	name      string
	sent, got Object
}

// written finds each successful POST and PUT of a kind of objects with the next GET of the object alone, unless another request writes it
// in between. kind matches the path of all objects of the kind, id is the key with the id in the answer to a POST.
func written(all map[string][]step, kind *regexp.Regexp, id string) (pairs []stored) {
	for file, steps := range all {
		for i, s := range steps {
			if s.status >= 300 || s.sent == nil || s.method != "PUT" && s.method != "POST" {
				continue
			}
			path := s.path
			if s.method == "POST" {
				made, _ := s.got[id].(string)
				path = kind.FindString(path + "/" + made)
			}
			if !kind.MatchString(path) || kind.FindString(path) != path {
				continue
			}
			for _, later := range steps[i+1:] {
				if later.path == path && later.query != "" && later.method == "GET" {
					continue // it shows a part
				}
				if later.path == path && later.method == "GET" && later.status == 200 {
					pairs = append(pairs, stored{file + ": " + s.name, s.sent, later.got})
					break
				}
				if later.path == path {
					break
				}
			}
		}
	}
	return pairs
}

// compareStored compares what each row of a table finds in what was sent and in what came back. except returns the paths in which a pair
// differs on purpose.
func compareStored(t *testing.T, table func(Object) []mapping, pairs []stored, least int, except func(stored) []string) {
	t.Helper()
	for _, p := range pairs {
		var differ []string
		for _, m := range table(p.got) {
			if m.have == nil {
				continue
			}
			if sent, got := m.have(p.sent), m.have(p.got); !reflect.DeepEqual(sent, got) {
				differ = append(differ, m.path)
			}
		}
		if expected := except(p); !reflect.DeepEqual(differ, expected) {
			t.Errorf("%s: %v differ, not %v\nsent %v\ngot %v", p.name, differ, expected, p.sent, p.got)
		}
	}
	if len(pairs) < least {
		t.Errorf("only %d pairs of requests and answers are there", len(pairs))
	}
	t.Logf("%d pairs", len(pairs))
}

const uuid = `[0-9a-f-]{36}$`

func TestRecordedApplicationsHaveNoDifferences(t *testing.T) {
	pairs := written(recorded(t, "apim"), regexp.MustCompile(`^/api/am/devportal/v3/applications/`+uuid), "applicationId")
	compareStored(t, func(Object) []mapping { return applicationTable }, pairs, 6, func(p stored) []string {
		switch {
		case strings.Contains(p.name, "attributes"): // the configuration declares none: UndeclaredAttributes
			return []string{"attributes"}
		case p.sent["tokenType"] == "OAUTH": // API-M stores JWT, and the reader refuses others
			return []string{"token_type"}
		}
		return nil
	})
}

func TestRecordedSubscriptionsHaveNoDifferences(t *testing.T) {
	pairs := written(recorded(t, "apim"), regexp.MustCompile(`^/api/am/devportal/v3/subscriptions/`+uuid), "subscriptionId")
	for i, p := range pairs {
		if requested, is := p.sent["requestedThrottlingPolicy"]; is { // it decides: SubscriptionBody sends it
			pairs[i].sent = Object{"throttlingPolicy": requested}
		}
	}
	compareStored(t, func(Object) []mapping { return subscriptionTable }, pairs, 4, func(stored) []string { return nil })
}

func TestRecordedKeyManagersHaveNoDifferences(t *testing.T) {
	pairs := written(recorded(t, "apim"), regexp.MustCompile(`^/api/am/admin/v4/key-managers/`+uuid), "id")
	pairs = append(pairs, written(recorded(t, "is-7.1.0-privilege"), regexp.MustCompile(`^/api/am/admin/v4/key-managers/`+uuid), "id")...)
	table := func(got Object) []mapping {
		names := map[string]desired.Text{}
		properties, _ := got["additionalProperties"].(map[string]any)
		for name := range properties {
			if !slices.Contains(derivedProperties, name) {
				names[name] = given("")
			}
		}
		return keyManagerTable(desired.KeyManager{AdditionalProperties: given(names)}, got)
	}
	compareStored(t, table, pairs, 10, func(p stored) []string {
		if strings.Contains(p.name, "permissions unknown type") { // it becomes PUBLIC, and the reader refuses it
			return []string{"permissions.type"}
		}
		return nil
	})
	for _, p := range pairs {
		for _, name := range []string{"Password", "client_secret"} {
			if has := at(p.got, "additionalProperties."+name); has != nil && has != "*****" {
				t.Errorf("%s: GET shows %s %v", p.name, name, has)
			}
		}
	}
}

// The agent's own key manager is what the recording registers.
func TestTheAgentsOwnKeyManagerIsTheRecordedOne(t *testing.T) {
	data, err := os.ReadFile(testenv.Shared(t, "payloads", "km-create.json"))
	if err != nil {
		t.Fatal(err)
	}
	expected := object(t, string(data))
	own := IdentityServerKeyManager("https://wso2is:9443")
	for field, value := range map[*desired.Text]string{
		&own.Name: "WSO2-IS-7.1", &own.DisplayName: "WSO2 Identity Server 7.1", &own.Description: "WSO2 Identity Server 7.1.0 as external key manager",
		&own.Issuer: "https://wso2is:9443/oauth2/token", &own.Username: "admin", &own.DisplayTokenEndpoint: "https://localhost:9444/oauth2/token",
		&own.DisplayRevokeEndpoint: "https://localhost:9444/oauth2/revoke", &own.AuthorizeEndpoint: "https://localhost:9444/oauth2/authorize",
	} {
		*field = given(value)
	}
	own.Password = given(desired.NewSecret("admin", ""))
	made := sentOver(t, KeyManagerBody(own, nil))
	for _, o := range []Object{made, expected} {
		o["availableGrantTypes"] = listOf(textsAt(o, "availableGrantTypes")) // a set
	}
	for key := range expected {
		if !reflect.DeepEqual(made[key], expected[key]) {
			t.Errorf("%s is %v, not %v", key, made[key], expected[key])
		}
	}
	if len(made) != len(expected) {
		t.Errorf("the body has %d fields, not %d", len(made), len(expected))
	}
}

func TestRecordedKeysHaveNoDifferences(t *testing.T) {
	all := recorded(t, "apim")
	pairs := written(all, regexp.MustCompile(`/oauth-keys/`+uuid), "none")
	for file, steps := range all {
		for i, s := range steps {
			if s.status != 200 || !strings.HasSuffix(s.path, "/generate-keys") {
				continue
			}
			for _, later := range steps[i+1:] {
				if later.path == strings.TrimSuffix(s.path, "generate-keys")+"oauth-keys" && later.status == 200 {
					for _, row := range objectsAt(later.got, "list") {
						if row["keyMappingId"] == s.got["keyMappingId"] {
							s.sent["supportedGrantTypes"] = s.sent["grantTypesToBeSupported"]
							pairs = append(pairs, stored{file + ": " + s.name, s.sent, row})
						}
					}
					break
				}
			}
		}
	}
	for i, p := range pairs { // what API-M ignores: what is no text, callbacks that are empty
		properties, _ := p.sent["additionalProperties"].(map[string]any)
		seen, _ := p.got["additionalProperties"].(map[string]any)
		sent := map[string]any{}
		for name, value := range seen {
			sent[name] = value
			if text, is := properties[name].(string); is && text != "0" {
				sent[name] = text
			}
		}
		pairs[i].sent["additionalProperties"] = sent
		if p.sent["callbackUrl"] == "" || p.sent["callbackUrl"] == nil {
			pairs[i].sent["callbackUrl"] = p.got["callbackUrl"]
		}
		pairs[i].sent["consumerKey"] = p.got["consumerKey"]
	}
	table := func(got Object) []mapping {
		if at(got, "additionalProperties.pkceMandatory") != nil {
			return keyTable(TypeResident)
		}
		return keyTable(TypeIS7)
	}
	compareStored(t, table, pairs, 20, func(stored) []string { return nil })
}
