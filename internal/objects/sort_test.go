package objects

import (
	"fmt"
	"testing"
)

func TestSortByComparesOneTextAfterTheOther(t *testing.T) {
	list := [][]string{{"b", "1"}, {"a", "2"}, {"a", "1"}}
	sortBy(list, func(texts []string) []string { return texts })
	if got := fmt.Sprint(list); got != "[[a 1] [a 2] [b 1]]" {
		t.Error(got)
	}
}
