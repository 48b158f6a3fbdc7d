package sorting

import (
	"slices"
	"testing"
)

func TestEqualEntriesKeepTheirOrder(t *testing.T) {
	type entry struct {
		key int
		was string
	}
	list := []entry{{2, "a"}, {1, "b"}, {2, "c"}, {1, "d"}, {0, "e"}}
	By(list, func(a, b entry) int { return a.key - b.key })
	if want := []entry{{0, "e"}, {1, "b"}, {1, "d"}, {2, "a"}, {2, "c"}}; !slices.Equal(list, want) {
		t.Errorf("%v, want %v", list, want)
	}
}
