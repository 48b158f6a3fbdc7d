package desired

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// readText reads one file whose name is f.
func readText(text string) (*File, error) {
	return Parse(FromSystem(func(string) (string, bool) { return "", false }, func(string) bool { return false }), Input{Name: "f", Data: []byte(text)})
}

func TestValuesGetTheFormThatTheServersStore(t *testing.T) {
	f, err := readText(`
rest_apis:
  - name: "  Payment   API "
    context: payments
    version: 1.0
    backend_url: &backend http://payment:8080
  - name: Payment API
    context: /payments
    version: 2024-01-01
    backend_url: *backend
    tags: []
application: {name: App}
subscriptions:
  - api_name: Payment  API
`)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range f.APIs.Value {
		api := a.Value
		got = append(got, strings.Join([]string{api.Name.Value, api.Context.Value, api.Version.Value, api.Endpoints.Value.Production.Value.URL.Value}, "|"))
	}
	want := []string{"Payment API|/payments|1.0|http://payment:8080", "Payment API|/payments|2024-01-01|http://payment:8080"}
	if !slices.Equal(got, want) || f.APIs.Value[0].Value.Tags.Set || !f.APIs.Value[1].Value.Tags.Null {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if app := f.Applications.Value[0].Value; app.Name.Value != "App" || app.Subscriptions.Value[0].Value.APIName.Value != "Payment API" {
		t.Errorf("got %+v", app)
	}
}

// usable is a file without mistakes, into which tests put one.
const usable = `rest_apis:
  - name: Payment API
    context: /payments
    version: 1.0.0
    backend_url: http://payment:8080
  - name: Order API
    context: /orders
    version: 1.0.0
    backend_url: http://orders:8080
application:
  name: App
subscriptions:
  - api_name: Payment API
    throttling_policy: Gold
`

func TestEachMistakeIsReportedWithItsPlace(t *testing.T) {
	tests := []struct {
		name, old, new string
		want           string // what the error says
	}{
		{"a misspelt key names the nearest one", "    context: /orders", "    contxt: /orders", `f:7:5: unknown key "contxt" in an API: did you mean "context"?`},
		{"a misspelt section", "application:", "aplication:", `f:10:1: unknown key "aplication" in the file: did you mean "application"?`},
		{"a key like no other names them all", "    throttling_policy: Gold", "    xyz: Gold", `f:14:5: unknown key "xyz" in a subscription: known are api_name, throttling_policy`},
		{"a missing field", "    backend_url: http://orders:8080\n", "", `f:6:5: the API "Order API" has no backend_url`},
		{"a key that stands twice", "  name: App", "  name: App\n  name: App2", `f:12:3: key "name" stands twice in application`},
		{"the same API twice", "name: Order API\n    context: /orders", "name: Payment API\n    context: /payments", `f:6:5: API "Payment API" 1.0.0 appears twice, first on line 2`},
		{"a name that differs in letter case only", "name: Order API", "name: payment api", `f:6:5: API "payment api" differs only in letter case from "Payment API" on line 2`},
		{"a context that another API has", "context: /orders", "context: /payments", `f:6:5: API "Order API" has the context /payments, which API "Payment API" on line 2 has`},
		{"versions of an API with different contexts", "name: Order API\n    context: /orders\n    version: 1.0.0", "name: Payment API\n    context: /orders\n    version: 2.0.0", `f:6:5: API "Payment API" has the context /orders here and /payments on line 2`},
		{"a subscription to an API that is not listed", "api_name: Payment API", "api_name: Paymnt API", `f:13:5: the subscription is to "Paymnt API", which rest_apis does not list: did you mean "Payment API"?`},
		{"a subscription that stands twice", "  - api_name: Payment API", "  - api_name: Payment API\n  - api_name: Payment API", `f:14:5: the subscription to "Payment API" appears twice, first on line 13`},
		{"a name with a forbidden character", "name: Order API", "name: Order/API", `f:6:11: name "Order/API" must not contain "/"`},
		{"a name that is too long", "name: Order API", "name: " + strings.Repeat("x", 61), "has 61 characters, at most 60 are allowed"},
		{"a name that is a truth value", "name: App", "name: yes", ``},
		{"an empty name", "name: Order API", `name: ""`, `f:6:11: name "" must not be empty`},
		{"a name that is null", "name: Order API", "name:", "f:6:10: name must be a text, not empty"},
		{"a name that is true", "name: Order API", "name: true", "f:6:11: name must be a text, not the truth value true (put it in quotes)"},
		{"a name that is a list", "name: Order API", "name: [a]", "f:6:11: name must be a text, not a list"},
		{"a version with a space", "version: 1.0.0\n    backend_url: http://orders", "version: 1 0\n    backend_url: http://orders", `f:8:14: version "1 0" must not contain spaces`},
		{"a context that ends in a slash", "context: /orders", "context: /orders/", `f:7:14: context "/orders/" must not end with /`},
		{"a context with a space", "context: /orders", "context: /or ders", `f:7:14: context "/or ders" may only contain letters`},
		{"a backend without a scheme", "http://orders:8080", "orders:8080", `f:9:18: backend_url "orders:8080" must be an address such as http://`},
		{"a backend with a password, which is not repeated", "http://orders:8080", "http://me:hunter2@orders:8080", `f:9:18: backend_url "http://(hidden)@orders:8080" must not contain a user or a password`},
		{"a policy that needs no subscription", "throttling_policy: Gold", "throttling_policy: DefaultSubscriptionless", "is for APIs without subscriptions"},
		{"a section of the wrong kind", "application:\n  name: App", "application: App", `f:10:14: application must be a mapping (key: value), not the value "App"`},
		{"a list that is a mapping", "subscriptions:\n  - api_name: Payment API\n    throttling_policy: Gold", "subscriptions:\n  api_name: Payment API", "f:13:3: subscriptions must be a list (lines that begin with -), not a mapping"},
		{"no API at all", usable[:strings.Index(usable, "application:")], "rest_apis: []\n", "rest_apis lists no API"},
		{"broken YAML", "application:", "application: [", "line"},
		{"a second document", "application:", "---\napplication:", "more than one document"},
		{"an empty file", usable, "", "it is empty: it needs rest_apis, application and subscriptions"},
		{"a file of comments", usable, "# nothing\n", "it is empty"},
		{"a file that is a list", usable, "- a\n", "f:1:1: the file must be a mapping"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := strings.Replace(usable, tt.old, tt.new, 1)
			if text == usable {
				t.Fatal("the mistake is not in the file")
			}
			_, err := readText(text)
			if tt.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if !errors.Is(err, ErrInvalid) {
				t.Fatalf("got %v, want an ErrInvalid", err)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("the error does not say %q:\n%v", tt.want, err)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error has a password: %v", err)
			}
		})
	}
}

func TestAllMistakesAreReportedTogetherInTheOrderOfTheLines(t *testing.T) {
	text := strings.NewReplacer("/orders", "/orders/", "name: App", "nam: App", "api_name: Payment API", "api_name: X").Replace(usable)
	_, err := readText(text)
	if err == nil {
		t.Fatal("no error")
	}
	var places []string
	for line := range strings.Lines(err.Error()) {
		places = append(places, strings.Join(strings.SplitN(line, ":", 4)[:min(3, strings.Count(line, ":"))], ":"))
	}
	if got := strings.Join(places[1:], " "); got != "f:7:14 f:11:3 f:11:3 f:13:5" {
		t.Errorf("got %s in\n%v", got, err)
	}
}
