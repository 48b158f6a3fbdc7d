package bootstrap_test

import (
	"slices"
	"testing"
	"testing/synctest"

	"wso2agent/internal/bootstrap"
)

// TestOnlyItsOwnKeysShowThatAKeyManagerWasVerified: a key of another key manager says nothing.
func TestOnlyItsOwnKeysShowThatAKeyManagerWasVerified(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		const text = `applications: [{name: App, keys: [{type: PRODUCTION, key_manager: Resident Key Manager}, {type: PRODUCTION, key_manager: WSO2-IS}]}]`
		mustPass(t, f, testSettings, text)
		verified := func() bool {
			mustPass(t, f, testSettings, text)
			return slices.Contains(f.log, "POST /api/am/devportal/v3/applications")
		}
		if verified() {
			t.Errorf("a second run sends %q", f.log)
		}
		for app, rows := range f.rows {
			f.rows[app] = slices.DeleteFunc(rows, func(row object) bool { return row["keyManager"] != bootstrap.ResidentKeyManager })
		}
		if clear(f.clients); !verified() {
			t.Errorf("without a key of it, a run sends %q", f.log)
		}
	})
}
