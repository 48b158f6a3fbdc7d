package seed

import (
	"path"
	"slices"
	"strconv"
	"strings"
)

// isOlder reports whether the version in a name such as wso2is-7.1.0 is older than another one. It is false for names of
// different products and for names without a version.
func isOlder(name, than string) bool {
	a, productA := numbers(name)
	b, productB := numbers(than)
	return a != nil && b != nil && productA == productB && slices.Compare(a, b) < 0
}

func numbers(name string) (version []int, product string) {
	product, text, ok := cutLast(path.Base(name), "-")
	if !ok {
		return nil, name
	}
	for part := range strings.SplitSeq(text, ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			return nil, name
		}
		version = append(version, n)
	}
	return version, product
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
