package trust

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestTheAgentThatStartedLastHoldsItsServersName: two servers share one name.
func TestTheAgentThatStartedLastHoldsItsServersName(t *testing.T) {
	dir := t.TempDir()
	e := Exchange{Dir: dir, Name: "wso2is"}
	synctest.Test(t, func(t *testing.T) {
		var first, second Holding
		hold := func(h *Holding, instance string) (silent *Holder, err error) {
			return h.Hold(t.Context(), e, filepath.Join(dir, instance))
		}
		holder := func() Holder {
			h, _, _, err := e.Holder(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return h
		}
		if err := first.Keep(t.Context(), e); err != nil || holder() != (Holder{}) {
			t.Errorf("an agent that holds no name yet: %v, %+v", err, holder())
		}
		if silent, err := hold(&first, "first"); silent != nil || err != nil || holder().Instance == "" {
			t.Fatalf("alone: %v, %v", silent, err)
		}
		if silent, err := hold(&second, "second"); silent != nil || err != nil {
			t.Fatalf("the second one: %v, %v", silent, err)
		}
		want := holder()
		for range 10 { // minutes in which the second one does nothing else
			if _, err := hold(&first, "first"); !errors.Is(err, ErrNameTaken) || !strings.Contains(err.Error(), filepath.Join(dir, "wso2is")) {
				t.Fatalf("the first one: %v", err)
			}
			time.Sleep(sayEvery)
			if err := errors.Join(first.Keep(t.Context(), e), second.Keep(t.Context(), e)); err != nil || holder() != want {
				t.Fatalf("held by %+v, want %+v: %v", holder(), want, err)
			}
		}
		if _, err := hold(&first, "first"); !errors.Is(err, ErrNameTaken) { // it sees the last word of the second one
			t.Fatalf("the first one: %v", err)
		}
		time.Sleep(Silence - time.Second)
		if _, err := hold(&first, "first"); !errors.Is(err, ErrNameTaken) {
			t.Errorf("shortly before the silence is over: %v", err)
		}
		time.Sleep(time.Second)
		silent, err := hold(&first, "first")
		if err != nil || silent == nil || *silent != want || holder().Instance == want.Instance {
			t.Errorf("after the silence: %v, %v", silent, err)
		}
		if _, err := hold(&second, "second"); !errors.Is(err, ErrNameTaken) {
			t.Errorf("the second one, which wakes: %v", err)
		}
	})
}
