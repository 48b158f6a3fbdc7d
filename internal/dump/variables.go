package dump

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"wso2agent/internal/plan"
)

// names gives names to secrets. No two secrets have the same.
type names struct {
	taken func(string) bool
	used  map[string]bool
}

// hide replaces the secrets in a branch by variables. title begins their names.
func (n *names) hide(b branch, title ...string) {
	for _, key := range slices.Sorted(maps.Keys(b)) {
		words := append(slices.Clone(title), key)
		if key == "endpoints" || key == "security" || key == "additional_properties" { // which say nothing more
			words = title
		}
		switch v := b[key].(type) {
		case branch:
			n.hide(v, words...)
		case plan.Hidden:
			b[key] = n.variable(words...)
		}
	}
}

// variable returns a name that is free.
func (n *names) variable(words ...string) variable {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, strings.Join(words, "_"))
	if name[0] >= '0' && name[0] <= '9' {
		name = "_" + name
	}
	free := name
	for i := 2; n.used[free] || n.taken != nil && n.taken(free); i++ {
		free = fmt.Sprintf("%s_%d", name, i)
	}
	n.used[free] = true
	return variable(free)
}

// variables returns the variables of a file in its order.
func variables(body []byte) ([]string, error) {
	var all []string
	var root yaml.Node
	if err := yaml.Unmarshal(body, &root); err != nil {
		return nil, fmt.Errorf("read the file that the dump has made: %w", err)
	}
	var walk func(*yaml.Node)
	walk = func(n *yaml.Node) {
		if name, is := strings.CutPrefix(n.Value, "${"); is {
			all = append(all, strings.TrimSuffix(name, "}"))
		}
		for _, inner := range n.Content {
			walk(inner)
		}
	}
	walk(&root)
	return all, nil
}
