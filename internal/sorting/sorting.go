// Package sorting sorts lists of any type with one function. slices.SortFunc adds some 13 KB to the program for each type of entry.
package sorting

import "sort"

// By sorts a list. Entries that compare as 0 keep their order.
func By[T any](list []T, compare func(a, b T) int) {
	sort.SliceStable(list, func(i, j int) bool { return compare(list[i], list[j]) < 0 })
}
