// Package handshake judges what a client that opens TLS connections all the time has seen while certificates rotate. The
// client, and a server like the products, are Java programs in its folder java.
package handshake

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Outcomes is what came of all connections of one client.
type Outcomes struct {
	TLS12, TLS13 int // that were good
	// Refused, Reset and Cut had an end because the server was just down, as its own start log says: before the connection,
	// before the ServerHello, after the handshake.
	Refused, Reset, Cut int
	// Failed are all others: alerts, certificates that were not trusted or had the wrong name, handshakes that broke off,
	// and whatever looked like a server that is down while that was up.
	Failed []string
}

// OK is the number of good connections.
func (o Outcomes) OK() int { return o.TLS12 + o.TLS13 }

// String is one line with all counts.
func (o Outcomes) String() string {
	return fmt.Sprintf("%d ok (TLS 1.2 %d, TLS 1.3 %d), %d failed; while the server was down: %d refused, %d reset before ServerHello, %d cut after the handshake",
		o.OK(), o.TLS12, o.TLS13, len(o.Failed), o.Refused, o.Reset, o.Cut)
}

// Read sums up what the client that writes to the folder out has seen of a server with the given starts.
func Read(out string, server Starts) (o Outcomes, err error) {
	files, err := filepath.Glob(filepath.Join(out, "counts-*.txt"))
	if err != nil {
		return o, err
	}
	for _, path := range files {
		err := eachLine(path, func(line string) error {
			var protocol string
			var n int
			if _, err := fmt.Sscanf(line, "%s ok %d", &protocol, &n); err != nil {
				return err
			}
			switch protocol {
			case "TLSv1.2":
				o.TLS12 += n
			case "TLSv1.3":
				o.TLS13 += n
			default:
				return fmt.Errorf("unknown protocol %q", protocol)
			}
			return nil
		})
		if err != nil {
			return o, err
		}
	}
	return o, eachLine(filepath.Join(out, "events.log"), func(line string) error { return o.add(line, server) })
}

// add judges one line of events.log: begin, end, kind, protocol, message.
func (o *Outcomes) add(line string, server Starts) error {
	words := strings.SplitN(line, " ", 4)
	if len(words) < 4 {
		return errors.New("too few words")
	}
	began, err := time.Parse(time.RFC3339Nano, words[0])
	if err != nil {
		return err
	}
	ended, err := time.Parse(time.RFC3339Nano, words[1])
	if err != nil {
		return err
	}
	count := map[string]*int{"refused": &o.Refused, "reset": &o.Reset, "cut": &o.Cut}[words[2]]
	if count == nil || !server.downAt(began, ended) {
		o.Failed = append(o.Failed, line)
		return nil
	}
	*count++
	return nil
}

// Starts are the times between which a server was up: each first is when it was ready, each second when it was asked to
// stop, zero if it was not yet.
type Starts struct {
	Up    [][2]time.Time
	Count int // of starts, whether or not it has been ready since
}

// ReadStarts reads a server's start log. A server that ended without a word counts as up until its next start.
func ReadStarts(path string) (s Starts, err error) {
	err = eachLine(path, func(line string) error {
		word, what, _ := strings.Cut(line, " ")
		at, err := time.Parse(time.RFC3339Nano, word)
		if err != nil {
			return err
		}
		last := len(s.Up) - 1
		running := last >= 0 && s.Up[last][1].IsZero()
		switch {
		case what == "start":
			s.Count++
			if running {
				s.Up[last][1] = at
			}
		case what == "ready":
			s.Up = append(s.Up, [2]time.Time{at})
		case what == "stop" && running:
			s.Up[last][1] = at
		case what != "stop": // one that was stopped before it was ready was down already
			return fmt.Errorf("unknown word %q", what)
		}
		return nil
	})
	return s, err
}

// Running tells whether the last thing that the server said is that it is ready.
func (s Starts) Running() bool { return len(s.Up) > 0 && s.Up[len(s.Up)-1][1].IsZero() }

// BothDown are the times in which two servers were down at once, each by a restart: from when the one that stopped last was
// asked to stop until the first was ready again.
func BothDown(a, b Starts) (both [][2]time.Time) {
	for _, one := range a.restarts() {
		for _, other := range b.restarts() {
			from, to := one[0], one[1]
			if other[0].After(from) {
				from = other[0]
			}
			if other[1].Before(to) {
				to = other[1]
			}
			if from.Before(to) {
				both = append(both, [2]time.Time{from, to})
			}
		}
	}
	return both
}

// restarts are the times between being asked to stop and being ready again.
func (s Starts) restarts() (down [][2]time.Time) {
	for i := 1; i < len(s.Up); i++ {
		down = append(down, [2]time.Time{s.Up[i-1][1], s.Up[i][0]})
	}
	return down
}

// downAt tells whether the server was down at some moment from began to ended.
func (s Starts) downAt(began, ended time.Time) bool {
	for _, up := range s.Up {
		if !began.Before(up[0]) && (up[1].IsZero() || ended.Before(up[1])) {
			return false
		}
	}
	return true
}

// eachLine calls f for every whole line of a file; one that is missing has none.
func eachLine(path string, f func(string) error) error {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(bytes.NewReader(data[:bytes.LastIndexByte(data, '\n')+1]))
	for n := 1; lines.Scan(); n++ {
		if err := f(lines.Text()); err != nil {
			return fmt.Errorf("line %d of %s: %w", n, path, err)
		}
	}
	return lines.Err()
}
