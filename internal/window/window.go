// Package window has maintenance windows: the times of a week in which an agent may restart a server without being asked.
package window

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"wso2agent/internal/suggest"
)

// Window is a time that comes back each week, on the clock of a time zone.
type Window struct {
	days       [7]bool // on which it opens, by time.Weekday
	from, till int     // minutes after midnight; till may be after the next midnight
	zone       *time.Location
}

// Windows are all windows of a server. None means that no time is closed.
type Windows []Window

// week is the number of days after which a window opens again.
const week = 7

var weekdays = []string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}

// Parse reads windows such as "Sat 22:00-02:00 Europe/Berlin; Mon-Fri 03:00-04:00". A window without days opens every day, and
// a window without a zone is in UTC. A window that ends before it begins ends on the next day. Days and zones are those
// of the IANA time zone database that the program was built with. An empty text has no windows.
func Parse(text string) (Windows, error) {
	var out Windows
	for part := range strings.SplitSeq(text, ";") {
		fields := strings.Fields(part)
		if len(fields) == 0 {
			continue
		}
		w, err := parse(fields)
		if err != nil {
			return nil, fmt.Errorf("window %q: %w", strings.Join(fields, " "), err)
		}
		out = append(out, w)
	}
	return out, nil
}

func parse(fields []string) (w Window, err error) {
	w.zone = time.UTC
	if !strings.Contains(fields[0], ":") {
		if w.days, err = parseDays(fields[0]); err != nil {
			return w, err
		}
		fields = fields[1:]
	} else {
		w.days = [7]bool{true, true, true, true, true, true, true}
	}
	if len(fields) == 0 {
		return w, errors.New("it has no time: want days, a time and a zone, such as Sat 22:00-02:00 Europe/Berlin")
	}
	if len(fields) > 2 {
		return w, fmt.Errorf("%q is more than days, a time and a zone: a semicolon separates two windows", fields[2])
	}
	from, till, ok := strings.Cut(fields[0], "-")
	if !ok {
		return w, fmt.Errorf("%q has no end: want a time such as 22:00-02:00", fields[0])
	}
	if w.from, err = parseClock(from); err != nil {
		return w, err
	}
	if w.till, err = parseClock(till); err != nil {
		return w, err
	}
	switch {
	case w.from == 24*60:
		return w, errors.New("it begins at 24:00: write 00:00 and the next day")
	case w.from == w.till:
		return w, errors.New("it ends when it begins: a whole day is 00:00-24:00")
	case w.till < w.from:
		w.till += 24 * 60
	}
	if len(fields) == 2 {
		if w.zone, err = location(fields[1]); err != nil {
			return w, fmt.Errorf("%q is no time zone: want a name of the IANA database, such as Europe/Berlin or UTC", fields[1])
		}
	}
	return w, nil
}

// parseDays reads days such as Sat, Mon-Fri, Fri-Mon or Mon,Wed.
func parseDays(text string) (days [7]bool, err error) {
	for part := range strings.SplitSeq(text, ",") {
		first, last, isRange := strings.Cut(part, "-")
		from, err := parseDay(first)
		if err != nil {
			return days, err
		}
		till := from
		if isRange {
			if till, err = parseDay(last); err != nil {
				return days, err
			}
		}
		for day := from; ; day = (day + 1) % week {
			days[day] = true
			if day == till {
				break
			}
		}
	}
	return days, nil
}

func parseDay(text string) (int, error) {
	for day, name := range weekdays {
		if strings.EqualFold(text, name) {
			return day, nil
		}
	}
	if text == "" {
		return 0, errors.New("a day is missing: write days without spaces, such as Sat,Sun or Mon-Fri")
	}
	return 0, fmt.Errorf("%q is no day%s", text, suggest.Hint(text, weekdays))
}

// parseClock reads a time of a day from 00:00 to 24:00, in minutes after midnight.
func parseClock(text string) (int, error) {
	hours, minutes, ok := strings.Cut(text, ":")
	h, validHours := twoDigits(hours, 24)
	m, validMinutes := twoDigits(minutes, 59)
	if !ok || !validHours || !validMinutes || h == 24 && m > 0 {
		return 0, fmt.Errorf("%q is no time of a day: want one from 00:00 to 24:00", text)
	}
	return 60*h + m, nil
}

func twoDigits(text string, most int) (int, bool) {
	if len(text) != 2 || text[0] < '0' || text[0] > '9' || text[1] < '0' || text[1] > '9' {
		return 0, false
	}
	n := 10*int(text[0]-'0') + int(text[1]-'0')
	return n, n <= most
}

// Open reports whether the clock of a window's zone shows a time in that window. Without windows every time is open. An hour that
// clocks show twice is open twice, and one that they leave out never is.
func (ws Windows) Open(t time.Time) bool {
	for _, w := range ws {
		if w.open(t) {
			return true
		}
	}
	return len(ws) == 0
}

func (w Window) open(t time.Time) bool {
	local := t.In(w.zone)
	today := local.Weekday()
	yesterday := (today + week - 1) % week
	minute := 60*local.Hour() + local.Minute()
	return w.days[today] && w.from <= minute && minute < w.till || w.days[yesterday] && minute+24*60 < w.till
}

// Next returns when a window opens next, or t if one is open. It takes some 1 ms in the worst case: two weeks, since clocks may leave
// out a window in one week.
func (ws Windows) Next(t time.Time) time.Time { return ws.change(t, true) }

// Closes returns when no window is open any more. It is zero if one is open for two weeks from t, or if there are no windows.
func (ws Windows) Closes(t time.Time) time.Time {
	if at := ws.change(t, false); !ws.Open(at) {
		return at
	}
	return time.Time{}
}

// change returns the first minute from t on in which a window is open, or none is. It looks at each minute of two weeks.
func (ws Windows) change(t time.Time, open bool) time.Time {
	for next := t; ; next = next.Truncate(time.Minute).Add(time.Minute) {
		if ws.Open(next) == open || next.Sub(t) > 2*week*24*time.Hour {
			return next
		}
	}
}
