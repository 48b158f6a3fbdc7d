package handshake

import (
	"os"
	"path/filepath"
	"testing"
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
