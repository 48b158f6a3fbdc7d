package objects

import (
	"slices"
	"sort"
)

// sortBy sorts a list by texts of its entries: by the first text, then by the second, and so on. It takes [sort.Slice], which is one function
// for all types, because [slices.SortFunc] adds 13 KB to the program for each type.
func sortBy[T any](list []T, texts func(T) []string) {
	sort.Slice(list, func(i, j int) bool { return slices.Compare(texts(list[i]), texts(list[j])) < 0 })
}
