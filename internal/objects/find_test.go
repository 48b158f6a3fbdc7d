package objects_test

import (
	"errors"
	"strings"
	"testing"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/objects"
	"wso2agent/internal/remedy"
	"wso2agent/internal/wso2"
)

func TestPickFindsOneObject(t *testing.T) {
	self := func(s string) string { return s }
	for _, tc := range []struct {
		what, name string
		list       []string
		text, hint string // of the error; both empty: it is found
	}{
		{what: "it is there", name: "Shop", list: []string{"Shop", "Shopping"}},
		{what: "a near name is suggested", name: "Shopp", list: []string{"Bank", "Shop"},
			text: `there is no application "Shopp"`, hint: `did you mean "Shop"?`},
		{what: "no name is near", name: "X", list: []string{"Billing"},
			text: `there is no application "X"`, hint: `known: "Billing"`},
		{what: "there is none", name: "X", text: `there is no application "X"`, hint: "there is none at all"},
		{what: "many are known", name: "Shop", list: strings.Split("one two three four five six seven eight nine ten eleven twelve", " "),
			text: `there is no application "Shop"`, hint: `known: "eight", "eleven", "five", "four", "nine", "one", "seven", "six", "ten", "three" and 2 others`},
		{what: "two have the name", name: "Shop", list: []string{"Shop", "Shop"},
			text: `there are 2 of application "Shop"`},
	} {
		t.Run(tc.what, func(t *testing.T) {
			found, err := objects.Pick("application", tc.name, tc.list, self)
			if tc.text == "" {
				if err != nil || found != tc.name {
					t.Fatalf("found %q, error %v", found, err)
				}
				return
			}
			wantError(t, err, tc.text, tc.hint)
		})
	}
}

func TestPickAPITakesANameWithOrWithoutItsVersion(t *testing.T) {
	list := []wso2.API{{ID: "1", Name: "Orders", Version: "2.0.0"}, {ID: "2", Name: "Orders", Version: "1.0.0"}, {ID: "3", Name: "Pay", Version: "1"}, {ID: "4", Name: "a:b", Version: "1"}}
	for text, id := range map[string]string{"Orders:1.0.0": "2", "Pay": "3", "Pay:1": "3", "a:b": "4", "a:b:1": "4"} {
		if api, err := objects.PickAPI(text, list); err != nil || api.ID != id {
			t.Errorf("%s: %v, error %v, want the id %s", text, api, err, id)
		}
	}
	_, err := objects.PickAPI("Orders", list)
	wantError(t, err, `several APIs have the name "Orders"`, "name one of them: Orders:1.0.0, Orders:2.0.0")
	_, err = objects.PickAPI("Orders:3.0.0", list)
	wantError(t, err, `there is no API "Orders:3.0.0"`, `known: "Orders:1.0.0", "Orders:2.0.0"`)
}

func wantError(t *testing.T, err error, text, hint string) {
	t.Helper()
	if !errors.Is(err, bootstrap.ErrPermanent) {
		t.Fatalf("error %v", err)
	}
	got, hints := remedy.Split(err)
	if got != text || hint != "" && (len(hints) != 1 || hints[0] != hint) || hint == "" && len(hints) > 0 {
		t.Errorf("error %q with the hints %q, want %q with %q", got, hints, text, hint)
	}
}
