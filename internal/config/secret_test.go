package config

import "testing"

func TestSecretSettingsAreKnown(t *testing.T) {
	for name, want := range map[string]bool{"AM_ADMIN_PASS": true, "TRUSTSTORE_PASS": true, "AM_HOST": false, "HOME": false, "": false} {
		if IsSecret(name) != want {
			t.Errorf("%q is a secret: %v", name, !want)
		}
	}
}
