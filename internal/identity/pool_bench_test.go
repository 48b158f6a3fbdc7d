package identity

import (
	"fmt"
	"syscall"
	"testing"
)

// BenchmarkReadingThePool reports the processor time of one look at the pool, which each pass of an agent takes, without and with
// what the look before has decoded.
func BenchmarkReadingThePool(b *testing.B) {
	used := func() float64 { // milliseconds of this process
		var r syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
			b.Fatal(err)
		}
		return float64(r.Utime.Nano()+r.Stime.Nano()) / 1e6
	}
	for name, decoded := range map[string]*Decoded{"decoded": {}, "new": nil} {
		for _, n := range []int{3, 12} {
			b.Run(fmt.Sprintf("%d successors, %s", n, name), func(b *testing.B) {
				f := Files{WorkDir: b.TempDir(), Password: "changeit", Decoded: decoded}
				for turn := range n {
					if err := f.AddSuccessor(ahead(b, Spec{}, turn+1)); err != nil {
						b.Fatal(err)
					}
				}
				before := used()
				for b.Loop() {
					if held, err := f.Read(b.Context()); err != nil || len(held.Successors) != n {
						b.Fatalf("%d successors, %v", len(held.Successors), err)
					}
				}
				b.ReportMetric((used()-before)/float64(b.N), "cpu-ms/op")
			})
		}
	}
}
