package window

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write zones.gz from the database of the Go toolchain")

// goZones returns the database of the Go toolchain, by the names of zones.
func goZones(t *testing.T) (names []string, zones map[string][]byte) {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Skipf("there is no Go toolchain: %v", err)
	}
	r, err := zip.OpenReader(filepath.Join(strings.TrimSpace(string(root)), "lib", "time", "zoneinfo.zip"))
	if err != nil {
		t.Skipf("the Go toolchain has no time zone database: %v", err)
	}
	defer r.Close()
	zones = map[string][]byte{}
	for _, f := range r.File {
		if strings.HasSuffix(f.Name, "/") {
			continue
		}
		content, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(content)
		content.Close()
		if err != nil {
			t.Fatal(err)
		}
		names, zones[f.Name] = append(names, f.Name), data
	}
	return names, zones
}

func TestTheZonesAreThoseOfGo(t *testing.T) {
	names, want := goZones(t)
	if *update {
		var packed bytes.Buffer
		w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			w.Write(append([]byte{byte(len(name))}, name...)) // a bytes.Buffer takes everything
			w.Write(binary.BigEndian.AppendUint16(nil, uint16(len(want[name]))))
			w.Write(want[name])
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("zones.gz", packed.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		zones = packed.String()
	}
	if len(names) < 500 {
		t.Fatalf("the Go toolchain has only %d zones", len(names))
	}
	summer, winter := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC), time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	for i, name := range names {
		if i%20 > 0 && !*update { // each reads through the database
			continue
		}
		got, err := location(name)
		if err != nil {
			t.Errorf("%s: %v; go test ./internal/window -update writes zones.gz", name, err)
			continue
		}
		theirs, err := time.LoadLocationFromTZData(name, want[name])
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range []time.Time{summer, winter} {
			if at.In(got).String() != at.In(theirs).String() {
				t.Errorf("%s shows %s, and the database of Go %s; go test ./internal/window -update writes zones.gz", name, at.In(got), at.In(theirs))
			}
		}
	}
}

func TestAZoneThatTheDatabaseLacksIsAnError(t *testing.T) {
	for _, name := range []string{"", "Europe/Berlim", "europe/berlin", "Local", "../etc/passwd"} {
		if got, err := location(name); err == nil {
			t.Errorf("%q is %s", name, got)
		}
	}
	if got, err := location("UTC"); err != nil || got != time.UTC {
		t.Errorf("UTC is %v, %v", got, err)
	}
}
