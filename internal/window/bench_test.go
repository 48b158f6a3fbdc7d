package window

import (
	"testing"
	"time"
)

func BenchmarkNext(b *testing.B) {
	ws, err := Parse("Sat 22:00-02:00 Europe/Berlin")
	if err != nil {
		b.Fatal(err)
	}
	now := time.Date(2026, 11, 29, 2, 0, 0, 0, time.UTC)
	for b.Loop() {
		ws.Next(now)
	}
}
