package plan

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"wso2agent/internal/desired"
)

// printed has each kind of change and value.
var printed = []Change{
	{Action: Create, Kind: "API", Name: "Payments 1.0.0"},
	{Action: Create, Kind: "document", Name: "Start", Of: "API Payments 1.0.0"},
	{
		Action: Update, Kind: "API", Name: "Orders 2.0.0",
		Fields: []Difference{
			{Path: "description", Have: "", Want: "Orders \"and\" more"},
			{Path: "endpoints.production.url", Have: nil, Want: "https://orders:8443"},
			{Path: "endpoints.production.timeout", Have: "30s", Want: nil},
			{Path: "endpoints.production.retries", Have: 2, Want: float64(3)},
			{Path: "cors.enabled", Have: false, Want: true},
			{Path: "tags", Have: []string{"a", "b"}, Want: []string{}},
			{Path: "operations", Have: map[string]any{
				"GET /orders":  operation("None", "Unlimited", []string{"read"}),
				"GET /same":    operation("None", "Unlimited", nil),
				"POST /orders": operation("None", "Unlimited", nil),
			}, Want: map[string]any{
				"GET /orders": operation("None", "Gold", []string{}),
				"GET /same":   operation("None", "Unlimited", nil),
			}},
		},
		Effects: []string{"a new revision is deployed"},
	},
	{Action: Update, Kind: "application", Name: "Shop", Fields: []Difference{
		{Path: "attributes", Have: map[string]string{"same": "x", "team": "a"}, Want: map[string]string{"same": "x", "cost centre": "7"}},
	}},
	{Action: Update, Kind: "key manager", Name: "WSO2-IS", Fields: []Difference{
		{Path: "password", Want: "${IS_PASSWORD}${file:/run/secrets/x}", Secret: true},
		{Path: "client_secret", Have: "hunter2", Want: "hunter3", Secret: true},
		{Path: "issuer", Have: "https://me:hunter4@is:9443", Want: "https://is:9443"},
	}},
}

func TestChangesArePrintedForPeople(t *testing.T) {
	const want = `+ API Payments 1.0.0
+ document Start (API Payments 1.0.0)
~ API Orders 2.0.0
    description: "" -> "Orders \"and\" more"
    endpoints.production.url: (none) -> "https://orders:8443"
    endpoints.production.timeout: "30s" -> (default)
    endpoints.production.retries: 2 -> 3
    cors.enabled: false -> true
    tags: ["a", "b"] -> []
    operations: {"GET /orders": {scopes: ["read"], throttling_policy: "Unlimited"}, "POST /orders": {auth: "None", scopes: [], throttling_policy: "Unlimited"}} -> {"GET /orders": {scopes: [], throttling_policy: "Gold"}}
    effect: a new revision is deployed
~ application Shop
    attributes: {team: "a"} -> {"cost centre": "7"}
~ key manager WSO2-IS
    password: ***** -> ${IS_PASSWORD}${file:/run/secrets/x}
    client_secret: ***** -> *****
    issuer: "https://(hidden)@is:9443" -> "https://is:9443"
plan: 2 to create, 3 to change
`
	if got := Text(printed, 0); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestTheSummarySaysWhetherAnythingIsToBeDone(t *testing.T) {
	for _, tt := range []struct {
		changes  []Change
		problems int
		want     string
	}{
		{nil, 0, "plan: no differences\n"},
		{nil, 1, "plan: 0 to create, 0 to change, 1 for a person to solve\n"},
		{[]Change{{Action: Update, Kind: "API", Name: "A 1"}}, 0, "plan: 0 to create, 1 to change\n"},
		{[]Change{{Action: Create, Kind: "API", Name: "A 1"}}, 2, "plan: 1 to create, 0 to change, 2 for a person to solve\n"},
	} {
		if got := Text(tt.changes, tt.problems); !strings.HasSuffix(got, tt.want) || strings.Count(got, "plan: ") != 1 {
			t.Errorf("%v and %d problems: got %q, want %q", tt.changes, tt.problems, got, tt.want)
		}
	}
}

// TestAKeyThatMayExistIsNoNewOne: the plan that is saved for apply is the same with and without the doubt.
func TestAKeyThatMayExistIsNoNewOne(t *testing.T) {
	key := Change{Action: Create, Kind: KindKey, Name: "production of key manager IS", Of: "application Shop"}
	unsure := []Change{key.MayExist()}
	const want = "? key production of key manager IS (application Shop)\n    effect: " + hidden + "\nplan: 0 to create, 0 to change, 1 that may exist\n"
	if got := Text(unsure, 0); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	data, err := JSON("", unsure, nil)
	if text := string(data); err != nil || !strings.Contains(text, `"action": "unsure"`) || !strings.Contains(text, `"create": 0`) || !strings.Contains(text, `"unsure": 1`) {
		t.Errorf("%s, %v", data, err)
	}
	if err := SameChanges(unsure, []Change{key}); err != nil || len(key.Effects) > 0 {
		t.Errorf("the plans differ: %v", err)
	}
}

func TestChangesArePrintedForPrograms(t *testing.T) {
	got, err := JSON("", printed, nil)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"changes": [
		{"action": "create", "kind": "API", "name": "Payments 1.0.0", "of": "", "fields": [], "effects": []},
		{"action": "create", "kind": "document", "name": "Start", "of": "API Payments 1.0.0", "fields": [], "effects": []},
		{"action": "update", "kind": "API", "name": "Orders 2.0.0", "fields": [
			{"path": "description", "have": "", "want": "Orders \"and\" more"},
			{"path": "endpoints.production.url", "have": null, "want": "https://orders:8443"},
			{"path": "endpoints.production.timeout", "have": "30s", "want": null},
			{"path": "endpoints.production.retries", "have": 2, "want": 3},
			{"path": "cors.enabled", "have": false, "want": true},
			{"path": "tags", "have": ["a", "b"], "want": []},
			{"path": "operations", "have": {
				"GET /orders": {"auth": "None", "throttling_policy": "Unlimited", "scopes": ["read"]},
				"GET /same": {"auth": "None", "throttling_policy": "Unlimited", "scopes": []},
				"POST /orders": {"auth": "None", "throttling_policy": "Unlimited", "scopes": []}
			}, "want": {
				"GET /orders": {"auth": "None", "throttling_policy": "Gold", "scopes": []},
				"GET /same": {"auth": "None", "throttling_policy": "Unlimited", "scopes": []}
			}}
		], "of": "", "effects": ["a new revision is deployed"]},
		{"action": "update", "kind": "application", "name": "Shop", "of": "", "fields": [
			{"path": "attributes", "have": {"same": "x", "team": "a"}, "want": {"same": "x", "cost centre": "7"}}
		], "effects": []},
		{"action": "update", "kind": "key manager", "name": "WSO2-IS", "of": "", "fields": [
			{"path": "password", "have": "*****", "want": "${IS_PASSWORD}${file:/run/secrets/x}"},
			{"path": "client_secret", "have": "*****", "want": "*****"},
			{"path": "issuer", "have": "https://(hidden)@is:9443", "want": "https://is:9443"}
		], "effects": []}
	], "create": 2, "update": 3, "delete": 0, "kept": [], "problems": []}`
	if !reflect.DeepEqual(decoded(t, string(got)), decoded(t, want)) {
		t.Errorf("got %s", got)
	}
	empty, err := JSON("", nil, nil)
	if want := "{\n  \"changes\": [],\n  \"create\": 0,\n  \"update\": 0,\n  \"delete\": 0,\n  \"kept\": [],\n  \"problems\": []\n}\n"; err != nil || string(empty) != want {
		t.Errorf("no changes: got %q, %v, want %q", empty, err, want)
	}
}

func decoded(t *testing.T, text string) (value any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return value
}

// Whoever may write a description on a server must not write on the terminal of the person who reads the plan.
func TestNoCharacterOfAServerSteersATerminal(t *testing.T) {
	var all strings.Builder
	for _, r := range []rune{0, '\a', '\b', '\n', '\r', '\t', 0x1b, 0x7f, 0x85, 0x9b, 0x9f, 0x202e, 0x2028, 0x2066, 0xe0001, utf8.RuneError} {
		all.WriteRune(r)
	}
	steering := all.String()
	bad := []Change{{
		Action: Update, Kind: "k" + steering, Name: "n" + steering, Of: "o" + steering, Effects: []string{"e" + steering},
		Fields: []Difference{
			{Path: "p" + steering, Have: steering, Want: []string{steering}},
			{Path: "m", Have: map[string]any{"a" + steering: steering}, Want: map[string]string{steering: "x"}},
		},
	}}
	text := Text(bad, 0)
	machine, err := JSON("", bad, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(text, "\n"); n != 5 {
		t.Errorf("%d lines instead of 5 in\n%q", n, text)
	}
	for _, out := range []string{text, string(machine)} {
		for _, r := range out {
			if r != '\n' && r != utf8.RuneError && strings.ContainsRune(steering, r) {
				t.Errorf("U+%04X stands in %q", r, out)
			}
		}
	}
	have := Have{APIs: map[APIName]API{{"A", "1"}: {Object: Object{"name": "A", "version": "1", "type": "HTTP", "context": "/a" + steering, "lifeCycleStatus": "PUBLISHED"}}}}
	_, problems := Make(Wanted{File: parse(t, `apis: [{name: A, version: "1", context: /b, backend_url: "http://localhost:1"}]`)}, have)
	if len(problems) != 1 || strings.ContainsAny(problems.Error(), strings.ReplaceAll(strings.ReplaceAll(steering, "\n", ""), string(utf8.RuneError), "")) || strings.Count(problems.Error(), "\n") != 1 {
		t.Errorf("the problems are %q", problems.Error())
	}
	var back struct {
		Changes []struct {
			Name   string
			Fields []struct{ Have any }
		}
	}
	if err := json.Unmarshal(machine, &back); err != nil || back.Changes[0].Name != "n"+steering || back.Changes[0].Fields[0].Have != steering {
		t.Errorf("a program reads %+v, %v", back, err)
	}
}

func TestLongTextsAreShortenedAndStayDifferent(t *testing.T) {
	long := strings.Repeat("ä", 150)
	got := Text([]Change{{Action: Update, Kind: "API", Name: "A 1", Fields: []Difference{{Path: "description", Have: long + "1", Want: long + "2"}}}}, 0)
	short := `"` + strings.Repeat("ä", 100) + `…"`
	if want := "    description: " + short + " -> " + short + " (they differ in a part that this line leaves out)\n"; !strings.Contains(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestProgramsGetWhatAPersonMustChange(t *testing.T) {
	var problems desired.Problems
	problems.Add(desired.Place{File: "f.yaml", Line: 3, Column: 5}, "correct the file", "API %q has another context", "Orders")
	got, err := JSON("", nil, problems)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"changes":[],"create":0,"update":0,"delete":0,"kept":[],"problems":[{"file":"f.yaml","line":3,"column":5,"message":"API \"Orders\" has another context","hint":"correct the file"}]}`
	var compact bytes.Buffer
	if err := json.Compact(&compact, got); err != nil || compact.String() != want {
		t.Errorf("%s, %v", compact.String(), err)
	}
}
