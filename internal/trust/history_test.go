package trust

import (
	"slices"
	"testing"
	"time"
)

func TestWhenPeersChangedIsRemembered(t *testing.T) {
	dir := t.TempDir()
	want := History{Known: []string{"f1", "f2"}, Changes: []time.Time{time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.UTC)}}
	if err := (Histories{"wso2is": want}).Save(dir); err != nil {
		t.Fatal(err)
	}
	got := LoadHistories(dir)
	if h := got["wso2is"]; len(got) != 1 || !slices.Equal(h.Known, want.Known) || len(h.Changes) != 1 || !h.Changes[0].Equal(want.Changes[0]) {
		t.Errorf("%+v, want %+v", got, want)
	}
}
