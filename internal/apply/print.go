package apply

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"wso2agent/internal/desired"
	"wso2agent/internal/plan"
	"wso2agent/internal/remedy"
)

// Text returns the report for people: a table with a line for each object, below it what failed and what to do, and a summary.
func (r Report) Text() string {
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, o := range r.Outcomes {
		fmt.Fprintf(table, "%s\t%s\n", state(o), o.Change.Title())
		if o.Err == nil {
			continue
		}
		if place := at(o); place != "" {
			fmt.Fprintf(table, "\tat: %s\n", plan.Escaped(place))
		}
		text, hints := remedy.Split(o.Err)
		fmt.Fprintf(table, "\terror: %s\n", plan.Escaped(text))
		if len(hints) > 0 {
			fmt.Fprintf(table, "\thint: %s\n", plan.Escaped(strings.Join(hints, "; ")))
		}
	}
	table.Flush() // a strings.Builder takes everything
	if r.Failed() > 0 && r.Run != "" {
		fmt.Fprintf(&b, "the logs of the servers have this run as Correlation-ID %s\n", r.Run)
	}
	b.WriteString(plan.KeptText(r.Kept))
	switch {
	case len(r.Outcomes) == 0 && len(r.Problems) == 0:
		b.WriteString("apply: nothing to change\n")
	case len(r.Problems) > 0:
		fmt.Fprintf(&b, "apply: %d done, %d failed, %d for a person to solve\n", len(r.Outcomes)-r.Failed(), r.Failed(), len(r.Problems))
	default:
		fmt.Fprintf(&b, "apply: %d done, %d failed\n", len(r.Outcomes)-r.Failed(), r.Failed())
	}
	return b.String()
}

// state says what became of an object.
func state(o Outcome) string {
	if o.Err != nil {
		return "failed"
	}
	return done(o.Change.Action)
}

// at returns where the file names an object; "" if no file does.
func at(o Outcome) string {
	if place := o.Change.At(); place != (desired.Place{}) {
		return place.String()
	}
	return ""
}

// done returns what an action has done.
func done(a plan.Action) string { return strings.TrimSuffix(string(a), "e") + "ed" }

type jsonOutcome struct {
	State  string      `json:"state"`
	Action plan.Action `json:"action"`
	Kind   string      `json:"kind"`
	Name   string      `json:"name"`
	Of     string      `json:"of"`
	At     string      `json:"at"`
	Error  string      `json:"error"`
	Hint   string      `json:"hint"`
}

// JSON returns the report for programs in one line, as the last event. An array is never null. err is why the run ended early; nil if it
// did not.
func (r Report) JSON(err error) ([]byte, error) {
	all := []jsonOutcome{}
	for _, o := range r.Outcomes {
		made := jsonOutcome{State: state(o), Action: o.Change.Action, Kind: o.Change.Kind, Name: o.Change.Name, Of: o.Change.Of, At: at(o)}
		if o.Err != nil {
			var hints []string
			made.Error, hints = remedy.Split(o.Err)
			made.Hint = strings.Join(hints, "; ")
		}
		all = append(all, made)
	}
	message, hints := "", []string(nil)
	if err != nil {
		message, hints = remedy.Split(err)
	}
	text, err := plan.EncodeJSON(struct {
		Event    string           `json:"event"`
		Run      string           `json:"run"`
		Outcomes []jsonOutcome    `json:"outcomes"`
		Done     int              `json:"done"`
		Failed   int              `json:"failed"`
		Kept     []plan.OwnedName `json:"kept"`
		Problems []plan.Problem   `json:"problems"`
		Error    string           `json:"error,omitempty"`
		Hint     string           `json:"hint,omitempty"`
	}{"report", r.Run, all, len(all) - r.Failed(), r.Failed(), plan.KeptNames(r.Kept), plan.Problems(r.Problems), message, strings.Join(hints, "; ")})
	if err != nil {
		return nil, fmt.Errorf("encode the report: %w", err)
	}
	return text, nil
}
