package bootstrap_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"wso2agent/internal/bootstrap"
)

func TestAnAPIThatIsNoLongerInTheFileIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := newFake(), testSettings
		mustPass(t, f, s, usable)
		s.Known = []bootstrap.APIName{{Name: "Deleted by hand", Version: "1.0.0"}, {Name: "Order API", Version: "1.0.0"}, {Name: "Payment API", Version: "1.0.0"}}
		if r := mustPass(t, f, s, usable); r.LeftOver != nil {
			t.Errorf("left over: %v", r.LeftOver)
		}
		i := strings.Index(usable, "  - name: Order API")
		without := usable[:i] + usable[strings.Index(usable, "application:"):]
		if r := mustPass(t, f, s, without); fmt.Sprint(r.LeftOver) != `["Order API" 1.0.0]` || len(f.log) > 0 {
			t.Errorf("left over: %v, requests %q", r.LeftOver, f.log)
		}
	})
}

func TestKeysOfAFormerKeyManagerAreFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := newFake(), testSettings
		if r := mustPass(t, f, s, usable); r.OtherKeys != nil {
			t.Errorf("other keys: %q", r.OtherKeys)
		}
		s.KeyManagerName = bootstrap.ResidentKeyManager
		for range 2 {
			if r := mustPass(t, f, s, usable); strings.Join(r.OtherKeys, ",") != "WSO2-IS" {
				t.Errorf("other keys: %q", r.OtherKeys)
			}
		}
	})
}
