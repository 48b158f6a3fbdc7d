package drift

import (
	"fmt"
	"slices"
	"strings"

	"wso2agent/internal/plan"
)

// byHand is the kind of a difference that only a person can solve.
const byHand = "for a person"

// finding is an object that differs from the desired state, or a difference that only a person can solve.
type finding struct {
	kind   string      // of the object, such as [plan.KindAPI], or byHand
	object string      // in words, for people; of a difference byHand its whole text
	action plan.Action // that would solve it; empty byHand
	fields []string    // each with both values; secrets are masked
	hint   string      // what a person can do; only byHand
}

// findings returns what differs.
func findings(c plan.Comparison) (all []finding) {
	for _, change := range c.Changes {
		all = append(all, finding{kind: change.Kind, object: change.Title(), action: change.Action, fields: change.Lines()})
	}
	for _, p := range c.Problems {
		hint := p.Hint
		p.Hint = ""
		all = append(all, finding{kind: byHand, object: p.String(), hint: hint})
	}
	return all
}

func (f finding) same(other finding) bool {
	return f.kind == other.kind && f.object == other.object && f.action == other.action && slices.Equal(f.fields, other.fields)
}

// news returns what differs now and did not differ before in the same fields, and which objects no longer differ.
func news(before, now []finding) (appeared, gone []finding) {
	for _, f := range now {
		if !slices.ContainsFunc(before, f.same) {
			appeared = append(appeared, f)
		}
	}
	for _, f := range before {
		if !slices.ContainsFunc(now, func(n finding) bool { return n.kind == f.kind && n.object == f.object }) {
			gone = append(gone, f)
		}
	}
	return appeared, gone
}

// counts returns how many findings each kind has. Every kind of object has a number.
func counts(all []finding) map[string]int {
	n := map[string]int{byHand: 0}
	for _, kind := range plan.Kinds() {
		n[kind] = 0
	}
	for _, f := range all {
		n[f.kind]++
	}
	return n
}

// shown is how many objects the condition names.
const shown = 3

// summary describes findings in a sentence.
func summary(all []finding) string {
	if len(all) == 0 {
		return "both servers have what the API configuration says"
	}
	var parts []string
	for _, f := range all[:min(shown, len(all))] {
		parts = append(parts, f.object+detail(f))
	}
	if more := len(all) - shown; more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", more))
	}
	return fmt.Sprintf("differences between the servers and the API configuration: %d (%s)", len(all), strings.Join(parts, ", "))
}

// detail returns what is wrong with an object, without values.
func detail(f finding) string {
	switch f.action {
	case plan.Create:
		return " is missing"
	case plan.Delete:
		return " is no longer in the file"
	case plan.Update:
		paths := make([]string, len(f.fields))
		for i, line := range f.fields {
			paths[i], _, _ = strings.Cut(line, ": ")
		}
		return " differs in " + strings.Join(paths, " and ")
	}
	return ""
}
