package plan

import (
	"errors"
	"strings"
	"testing"

	"wso2agent/internal/desired"
)

// wantedFrom is a desired state of one API with a document and a secret.
func wantedFrom(t *testing.T, text string, values map[string]string) Wanted {
	t.Helper()
	lookup := func(name string) (string, bool) { v, ok := values[name]; return v, ok }
	f, err := desired.Parse(desired.FromSystem(lookup, func(string) bool { return true }), desired.Input{Name: "file.yaml", Data: []byte(text)})
	if err != nil {
		t.Fatal(err)
	}
	return Wanted{File: f, KeyManager: "WSO2-IS", Contents: map[string][]byte{"guide.txt": []byte("first")}}
}

const savedFile = `apis: [{name: Orders, version: "1", context: /orders, endpoints: {production: {url: "http://a:1", security: {type: BASIC, username: u, password: "${SECRET}"}}}}]`

func TestASavedPlanIsTheOneOfNow(t *testing.T) {
	planned := func() []Change {
		return []Change{{Action: Update, Kind: KindAPI, Name: "Orders 1", Fields: []Difference{{Path: "description", Have: "a", Want: "b"}}},
			{Action: Create, Kind: KindApplication, Name: "App"}}
	}
	values := map[string]string{"SECRET": "throwAway1"}
	want := wantedFrom(t, savedFile, values)
	data, err := Save([]string{"file.yaml"}, want, planned(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), "throwAway1") {
		t.Errorf("the saved plan has a secret:\n%s", data)
	}
	saved, err := OpenSaved(data)
	if err != nil || len(saved.Files) != 1 || saved.Files[0] != "file.yaml" {
		t.Fatal(saved.Files, err)
	}
	other := planned()
	other[0].Fields[0].Have = "c"
	for name, test := range map[string]struct {
		want    Wanted
		changes []Change
		message string
	}{
		"nothing":                 {want, planned(), ""},
		"the layout of the file":  {wantedFrom(t, "# written anew\n\n"+savedFile, values), planned(), ""},
		"the value of the secret": {wantedFrom(t, savedFile, map[string]string{"SECRET": "throwAway2"}), planned(), ""},
		"a creation's field":      {wantedFrom(t, strings.Replace(savedFile, "http://a:1", "http://a:2", 1), values), planned(), "the files or the settings have changed since"},
		"the name of the secret":  {wantedFrom(t, strings.Replace(savedFile, "SECRET", "OTHER", 1), map[string]string{"OTHER": "throwAway1"}), planned(), "the files or the settings have changed since"},
		"a value on the server":   {want, other, "other changes of API Orders 1"},
		"an object on the server": {want, planned()[:1], "other changes of application App"},
	} {
		err := saved.Check(test.want, test.changes)
		switch {
		case test.message == "" && err != nil:
			t.Errorf("%s changed: %v", name, err)
		case test.message != "" && (!errors.Is(err, ErrOutdated) || !strings.Contains(err.Error(), test.message)):
			t.Errorf("%s changed: %v", name, err)
		}
	}
	document := wantedFrom(t, savedFile, values)
	document.Contents["guide.txt"] = []byte("second")
	if err := saved.Check(document, planned()); !errors.Is(err, ErrOutdated) {
		t.Errorf("a document changed: %v", err)
	}
	settings := wantedFrom(t, savedFile, values)
	settings.Own = desired.KeyManager{Name: given("WSO2-IS"), Issuer: given("https://other")}
	if err := saved.Check(settings, planned()); !errors.Is(err, ErrOutdated) {
		t.Errorf("the agent's key manager changed: %v", err)
	}
}

func TestWhatIsNoSavedPlan(t *testing.T) {
	for _, text := range []string{"", "{}", "apis: []", `{"version": 2, "plan": {}}`, `{"version": 1}`} {
		if _, err := OpenSaved([]byte(text)); err == nil {
			t.Errorf("%q is a plan", text)
		}
	}
}

// TestSameChangesAreThoseOfTheSameFields, whoever has made the objects.
func TestSameChangesAreThoseOfTheSameFields(t *testing.T) {
	change := func(name string, want any, effects ...string) Change {
		return Change{Action: Update, Kind: KindAPI, Name: name, Effects: effects, Fields: []Difference{{Path: "tags", Have: "x", Want: want}}}
	}
	before := []Change{change("A 1", "a"), change("B 1", "b")}
	for name, c := range map[string]struct {
		now  []Change
		same bool
	}{
		"the same":        {before, true},
		"another order":   {[]Change{before[1], before[0]}, true},
		"one is adopted":  {[]Change{change("A 1", "a", adopted), before[1]}, true},
		"another value":   {[]Change{change("A 1", "c"), before[1]}, false},
		"another effect":  {[]Change{change("A 1", "a", "a new revision"), before[1]}, false},
		"one is missing":  {before[:1], false},
		"one more":        {append([]Change{change("C 1", "c")}, before...), false},
		"another action":  {[]Change{{Action: Create, Kind: KindAPI, Name: "A 1"}, before[1]}, false},
		"nothing differs": {nil, false},
	} {
		if err := SameChanges(before, c.now); (err == nil) != c.same || err != nil && !errors.Is(err, ErrOutdated) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
