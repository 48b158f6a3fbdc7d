package window

import (
	"strings"
	"testing"
	"time"
)

func at(t *testing.T, text string) time.Time {
	t.Helper()
	out, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAWindowIsOpenFromItsBeginningToBeforeItsEnd(t *testing.T) {
	for _, c := range []struct {
		name, windows, now string
		open               bool
	}{
		{"no windows close nothing", "", "2026-11-28T12:00:00Z", true},
		{"before", "Sat 22:00-23:00", "2026-11-28T21:59:59Z", false},
		{"at its beginning", "Sat 22:00-23:00", "2026-11-28T22:00:00Z", true},
		{"its last second", "Sat 22:00-23:00", "2026-11-28T22:59:59Z", true},
		{"at its end", "Sat 22:00-23:00", "2026-11-28T23:00:00Z", false},
		{"on another day", "Sat 22:00-23:00", "2026-11-27T22:30:00Z", false},
		{"after midnight of the day on which it opens", "Sat 22:00-02:00", "2026-11-29T01:59:59Z", true},
		{"after midnight of another day", "Sat 22:00-02:00", "2026-11-28T01:00:00Z", false},
		{"every day", "03:00-04:00", "2026-11-25T03:30:00Z", true},
		{"a range of days", "Mon-Fri 03:00-04:00", "2026-11-27T03:30:00Z", true},
		{"outside of a range of days", "Mon-Fri 03:00-04:00", "2026-11-28T03:30:00Z", false},
		{"a range over the end of a week", "Fri-Mon 03:00-04:00", "2026-11-29T03:30:00Z", true},
		{"a list of days", "Mon,wed 03:00-04:00", "2026-11-25T03:30:00Z", true},
		{"a whole day", "Sun 00:00-24:00", "2026-11-29T23:59:59Z", true},
		{"a zone east of Greenwich", "Sat 22:00-02:00 Europe/Berlin", "2026-11-28T21:00:00Z", true},
		{"a zone in which it is another day", "Sun 08:00-09:00 Asia/Tokyo", "2026-11-28T23:30:00Z", true},
		{"in summer", "Sat 22:00-02:00 Europe/Berlin", "2026-07-04T20:00:00Z", true},
		{"the second of two", "Sat 22:00-23:00; Sun 01:00-02:00", "2026-11-29T01:30:00Z", true},
		{"between two", "Sat 22:00-23:00; Sun 01:00-02:00;", "2026-11-29T00:30:00Z", false},
		{"the hour that clocks repeat, the first time", "Sun 02:00-03:00 Europe/Berlin", "2026-10-25T00:30:00Z", true},
		{"the hour that clocks repeat, the second time", "Sun 02:00-03:00 Europe/Berlin", "2026-10-25T01:30:00Z", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			ws, err := Parse(c.windows)
			if err != nil {
				t.Fatal(err)
			}
			if now := at(t, c.now); ws.Open(now) != c.open {
				t.Errorf("%q at %s is open: %t, want %t", c.windows, c.now, !c.open, c.open)
			}
		})
	}
}

func TestTheNextWindowIsFound(t *testing.T) {
	for _, c := range []struct{ name, windows, now, next string }{
		{"now, if one is open", "Sat 22:00-23:00", "2026-11-28T22:30:00Z", "2026-11-28T22:30:00Z"},
		{"later on the same day", "Sat 22:00-23:00", "2026-11-28T12:00:00Z", "2026-11-28T22:00:00Z"},
		{"a week later, at its end", "Sat 22:00-23:00", "2026-11-28T23:00:00Z", "2026-12-05T22:00:00Z"},
		{"the earlier of two", "Wed 01:00-02:00; Tue 01:00-02:00", "2026-11-28T12:00:00Z", "2026-12-01T01:00:00Z"},
		{"across the change to winter time", "Mon 00:00-01:00 Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T23:00:00Z"},
		{"in an hour that clocks leave out", "Sun 02:30-04:00 Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"},
		{"in the next week, if clocks leave it out", "Sun 02:00-03:00 Europe/Berlin", "2026-03-28T12:00:00Z", "2026-04-05T00:00:00Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ws, err := Parse(c.windows)
			if err != nil {
				t.Fatal(err)
			}
			if next := ws.Next(at(t, c.now)); !next.Equal(at(t, c.next)) {
				t.Errorf("after %s %q opens at %s, want %s", c.now, c.windows, next.UTC().Format(time.RFC3339), c.next)
			}
		})
	}
}

func TestAWindowCloses(t *testing.T) {
	for _, c := range []struct{ name, windows, now, closes string }{
		{"at its end", "Sat 22:00-23:00", "2026-11-28T22:30:30Z", "2026-11-28T23:00:00Z"},
		{"where the next one begins, it does not", "Sat 22:00-23:00; Sat 23:00-24:00", "2026-11-28T22:30:00Z", "2026-11-29T00:00:00Z"},
		{"it is closed", "Sat 22:00-23:00", "2026-11-28T21:00:00Z", "2026-11-28T21:00:00Z"},
		{"never", "00:00-24:00", "2026-11-28T21:00:00Z", ""},
		{"none", "", "2026-11-28T21:00:00Z", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			ws, err := Parse(c.windows)
			if err != nil {
				t.Fatal(err)
			}
			var want time.Time
			if c.closes != "" {
				want = at(t, c.closes)
			}
			if got := ws.Closes(at(t, c.now)); !got.Equal(want) {
				t.Errorf("at %s %q closes at %s, want %s", c.now, c.windows, got, want)
			}
		})
	}
}

// Open is asked for each minute of the days around both changes of the clock, and Next for some of them.
func TestTheNextWindowIsOpenAndNoneIsBefore(t *testing.T) {
	for _, text := range []string{"Sun 02:00-03:00 Europe/Berlin", "Sun 02:30-03:30 Europe/Berlin", "Sat 23:30-03:00 Europe/Berlin; Sun 02:59-03:01 Europe/Berlin",
		"Sun 00:00-24:00 America/New_York", "Sun 00:15-00:45 Australia/Lord_Howe", "01:00-01:01 Pacific/Apia"} {
		ws, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, day := range []string{"2026-03-27T00:00:00Z", "2026-10-23T00:00:00Z", "2026-11-30T00:00:00Z"} {
			begin := at(t, day)
			for minute := 0; minute < 4*24*60; minute += 173 {
				now := begin.Add(time.Duration(minute) * time.Minute)
				next := ws.Next(now)
				if next.Before(now) || !ws.Open(next) {
					t.Fatalf("%q after %s: Next is %s, before it or not open", text, now, next)
				}
				for between := now; between.Before(next); between = between.Add(time.Minute) {
					if ws.Open(between) {
						t.Fatalf("%q after %s: open at %s, and Next is %s", text, now, between, next)
					}
				}
			}
		}
	}
}

func TestAWindowThatIsWrongIsNamed(t *testing.T) {
	for text, want := range map[string]string{
		"Sat":                                   `window "Sat": it has no time: want days, a time and a zone, such as Sat 22:00-02:00 Europe/Berlin`,
		"Sat 22:00":                             `window "Sat 22:00": "22:00" has no end: want a time such as 22:00-02:00`,
		"Sta 22:00-23:00":                       `window "Sta 22:00-23:00": "Sta" is no day`,
		"Sat 22:60-23:00":                       `"22:60" is no time of a day: want one from 00:00 to 24:00`,
		"Sat 24:01-23:00":                       `"24:01" is no time of a day`,
		"Sat 24:00-02:00":                       `it begins at 24:00: write 00:00 and the next day`,
		"Sat 9:00-10:00":                        `"9:00" is no time of a day`,
		"Sat 22:00-22:00":                       `it ends when it begins: a whole day is 00:00-24:00`,
		"Sat 22:00-23:00 Europe/Berlim":         `"Europe/Berlim" is no time zone: want a name of the IANA database, such as Europe/Berlin or UTC`,
		"Sat 22:00-23:00 Local":                 `"Local" is no time zone`,
		"Sat 22:00-23:00 ../Berlin":             `"../Berlin" is no time zone`,
		"Sat 22:00-23:00 UTC Sun 01:00-02:00":   `"Sun" is more than days, a time and a zone: a semicolon separates two windows`,
		"Sun 01:00-02:00; Sat 22:00-23:00 Mars": `window "Sat 22:00-23:00 Mars"`,
		"Mon-Fry 01:00-02:00":                   `"Fry" is no day`,
		"-Fri 01:00-02:00":                      `a day is missing`,
		"Sat, Sun 22:00-24:00":                  `a day is missing: write days without spaces, such as Sat,Sun or Mon-Fri`,
	} {
		if ws, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q) = %v, %v, want an error with %s", text, ws, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("Sat 22:00-02:00 Europe/Berlin; Mon-Fri 03:00-04:00")
	f.Add("00:00-24:00;;Sun,Mon 01:00-00:59 Asia/Tokyo")
	now := time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		ws, err := Parse(text)
		if err != nil {
			return
		}
		if next := ws.Next(now); !ws.Open(next) {
			t.Errorf("%q: Next is %s, which is not open", text, next)
		}
	})
}
