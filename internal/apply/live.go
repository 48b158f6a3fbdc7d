package apply

import (
	"fmt"
	"io"
	"sync"
	"time"
	"unicode/utf8"

	"wso2agent/internal/plan"
	"wso2agent/internal/remedy"
)

// Live shows the progress of a run on a terminal: one line for each level, which changes while the run works on the level. Whatever else
// goes to the terminal must go through Write.
type Live struct {
	terminal io.Writer

	mu    sync.Mutex
	line  string    // that is shown now, without an end
	begin time.Time // of the level
}

// NewLive returns a Live for a terminal. Escape sequences of ECMA-48 reach it.
func NewLive(terminal io.Writer) *Live { return &Live{terminal: terminal} }

// width is the most that a line has, in characters, so that no usual terminal breaks it.
const width = 79

// eraseLine moves the cursor to the begin of the line, and erases the line.
const eraseLine = "\r\x1b[K"

// Tell shows an event.
func (l *Live) Tell(e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch e.Step {
	case Begin:
		l.begin = e.Time
		l.show(counts(e), false)
	case Made, Failed:
		l.show(counts(e)+left(e, e.Time.Sub(l.begin)), false)
	case End:
		l.show(counts(e)+", "+rounded(e.Time.Sub(l.begin))+" in total", true)
	case Again:
		text, _ := remedy.Split(e.Err)
		l.show(fmt.Sprintf("trying again in %s, %d failed: %s", rounded(e.Wait), e.Failed, plan.Escaped(text)), false)
	}
}

// counts returns how far a level is.
func counts(e Event) string {
	text := fmt.Sprintf("%s: %d of %d", e.Level, e.Done, e.Total)
	if e.Failed > 0 {
		text += fmt.Sprintf(", %d failed", e.Failed)
	}
	return text
}

// left returns how long the rest of a level takes if it is as fast as what is over.
func left(e Event, took time.Duration) string {
	over := e.Done + e.Failed
	if over == 0 || over >= e.Total {
		return ""
	}
	return ", about " + rounded(took*time.Duration(e.Total-over)/time.Duration(over)) + " left"
}

// rounded returns a time in whole seconds, at least 1 s.
func rounded(d time.Duration) string { return max(d.Round(time.Second), time.Second).String() }

// show replaces the line. A line that ends stays on the terminal.
func (l *Live) show(text string, ends bool) {
	for utf8.RuneCountInString(text) > width {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}
	l.line = text
	if ends {
		l.line, text = "", text+"\n"
	}
	_, _ = io.WriteString(l.terminal, eraseLine+text) // nothing depends on it
}

// Write writes whole lines above the line that is shown.
func (l *Live) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.line == "" {
		return l.terminal.Write(p)
	}
	if _, err := io.WriteString(l.terminal, eraseLine); err != nil {
		return 0, err
	}
	n, err := l.terminal.Write(p)
	if err == nil {
		_, err = io.WriteString(l.terminal, l.line)
	}
	return n, err
}

// Close erases the line that is shown.
func (l *Live) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.line != "" {
		l.show("", false)
	}
}
