package plan

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestTheStampOfAnAPIIsOfWhatTheGatewayKnows(t *testing.T) {
	base := func() Object { return APIBody(apiFile(t, "backend_url: http://a:1\n"+wholeAPI), nil, nil) }
	stamp := Stamp(base())
	if len(stamp) != 81 || !strings.HasPrefix(stamp, "wso2agent sha256:") {
		t.Errorf("the stamp is %q", stamp)
	}
	for field, value := range map[string]any{"description": "Other", "tags": []any{}, "lifeCycleStatus": "PUBLISHED", "isDefaultVersion": false} {
		o := base()
		o[field] = value
		if Stamp(o) != stamp {
			t.Errorf("%s changes the stamp", field)
		}
	}
	for field, value := range map[string]any{"operations": []any{}, "cacheTimeout": float64(7), "endpointConfig": nil, "scopes": []any{}, "policies": []any{}} {
		o := base()
		o[field] = value
		if Stamp(o) == stamp {
			t.Errorf("%s does not change the stamp", field)
		}
	}
}

func TestARevisionMayLackWhatWasSavedLater(t *testing.T) {
	at := time.UnixMilli(1_000_000)
	o := Object{"lastUpdatedTimestamp": "1000000"}
	for _, tt := range []struct {
		name     string
		revision Revision
		o        Object
		want     bool
	}{
		{"made in the same second", Revision{Created: at}, o, true},
		{"made later", Revision{Created: at.Add(time.Second)}, o, false},
		{"made before", Revision{Created: at.Add(-time.Second)}, o, true},
		{"made before, with the stamp of what the API is", Revision{Created: at.Add(-time.Second), Description: Stamp(o)}, o, false},
		{"the server does not say when the API was saved", Revision{Created: at.Add(time.Second)}, Object{}, true},
		{"the server does not say when the revision was made", Revision{}, o, true},
	} {
		if got := MayLack(tt.o, tt.revision); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

// deployedIn returns a revision in environments, such as "Default=localhost".
func deployedIn(id, stamp string, environments ...string) Revision {
	r := Revision{ID: id, Description: stamp}
	for _, e := range environments {
		name, host, _ := strings.Cut(e, "=")
		r.Deployments = append(r.Deployments, Object{"name": name, "vhost": host})
	}
	return r
}

func TestTheDifferencesOfADeployedRevision(t *testing.T) {
	api := Object{"cacheTimeout": float64(7), "policies": []any{"Gold"}, "tags": []any{"a"}, "isDefaultVersion": true}
	for _, tt := range []struct{ name, file, environment, revision, want string }{
		{"the same", "", "Default", `{"cacheTimeout":7,"policies":["Gold"]}`, ""},
		{"what portals show", "", "Default", `{"cacheTimeout":7,"policies":["Silver"],"description":"Other"}`, ""},
		{"two fields", "", "Default", `{"apiThrottlingPolicy":"Fast","policies":["Silver"]}`, "lacks response_caching.timeout, throttling_policy"},
		{"the API needed no subscription", "", "Default", `{"cacheTimeout":7,"policies":["DefaultSubscriptionless"]}`, "lacks policies"},
		{"a backend", "", "Default", `{"cacheTimeout":7,"policies":["Gold"],"endpointConfig":{"endpoint_type":"http","production_endpoints":{"url":"http://a:1"}}}`, "lacks endpoints.production.url, endpoints.type"},
		{"in an environment that the file does not name", "", "Other", `{}`, ""},
		{"in an environment that the file names", "environments: [Other]", "Other", `{"policies":["Gold"]}`, "lacks response_caching.timeout"},
	} {
		r := deployedIn("r", "", tt.environment)
		if err := json.Unmarshal([]byte(tt.revision), &r.Object); err != nil {
			t.Fatal(err)
		}
		all := RevisionDifferences(apiFile(t, tt.file), API{Object: api, Revisions: []Revision{r}})
		got := ""
		if len(all) > 0 {
			got = all[0].Have.(string)
		}
		if got != tt.want || len(all) > 1 {
			t.Errorf("%s: %v", tt.name, all)
		}
	}
	if all := RevisionDifferences(apiFile(t, ""), API{Object: api, Revisions: []Revision{deployedIn("r", "", "Default")}}); len(all) > 0 {
		t.Errorf("a revision that was not read differs: %v", all)
	}
}

func TestRolloutOf(t *testing.T) {
	o := Object{"cacheTimeout": float64(7)}
	now := Stamp(o)
	for _, tt := range []struct {
		name, file    string
		revisions     []Revision
		changed, late bool
		want          string
	}{
		{"a new API", "", nil, true, false, "new to Default=vhost"},
		{"all is there", "", []Revision{deployedIn("1", "", "Default=a")}, false, false, "nothing"},
		{"a change keeps the host", "", []Revision{deployedIn("1", now, "Default=a")}, true, false, "new to Default=a"},
		{"a revision that was not deployed any more", "", []Revision{deployedIn("1", "", "Default=a"), deployedIn("2", now)}, false, true, "2 to Default=a"},
		{"one that is older than a change by hand", "", []Revision{deployedIn("1", now), deployedIn("2", "", "Default=a")}, false, true, "new to Default=a"},
		{"never deployed", "", []Revision{deployedIn("1", now)}, false, false, "1 to Default=vhost"},
		{"never deployed, and out of date", "", []Revision{deployedIn("1", "")}, false, false, "new to Default=vhost"},
		{"a further environment", "environments: [Default, B]", []Revision{deployedIn("1", "", "Default=a")}, false, false, "1 to B=vhost"},
		{"another host", "environments: [{name: Default, vhost: b}]", []Revision{deployedIn("1", now, "Default=a")}, false, false, "new to Default=b"},
		{"one environment less", "environments: [Default]", []Revision{deployedIn("1", "", "Default=a", "B=b"), deployedIn("2", "", "C=c")}, false, false, "nothing, 1 from B=b, 2 from C=c"},
		{"no list", "", []Revision{deployedIn("1", "", "Default=a", "B=b")}, false, false, "nothing"},
		{"a change, and no list", "", []Revision{deployedIn("1", "", "Default=a", "B=b")}, true, false, "new to Default=a"},
		{"one of two is behind", "environments: [Default, B]", []Revision{deployedIn("1", "", "Default=a"), deployedIn("2", now, "B=b")}, false, true, "2 to Default=a"},
	} {
		places := func(all []Object) (text string) {
			for _, d := range all {
				text += " " + d["name"].(string) + "=" + d["vhost"].(string)
			}
			return text
		}
		r := RolloutOf(apiFile(t, tt.file), API{Object: o, Revisions: tt.revisions}, "vhost", tt.changed, tt.late)
		got := "nothing"
		if len(r.To) > 0 {
			got = r.Revision + " to" + places(r.To)
			if r.Revision == "" {
				got = "new to" + places(r.To)
			}
		}
		for _, w := range r.Withdraw {
			got += ", " + w.ID + " from" + places(w.Deployments)
		}
		if got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}
