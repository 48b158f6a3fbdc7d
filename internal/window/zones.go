package window

import (
	"bufio"
	"compress/gzip"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// zones is the time zone database of Go, as time/tzdata has it. Compressed it has a quarter of the size. TestTheZonesAreThoseOfGo
// writes it, with -update. Each zone is the length of its name (a byte), its name, the length of its data (two bytes, the higher one
// first) and its data.
//
//go:embed zones.gz
var zones string

var errNoZone = errors.New("the time zone database does not have it")

// location returns a zone of the database by its name.
func location(name string) (*time.Location, error) {
	if name == "UTC" {
		return time.UTC, nil
	}
	packed, err := gzip.NewReader(strings.NewReader(zones))
	if err != nil {
		return nil, fmt.Errorf("read the time zone database: %w", err)
	}
	r := bufio.NewReader(packed)
	for {
		length, err := r.ReadByte()
		if errors.Is(err, io.EOF) {
			return nil, errNoZone
		}
		head := make([]byte, int(length)+2)
		if err == nil {
			_, err = io.ReadFull(r, head)
		}
		if err != nil {
			return nil, fmt.Errorf("read the time zone database: %w", err)
		}
		size := int64(binary.BigEndian.Uint16(head[length:]))
		if string(head[:length]) != name {
			if _, err := io.CopyN(io.Discard, r, size); err != nil {
				return nil, fmt.Errorf("read the time zone database: %w", err)
			}
			continue
		}
		data := make([]byte, size)
		if _, err := io.ReadFull(r, data); err != nil {
			return nil, fmt.Errorf("read the time zone database: %w", err)
		}
		return time.LoadLocationFromTZData(name, data)
	}
}
