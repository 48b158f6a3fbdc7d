package apply

import (
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"wso2agent/internal/plan"
	"wso2agent/internal/remedy"
)

// Event is a step of a run. What does not belong to a step is empty or 0.
type Event struct {
	Time   time.Time
	Run    string // correlation id
	Round  int    // 1 for the first plan; each further plan makes what is left
	Step   Step
	Level  string      // its number stands in Done, Failed and Total
	Change plan.Change // of Made and Failed
	Err    error       // of Failed and Again
	// Done and Failed are the changes of the level that are made, and that have failed; of Again the failed ones of the run. Total are all
	// changes of the level.
	Done, Failed, Total int
	Wait                time.Duration // of Again: until the next round
}

// Step says what an event is about.
type Step string

// The steps of a run.
const (
	Begin  Step = "begin"  // of a level
	Made   Step = "done"   // a change
	Failed Step = "failed" // a change; a later round may make it
	End    Step = "end"    // of a level
	Again  Step = "retry"  // another round comes
)

// progress reports the steps of a run, one at a time.
type progress struct {
	tell func(Event)

	mu   sync.Mutex
	last Event
}

// emit reports a step. change changes what the steps before it have left.
func (p *progress) emit(step Step, change func(*Event)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.last)
	p.last.Step, p.last.Time = step, time.Now()
	p.tell(p.last)
	p.last.Change, p.last.Err, p.last.Wait = plan.Change{}, nil, 0
}

func (p *progress) round() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = Event{Run: p.last.Run, Round: p.last.Round + 1}
}

func (p *progress) begin(level string, total int) {
	p.emit(Begin, func(e *Event) { e.Level, e.Done, e.Failed, e.Total = level, 0, 0, total })
}

func (p *progress) end() { p.emit(End, func(*Event) {}) }

// ended reports what became of a change. One that was not begun is no step.
func (p *progress) ended(c plan.Change, err error) {
	switch {
	case err == errUndone:
	case err != nil:
		p.emit(Failed, func(e *Event) { e.Change, e.Err, e.Failed = c, err, e.Failed+1 })
	default:
		p.emit(Made, func(e *Event) { e.Change, e.Done = c, e.Done+1 })
	}
}

func (p *progress) again(failed int, wait time.Duration, err error) {
	p.emit(Again, func(e *Event) { e.Level, e.Done, e.Failed, e.Total, e.Wait, e.Err = "", 0, failed, 0, wait, err })
}

// retryLines is the least time between two lines about another round in a log.
const retryLines = time.Minute

// InLog returns a function that logs events: each change that is made or has failed for good, and at most one line a minute about
// further rounds.
func InLog(log *slog.Logger) func(Event) {
	var said time.Time
	return func(e Event) {
		switch {
		case e.Step == Made:
			log.Info(done(e.Change.Action), about(e.Change)...)
		case e.Step == Failed && permanent(e.Err) && !errors.Is(e.Err, errNeeds): // the failure of another change explains the latter
			log.Error("failed to "+string(e.Change.Action), append(about(e.Change), "error", e.Err)...)
		case e.Step == Again && (said.IsZero() || e.Time.Sub(said) >= retryLines):
			said = e.Time
			log.Warn("not yet, trying again", "wait", e.Wait.Round(time.Millisecond), "round", e.Round, "failed", e.Failed, "error", e.Err)
		}
	}
}

// about returns the attributes of a change for a log.
func about(c plan.Change) []any {
	attributes := []any{"kind", c.Kind, "name", c.Name}
	if c.Of != "" {
		attributes = append(attributes, "of", c.Of)
	}
	return attributes
}

// jsonEvent is an event in the output for programs.
type jsonEvent struct {
	Time   time.Time   `json:"time"`
	Run    string      `json:"run"`
	Event  Step        `json:"event"`
	Round  int         `json:"round"`
	Level  string      `json:"level,omitempty"`
	Action plan.Action `json:"action,omitempty"`
	Kind   string      `json:"kind,omitempty"`
	Name   string      `json:"name,omitempty"`
	Of     string      `json:"of,omitempty"`
	Error  string      `json:"error,omitempty"`
	Hint   string      `json:"hint,omitempty"`
	Done   int         `json:"done"`
	Failed int         `json:"failed"`
	Total  int         `json:"total"`
	Wait   float64     `json:"wait,omitempty"` // in seconds
}

// Lines returns a function that writes each event to w as a line of JSON. It ignores an error of w: the report comes last and has
// everything.
func Lines(w io.Writer) func(Event) {
	return func(e Event) {
		line := jsonEvent{Time: e.Time.UTC(), Run: e.Run, Event: e.Step, Round: e.Round, Level: e.Level, Action: e.Change.Action, Kind: e.Change.Kind,
			Name: e.Change.Name, Of: e.Change.Of, Done: e.Done, Failed: e.Failed, Total: e.Total, Wait: e.Wait.Seconds()}
		if e.Err != nil {
			var hints []string
			line.Error, hints = remedy.Split(e.Err)
			line.Hint = strings.Join(hints, "; ")
		}
		if text, err := plan.EncodeJSON(line); err == nil {
			_, _ = w.Write(text)
		}
	}
}
