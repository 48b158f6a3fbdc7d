package handshake

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func TestOnlyWhatEndsWhileTheServerIsDownIsExcused(t *testing.T) {
	const starts = "2026-01-01T00:00:00.100Z start\n2026-01-01T00:00:01.000Z ready\n2026-01-01T00:00:05Z stop\n" +
		"2026-01-01T00:00:05.500Z start\n2026-01-01T00:00:07Z ready\n"
	for name, test := range map[string]struct {
		event  string
		failed int
	}{
		"refused before the first start is ready":              {"2026-01-01T00:00:00Z 2026-01-01T00:00:00.050Z refused TLSv1.2 x", 0},
		"refused while it is up":                               {"2026-01-01T00:00:02Z 2026-01-01T00:00:02.010Z refused TLSv1.2 x", 1},
		"refused while it restarts":                            {"2026-01-01T00:00:06Z 2026-01-01T00:00:06.010Z refused TLSv1.3 x", 0},
		"begun while it is up, reset when it stops":            {"2026-01-01T00:00:04.999Z 2026-01-01T00:00:05Z reset TLSv1.3 x", 0},
		"begun in the end of a restart, cut when it is up":     {"2026-01-01T00:00:06.999Z 2026-01-01T00:00:07.500Z cut TLSv1.3 x", 0},
		"reset when it is up again":                            {"2026-01-01T00:00:07Z 2026-01-01T00:00:07.500Z reset TLSv1.3 x", 1},
		"an alert while it restarts is a failure all the same": {"2026-01-01T00:00:06Z 2026-01-01T00:00:06.010Z failed TLSv1.3 x", 1},
		"a kind that nobody knows":                             {"2026-01-01T00:00:06Z 2026-01-01T00:00:06.010Z strange TLSv1.3 x", 1},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "start.log"), starts)
			write(t, filepath.Join(dir, "events.log"), test.event+"\n2026-01-01T00:0")
			s, err := ReadStarts(filepath.Join(dir, "start.log"))
			if err != nil || s.Count != 2 || !s.Running() {
				t.Fatalf("starts = %+v, %v", s, err)
			}
			o, err := Read(dir, s)
			if err != nil || len(o.Failed) != test.failed || o.Refused+o.Reset+o.Cut != 1-test.failed {
				t.Errorf("outcomes = %+v, %v", o, err)
			}
		})
	}
}

func TestCountsOfAllStartsAreSummedUp(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "counts-1-1.txt"), "TLSv1.2 ok 3\nTLSv1.3 ok 4\n")
	write(t, filepath.Join(dir, "counts-2-1.txt"), "TLSv1.3 ok 5\n")
	if o, err := Read(dir, Starts{}); err != nil || o.TLS12 != 3 || o.TLS13 != 9 || o.OK() != 12 {
		t.Errorf("outcomes = %+v, %v", o, err)
	}
	write(t, filepath.Join(dir, "counts-3-1.txt"), "TLSv1.1 ok 5\n")
	if o, err := Read(dir, Starts{}); err == nil {
		t.Errorf("an old protocol was counted: %+v", o)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestWhenTwoServersWereDownAtOnce(t *testing.T) {
	at := func(second int) time.Time { return time.Date(2026, 1, 2, 3, 4, second, 0, time.UTC) }
	up := func(seconds ...int) (s Starts) {
		for i := 0; i+1 < len(seconds); i += 2 {
			s.Up = append(s.Up, [2]time.Time{at(seconds[i]), at(seconds[i+1])})
		}
		return s
	}
	for name, c := range map[string]struct {
		a, b Starts
		want [][2]time.Time
	}{
		"one after the other":         {up(0, 10, 20, 50), up(0, 20, 30, 50), nil},
		"the second too early":        {up(0, 10, 20, 50), up(0, 15, 30, 50), [][2]time.Time{{at(15), at(20)}}},
		"one within the other":        {up(0, 10, 40, 50), up(0, 15, 30, 50), [][2]time.Time{{at(15), at(30)}}},
		"one has never been down":     {up(0, 10, 20, 50), up(0, 50), nil},
		"before its first start only": {up(0, 10, 20, 50), up(15, 50), nil},
	} {
		if got := BothDown(c.a, c.b); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
		if got := BothDown(c.b, c.a); !slices.Equal(got, c.want) {
			t.Errorf("%s, the other way round: %v, want %v", name, got, c.want)
		}
	}
}
