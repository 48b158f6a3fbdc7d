package bootstrap

import (
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"wso2agent/internal/desired"
)

func shape(t *testing.T, name string) (*Desired, error) {
	t.Helper()
	path := "../desired/testdata/shapes/" + name + ".yaml"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return Load(text, path)
}

func TestShapesThatUseOnlyWhatIsAppliedLoad(t *testing.T) {
	a, err := shape(t, "a")
	if err != nil {
		t.Fatal(err)
	}
	if len(a.APIs) != 2 || a.APIs[1].Path() != "/orders/1.2" || a.Subscriptions[0].ThrottlingPolicy != "Gold" {
		t.Errorf("got %+v", a)
	}
	b, err := shape(t, "b")
	if err != nil {
		t.Fatal(err)
	}
	at := "../desired/testdata/shapes/b.yaml:"
	want := []Subscription{{"Payment API", "Gold", at + "7:24"}, {"Order API", "Bronze", at + "21:24"}}
	if !reflect.DeepEqual(b.Subscriptions, want) || b.Application.ThrottlingPolicy != "50PerMin" {
		t.Errorf("got %+v of %+v, want %+v", b.Subscriptions, b.Application, want)
	}
}

func TestNothingThatTheAgentDoesNotApplyIsDropped(t *testing.T) {
	for name, want := range map[string][]string{
		"c": {"c.yaml:8:7: the agent does not apply apis.resources yet: remove it, and set it in the portals", "c.yaml:36:15: the agent does not apply defaults.visibility yet",
			"c.yaml:17:18: the agent does not apply applications.description yet", "c.yaml:24:3: the agent does not apply gateway yet", "c.yaml:30:3: the agent does not apply key_manager yet",
			"c.yaml:42:18: the agent does not apply defaults.business_plan yet"},
		"d": {"d.yaml:7:14: the agent does not apply rest_apis.timeout yet", "d.yaml:17:5: the agent does not apply graphql_apis yet", "d.yaml:24:5: the agent does not apply websocket_apis yet",
			"d.yaml:2:1: section application is missing"},
		"native": {"native.yaml:14:18: the agent does not apply apis.endpoints.production.timeout yet", "native.yaml:6:16", "native.yaml:7:22: the agent does not apply apis.default_version yet",
			"identity_server yet"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("ORDERS_PASSWORD", "Hunter2hunter")
			t.Setenv("ANNA_PASSWORD", "Hunter2hunter")
			_, err := shape(t, name)
			if err == nil {
				t.Fatal("no error")
			}
			for _, w := range want {
				if name == "native" && w == "native.yaml:6:16" { // lifecycle: published is what the agent applies
					if strings.Contains(err.Error(), w) {
						t.Errorf("the error says %q", w)
					}
					continue
				}
				if !strings.Contains(err.Error(), w) {
					t.Errorf("the error does not say %q:\n%v", w, err)
				}
			}
		})
	}
	two := usable + "applications: [{name: Two}]\n"
	if _, err := Load([]byte(two), "f"); err == nil || !strings.Contains(err.Error(), "f:15:16: the agent does not apply a second application yet") {
		t.Errorf("a second application: %v", err)
	}
	if _, err := Load([]byte(strings.Replace(usable, "    backend_url: http://orders:8080\n", "    backend_url: http://orders:8080\n    description:\n", 1)), "f"); err == nil ||
		!strings.Contains(err.Error(), "f:10:17: the agent cannot reset rest_apis.description yet: remove it, or give it a value") {
		t.Errorf("a description that is reset: %v", err)
	}
}

func TestNullResetsWhatTheAgentCanResetAndIsRefusedElsewhere(t *testing.T) {
	const list = "  - api_name: Payment API\n    throttling_policy: Gold\n"
	for name, c := range map[string]struct {
		old, new string
		want     string // of the error; empty: none
		check    func(*Desired) bool
	}{
		"tags":                         {"    context: /orders\n", "    context: /orders\n    tags:\n", "", func(d *Desired) bool { return d.APIs[1].Tags != nil && len(d.APIs[1].Tags) == 0 }},
		"the policy of an application": {"  name: App\n", "  name: App\n  throttling_policy:\n", "", func(d *Desired) bool { return d.Application.ThrottlingPolicy == "Unlimited" }},
		"the policy of a subscription": {"throttling_policy: Gold", "throttling_policy:", "", func(d *Desired) bool { return d.Subscriptions[0].ThrottlingPolicy == "Unlimited" }},
		"subscriptions":                {"subscriptions:\n" + list, "subscriptions:\n", "", func(d *Desired) bool { return len(d.Subscriptions) == 0 }},
		"an empty list":                {"subscriptions:\n" + list, "subscriptions: []\n", "", func(d *Desired) bool { return len(d.Subscriptions) == 0 }},
		"type":                         {"    context: /orders\n", "    context: /orders\n    type:\n", "", func(d *Desired) bool { return len(d.APIs) == 2 }},
		"lifecycle":                    {"    context: /orders\n", "    context: /orders\n    lifecycle: null\n", "", func(d *Desired) bool { return len(d.APIs) == 2 }},
		"description":                  {"    context: /orders\n", "    context: /orders\n    description:\n", "f:8:17: the agent cannot reset rest_apis.description yet: remove it, or give it a value", nil},
		"a backend":                    {"backend_url: http://orders:8080", "backend_url:", "f:9:17: the agent cannot reset rest_apis.backend_url yet", nil},
		"what the agent does not know": {"    context: /orders\n", "    context: /orders\n    visibility:\n", "f:8:16: the agent does not apply rest_apis.visibility yet", nil},
	} {
		d, err := Load([]byte(strings.Replace(usable, c.old, c.new, 1)), "f")
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want == "" && !c.check(d):
			t.Errorf("%s: got %+v", name, d)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: the error does not say %q: %v", name, c.want, err)
		}
	}
}

func TestNothingIsMissingFromAFileThatCouldNotBeRead(t *testing.T) {
	for _, files := range [][]desired.Input{
		{{Name: "a", Data: []byte("application: {name: App}\n")}, {Name: "b", Data: []byte("rest_apis: [\n")}},
		{{Name: "a", Data: []byte("rest_apis: [Orders]\napplication: {name: App}\nsubscriptions: []\n")}},
		{{Name: "a", Data: []byte(strings.Replace(usable, "    context: /orders\n", "    context: /orders\n    type: ${NOWHERE}\n", 1))}},
	} {
		f, err := desired.Parse(desired.FromSystem(os.LookupEnv, nil), files...)
		_, err = FromLoad(f, err)
		var problems desired.Problems
		if !errors.As(err, &problems) || len(problems) != 1 {
			t.Errorf("got %v, want one mistake", err)
		}
	}
}
