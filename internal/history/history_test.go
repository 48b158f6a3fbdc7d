package history

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"wso2agent/internal/file"
	"wso2agent/internal/remedy"
)

func numbers(t *testing.T, trail Trail) string {
	t.Helper()
	events, err := trail.Read()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range events {
		out = append(out, fmt.Sprint(e.Number, " ", e.What))
	}
	return strings.Join(out, ", ")
}

func appendTo(t *testing.T, trail Trail, events ...Event) {
	t.Helper()
	if err := trail.Append(events...); err != nil {
		t.Fatal(err)
	}
}

func TestEventsAreReadAsTheyWereAppended(t *testing.T) {
	trail := Trail{t.TempDir()}
	if got := numbers(t, trail); got != "" {
		t.Errorf("an empty trail has %s", got)
	}
	appendTo(t, trail)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	appendTo(t, trail, Event{What: Issued, At: at, Server: "wso2is", Fingerprint: "AA", Because: "no \"quotes\"\nor lines"}, Event{What: Trusted, Alias: "wso2am", Peer: "wso2am", Was: "BB"})
	appendTo(t, trail, Event{What: Requested, Generation: "g"})
	events, err := trail.Read()
	if err != nil || numbers(t, trail) != "1 issued, 2 trusted, 3 restart requested" {
		t.Fatalf("%s, %v", numbers(t, trail), err)
	}
	if want := (Event{Number: 1, What: Issued, At: at, Server: "wso2is", Fingerprint: "AA", Because: "no \"quotes\"\nor lines"}); events[0] != want {
		t.Errorf("%+v, want %+v", events[0], want)
	}
}

func TestALineThatWasNotWrittenWholeIsLeftOutAndSpoilsNoOther(t *testing.T) {
	trail := Trail{t.TempDir()}
	appendTo(t, trail, Event{What: Issued}, Event{What: Trusted})
	path := filepath.Join(trail.Dir, fileName)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data[:len(data)-9], 0o644); err != nil {
		t.Fatal(err)
	}
	if got := numbers(t, trail); got != "1 issued" {
		t.Errorf("after a kill: %s", got)
	}
	appendTo(t, trail, Event{What: Removed})
	if got := numbers(t, trail); got != "1 issued, 2 no longer trusted" {
		t.Errorf("after the next event: %s", got)
	}
}

func TestTheOlderHalfGoesWhenTheNewerIsFull(t *testing.T) {
	trail := Trail{t.TempDir()}
	long := strings.Repeat("x", 10_000)
	const count = 300 // of 10 kB: almost three files
	for range count {
		appendTo(t, trail, Event{What: Issued, Because: long})
	}
	events, err := trail.Read()
	if err != nil {
		t.Fatal(err)
	}
	if last := events[len(events)-1].Number; last != count {
		t.Errorf("the last event is %d, want %d", last, count)
	}
	for i := 1; i < len(events); i++ {
		if events[i].Number != events[i-1].Number+1 {
			t.Fatalf("%d follows %d", events[i].Number, events[i-1].Number)
		}
	}
	var size int64
	for _, name := range []string{fileName, oldName} {
		info, err := os.Stat(filepath.Join(trail.Dir, name))
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	if size > 2*maxSize || len(events) < 100 {
		t.Errorf("%d bytes with %d events", size, len(events))
	}
}

func TestATrailThatCannotBeWrittenIsAnError(t *testing.T) {
	trail := Trail{filepath.Join(t.TempDir(), "file")}
	if err := os.WriteFile(trail.Dir, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := trail.Append(Event{What: Issued}); err == nil || !strings.Contains(err.Error(), "write the history") {
		t.Errorf("error = %v", err)
	}
}

// TestOnlyARegularFileIsATrail: the server can put something else in its place, because it has the user of the agent.
func TestOnlyARegularFileIsATrail(t *testing.T) {
	for kind, put := range map[string]func(path string) error{
		"a link to a file":    func(path string) error { return os.Symlink(filepath.Join(filepath.Dir(path), "keys.json"), path) },
		"a link to no file":   func(path string) error { return os.Symlink(filepath.Join(filepath.Dir(path), "none"), path) },
		"a link to a device":  func(path string) error { return os.Symlink("/dev/zero", path) },
		"a named pipe":        func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"a folder with files": func(path string) error { return os.MkdirAll(filepath.Join(path, "x"), 0o700) },
	} {
		for _, name := range []string{fileName, oldName} {
			t.Run(kind+" as "+name, func(t *testing.T) {
				trail := Trail{t.TempDir()}
				path, keys := filepath.Join(trail.Dir, name), filepath.Join(trail.Dir, "keys.json")
				secret := []byte(`{"number":7,"because":"secret"}` + "\n")
				if err := errors.Join(os.WriteFile(keys, secret, 0o600), put(path)); err != nil {
					t.Fatal(err)
				}
				_, read := trail.Read()
				for what, err := range map[string]error{"read": read, "append": trail.Append(Event{What: Issued})} {
					if _, remedies := remedy.Split(errors.Join(err, errors.New("."))); err == nil || !strings.Contains(err.Error(), path+" is not a regular file") || len(remedies) != 1 {
						t.Errorf("%s: %v, want that %s is not a regular file, with a remedy", what, err, path)
					}
				}
				if after, err := os.ReadFile(keys); err != nil || !bytes.Equal(after, secret) {
					t.Errorf("the file that the link leads to has %q now, %v", after, err)
				}
				if _, err := os.Lstat(filepath.Join(trail.Dir, "none")); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("the file that the link leads to: %v, want none", err)
				}
			})
		}
	}
}

func TestATrailThatIsTooLargeIsNotRead(t *testing.T) {
	trail := Trail{t.TempDir()}
	if err := os.WriteFile(filepath.Join(trail.Dir, fileName), make([]byte, 2*maxSize+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := trail.Read(); !errors.Is(err, file.ErrTooLarge) {
		t.Errorf("error = %v, want %v", err, file.ErrTooLarge)
	}
}

func TestEventsWithTheLargestCertificatesKeepTheirNumbers(t *testing.T) {
	trail := Trail{t.TempDir()}
	large := strings.Repeat("A", 64<<10)
	appendTo(t, trail, Event{What: Removed, Certificate: large})
	appendTo(t, trail, Event{What: Removed, Certificate: large})
	appendTo(t, trail, Event{What: Trusted})
	if got := numbers(t, trail); got != "1 no longer trusted, 2 no longer trusted, 3 trusted" {
		t.Errorf("the trail has %s", got)
	}
}
