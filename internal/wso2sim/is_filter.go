package wso2sim

import (
	"slices"
	"strings"
)

// condition says whether something fits a filter; get gives its attributes by their names.
type condition func(get func(attribute string) string) bool

// filterFault is why a filter cannot be used: the attribute that is unknown, or "" where the form is wrong.
type filterFault struct{ attribute string }

// parseFilter reads conditions "attribute operation value" with eq, co, sw and ew, joined by "and" and "or", of which
// "and" binds more tightly, as WSO2's specification says. A value may be quoted. Spaces in an unquoted value are its own.
func parseFilter(filter string, attributes ...string) (condition, *filterFault) {
	var either []condition
	for part := range splitWord(filter, "or") {
		var all []condition
		for one := range splitWord(part, "and") {
			c, fault := parseCondition(one, attributes)
			if fault != nil {
				return nil, fault
			}
			all = append(all, c)
		}
		either = append(either, func(get func(string) string) bool {
			return !slices.ContainsFunc(all, func(c condition) bool { return !c(get) })
		})
	}
	return func(get func(string) string) bool {
		return slices.ContainsFunc(either, func(c condition) bool { return c(get) })
	}, nil
}

// splitWord splits at a word between spaces, in any case.
func splitWord(text, word string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		var part []string
		for _, w := range strings.Fields(text) {
			if strings.EqualFold(w, word) {
				if !yield(strings.Join(part, " ")) {
					return
				}
				part = nil
				continue
			}
			part = append(part, w)
		}
		yield(strings.Join(part, " "))
	}
}

func parseCondition(text string, attributes []string) (condition, *filterFault) {
	words := strings.SplitN(text, " ", 3)
	if len(words) < 3 {
		return nil, &filterFault{}
	}
	attribute, want := words[0], strings.Trim(words[2], `"`)
	if !slices.Contains(attributes, attribute) {
		return nil, &filterFault{attribute}
	}
	tests := map[string]func(has, want string) bool{
		"eq": func(has, want string) bool { return has == want }, "co": strings.Contains, "sw": strings.HasPrefix, "ew": strings.HasSuffix,
	}
	test := tests[strings.ToLower(words[1])]
	if test == nil {
		return nil, &filterFault{}
	}
	return func(get func(string) string) bool { return test(get(attribute), want) }, nil
}
