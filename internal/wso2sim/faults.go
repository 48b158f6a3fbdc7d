package wso2sim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// FaultKind is what goes wrong.
type FaultKind string

// The kinds of faults that requests can meet.
const (
	FaultDelay  FaultKind = "delay"  // the request waits for Delay, and goes on
	FaultStatus FaultKind = "status" // it is answered with Status, and Retry-After where RetryAfter says so
	FaultReset  FaultKind = "reset"  // the connection is reset
	FaultHalf   FaultKind = "half"   // it is done, half of the answer is sent, and the connection breaks
	FaultHang   FaultKind = "hang"   // there is no answer, until the client gives up or Delay is over
	FaultCrash  FaultKind = "crash"  // the server ends, as if killed
)

// Duration is a time that JSON has as a text, such as "1.5s".
type Duration time.Duration

// MarshalText writes it as time.Duration does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what time.ParseDuration reads.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = Duration(parsed)
	return err
}

// Fault is something that goes wrong with some requests.
type Fault struct {
	ID          string    `json:"id"` // given by Add
	Kind        FaultKind `json:"kind"`
	Method      string    `json:"method,omitempty"`      // empty for all
	Path        string    `json:"path,omitempty"`        // of the request; * is a part of a segment, ** anything; empty for all
	Probability float64   `json:"probability,omitempty"` // 0 to 1; 0 is always
	Skip        int       `json:"skip,omitempty"`        // how many requests pass before the first one that it hits
	Count       int       `json:"count,omitempty"`       // how many it hits; 0 for no end
	Delay       Duration  `json:"delay,omitempty"`
	Status      int       `json:"status,omitempty"`      // of FaultStatus: 400 to 599
	RetryAfter  int       `json:"retry_after,omitempty"` // seconds; 0 for none
	After       bool      `json:"after,omitempty"`       // FaultReset and FaultCrash strike when the request is done
	Hits        int       `json:"hits"`                  // so far

	matches *regexp.Regexp
}

// check says what is wrong with a fault.
func (f *Fault) check() error {
	kinds := []FaultKind{FaultDelay, FaultStatus, FaultReset, FaultHalf, FaultHang, FaultCrash}
	switch {
	case !slices.Contains(kinds, f.Kind):
		return fmt.Errorf("fault of the unknown kind %q, want one of %q", f.Kind, kinds)
	case f.Kind == FaultStatus && (f.Status < 400 || f.Status > 599):
		return fmt.Errorf("fault with status %d, want 400 to 599", f.Status)
	case f.Kind == FaultDelay && f.Delay <= 0:
		return errors.New("fault of the kind delay without a delay")
	case f.Probability < 0 || f.Probability > 1:
		return fmt.Errorf("fault with probability %g, want 0 to 1", f.Probability)
	case f.Skip < 0 || f.Count < 0 || f.RetryAfter < 0 || f.Delay < 0:
		return errors.New("fault with a negative number")
	}
	return nil
}

// Faults are what is to go wrong with a server, and may be changed while it runs. They outlive its restarts in place.
type Faults struct {
	mu          sync.Mutex
	list        []*Fault
	made        int
	chance      *rand.Rand
	outage      bool
	certificate CertificateFault
	boot        time.Duration
	clock       time.Duration // how far the server's clock is ahead
	changed     func()        // of the server that runs; may be nil
}

// NewFaults has none yet. The same requests meet the same faults in every run: chance has a fixed seed.
func NewFaults() *Faults { return &Faults{chance: rand.New(rand.NewPCG(7, 1))} }

// Add has requests meet a fault from now on, and returns its id. Where several match, the first one added strikes.
func (f *Faults) Add(fault Fault) (id string, err error) {
	if err := fault.check(); err != nil {
		return "", err
	}
	pattern := strings.NewReplacer(`\*\*`, ".*", `\*`, "[^/]*").Replace(regexp.QuoteMeta(fault.Path))
	if pattern == "" {
		pattern = ".*"
	}
	fault.matches = regexp.MustCompile("^" + pattern + "$")
	f.mu.Lock()
	defer f.mu.Unlock()
	f.made++
	fault.ID, fault.Hits = strconv.Itoa(f.made), 0
	f.list = append(f.list, &fault)
	return fault.ID, nil
}

// Remove ends a fault, and says whether there was one.
func (f *Faults) Remove(id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := len(f.list)
	f.list = slices.DeleteFunc(f.list, func(other *Fault) bool { return other.ID == id })
	return len(f.list) < before
}

// Clear ends all faults, an outage, a certificate's fault, a slow boot and a wrong clock among them.
func (f *Faults) Clear() {
	f.mu.Lock()
	f.list, f.outage, f.certificate, f.boot, f.clock = nil, false, "", 0, 0
	f.mu.Unlock()
	f.notify()
}

// List are the faults that were added, with what they have hit.
func (f *Faults) List() []Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := []Fault{}
	for _, fault := range f.list {
		out = append(out, *fault)
	}
	return out
}

// SetOutage has all ports refuse connections, and breaks those that there are, until it is over.
func (f *Faults) SetOutage(on bool) {
	f.mu.Lock()
	f.outage = on
	f.mu.Unlock()
	f.notify()
}

// SetClock has the server's clock be ahead, or behind if it is negative, as far as others see it: in the header Date, and in the times of its
// tokens.
func (f *Faults) SetClock(ahead time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.clock = ahead
}

// ahead is how far the clock is.
func (f *Faults) ahead() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.clock
}

// SetBootDelay makes the next starts slower.
func (f *Faults) SetBootDelay(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.boot = max(0, d)
}

func (f *Faults) notify() {
	f.mu.Lock()
	changed := f.changed
	f.mu.Unlock()
	if changed != nil {
		changed()
	}
}

// strike finds the fault that a request meets; nil if none.
func (f *Faults) strike(r *http.Request) *Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, fault := range f.list {
		if fault.Method != "" && fault.Method != r.Method || !fault.matches.MatchString(r.URL.Path) {
			continue
		}
		if fault.Count > 0 && fault.Hits >= fault.Count {
			continue
		}
		if fault.Skip > 0 {
			fault.Skip--
			continue
		}
		if fault.Probability > 0 && f.chance.Float64() >= fault.Probability {
			continue
		}
		fault.Hits++
		struck := *fault
		return &struck
	}
	return nil
}
