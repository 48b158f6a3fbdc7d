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
// "and" binds more tightly, as WSO2's specification says. A value may be quoted, with a backslash before a quote (charon,
// FilterTreeBuilder). Spaces in an unquoted value are its own.
func parseFilter(filter string, attributes ...string) (condition, *filterFault) {
	var either []condition
	for part := range splitWord(filterWords(filter), "or") {
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

// filterWord is a word of a filter. A quoted one is a value, whatever it says.
type filterWord struct {
	text   string
	quoted bool
}

// filterWords splits a filter at the spaces that are not quoted.
func filterWords(filter string) (words []filterWord) {
	for filter = strings.TrimLeft(filter, " "); filter != ""; filter = strings.TrimLeft(filter, " ") {
		if !strings.HasPrefix(filter, `"`) {
			word, rest, _ := strings.Cut(filter, " ")
			words, filter = append(words, filterWord{text: word}), rest
			continue
		}
		var text strings.Builder
		i := 1
		for ; i < len(filter) && filter[i] != '"'; i++ {
			if filter[i] == '\\' && i+1 < len(filter) {
				i++
			}
			text.WriteByte(filter[i])
		}
		words, filter = append(words, filterWord{text.String(), true}), filter[min(i+1, len(filter)):]
	}
	return words
}

// splitWord splits at a word that is not quoted, in any case.
func splitWord(words []filterWord, word string) func(yield func([]filterWord) bool) {
	return func(yield func([]filterWord) bool) {
		var part []filterWord
		for _, w := range words {
			if !w.quoted && strings.EqualFold(w.text, word) {
				if !yield(part) {
					return
				}
				part = nil
				continue
			}
			part = append(part, w)
		}
		yield(part)
	}
}

func parseCondition(words []filterWord, attributes []string) (condition, *filterFault) {
	if len(words) < 3 {
		return nil, &filterFault{}
	}
	attribute, want := words[0].text, words[2].text
	for _, w := range words[3:] {
		want += " " + w.text
	}
	if !slices.Contains(attributes, attribute) {
		return nil, &filterFault{attribute}
	}
	tests := map[string]func(has, want string) bool{
		"eq": func(has, want string) bool { return has == want }, "co": strings.Contains, "sw": strings.HasPrefix, "ew": strings.HasSuffix,
	}
	test := tests[strings.ToLower(words[1].text)]
	if test == nil {
		return nil, &filterFault{}
	}
	return func(get func(string) string) bool { return test(get(attribute), want) }, nil
}
