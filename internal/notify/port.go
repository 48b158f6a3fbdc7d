package notify

import (
	"context"
	"time"
)

// portProcess takes a port of the server for its process: a port that was closed and is open again belongs to another one.
type portProcess struct {
	address string // host:port
	process Process
	down    time.Time // when the port was first seen closed; zero while it is open
	looks   int       // how often it was seen closed since then
}

// minLooks is how often a port must be seen closed to count as closed. One look can fail for reasons of the network, and a start of
// the server takes much longer than the time between two.
const minLooks = 2

// Process returns what has the port. If the port was open at the first look, nobody knows since when: Since is zero.
func (p *portProcess) Process(ctx context.Context) (Process, error) {
	if err := dial(ctx, p.address); err != nil {
		if p.down.IsZero() {
			p.down = time.Now()
		}
		if p.looks++; p.looks < minLooks {
			return p.process, nil
		}
		return Process{}, ctx.Err()
	}
	switch {
	case p.looks >= minLooks:
		p.process = Process{ID: "port " + p.down.UTC().Format(time.RFC3339Nano), Since: p.down}
	case p.process.ID == "":
		p.process.ID = "port"
	}
	p.down, p.looks = time.Time{}, 0
	return p.process, nil
}
