package objects

import (
	"errors"
	"sync/atomic"
	"testing"

	"wso2agent/internal/wso2"
)

func TestTheApplicationThatUsesAClient(t *testing.T) {
	const id, other = "5fb8112d-ec9d-4b49-a6c9-565da6dc34e3", "416a1605-a685-4fe9-9bf0-e3c4149282c3"
	u := uses{names: map[string]string{id: "Shop"}, clients: map[string]string{"mapped": "Shop (SANDBOX)"}}
	for _, tc := range []struct {
		what   string
		client wso2.ISApplication
		want   string
	}{
		{"API-M shows the keys, whatever the name is", wso2.ISApplication{Name: "reporting", ClientID: "mapped"}, "Shop (SANDBOX)"},
		{"API-M hides the keys", wso2.ISApplication{Name: "admin_" + id + "_PRODUCTION", ClientID: "hidden"}, "Shop (PRODUCTION)"},
		{"its application is gone", wso2.ISApplication{Name: "admin_" + other + "_PRODUCTION", ClientID: "left"}, Deleted},
		{"of another user, with _ in the name", wso2.ISApplication{Name: "ann_lee_" + other + "_SANDBOX", ClientID: "ann"}, "one of ann_lee (SANDBOX)"},
		{"nobody of API-M", wso2.ISApplication{Name: "reporting", ClientID: "other"}, ""},
	} {
		t.Run(tc.what, func(t *testing.T) {
			if got := u.application(tc.client, "admin"); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

// As recorded, IS marks only the Console as one that cannot be changed.
func TestClientsOfISItself(t *testing.T) {
	for _, tc := range []struct {
		app  wso2.ISApplication
		want bool
	}{
		{wso2.ISApplication{Name: "Console", ClientID: "CONSOLE", Access: "READ"}, true},
		{wso2.ISApplication{Name: "My Account", ClientID: "MY_ACCOUNT", Access: "WRITE"}, true},
		{wso2.ISApplication{Name: "Console", ClientID: "zt5HrlQSa873s7Zc_Zl0TZkwBVga", Access: "WRITE"}, false},
	} {
		if got := system(tc.app); got != tc.want {
			t.Errorf("%+v: %t, want %t", tc.app, got, tc.want)
		}
	}
}

func TestEachCallsAllAndReturnsTheFirstError(t *testing.T) {
	first, second := errors.New("first"), errors.New("second")
	var calls atomic.Int64
	err := each(t.Context(), 50, func(i int) error {
		calls.Add(1)
		switch i {
		case 7:
			return first
		case 30:
			return second
		}
		return nil
	})
	if calls.Load() != 50 || err != first {
		t.Errorf("%d calls, error %v, want 50 and %v", calls.Load(), err, first)
	}
	if err := each(t.Context(), 0, nil); err != nil {
		t.Errorf("nothing to call: %v", err)
	}
}
