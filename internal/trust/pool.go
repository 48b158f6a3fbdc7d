package trust

import (
	"slices"
	"time"
)

// Successor is a certificate that its server may present after a later rotation.
type Successor struct {
	Fingerprint string    `json:"sha256"`
	NotAfter    time.Time `json:"notAfter"`
	TrustedBy   []string  `json:"trustedBy"` // the servers that run and trust it
	NotYetBy    []string  `json:"notYetBy"`  // the servers that have not confirmed it: they trust it after their next start
}

// Trusting is what a running server trusts, by the statement of its agent.
type Trusting struct {
	Server       string
	Fingerprints []string
}

// Pool are the successors of a server, in the order of their turns, and how long they last.
type Pool struct {
	Successors []Successor `json:"successors"`
	// Rotations is the number of successors that all servers trust: each rotation to one of them needs no restart for trust.
	Rotations int `json:"rotations"`
	// Until is when the last of these is itself due for renewal, which is after all others; zero if there is none.
	Until time.Time `json:"until,omitzero"`
}

// PoolOf returns the pool at the time now. Of the successors, in the order of their turns, only Fingerprint and NotAfter count.
// servers are the own server and its peers. renewBefore is how long before its end a certificate is renewed.
func PoolOf(successors []Successor, servers []Trusting, renewBefore time.Duration, now time.Time) Pool {
	pool := Pool{Successors: []Successor{}}
	for _, s := range successors {
		s.TrustedBy, s.NotYetBy = []string{}, []string{}
		for _, server := range servers {
			if slices.Contains(server.Fingerprints, s.Fingerprint) {
				s.TrustedBy = append(s.TrustedBy, server.Server)
			} else {
				s.NotYetBy = append(s.NotYetBy, server.Server)
			}
		}
		pool.Successors = append(pool.Successors, s)
		if due := s.NotAfter.Add(-renewBefore); len(s.NotYetBy) == 0 && now.Before(s.NotAfter) {
			pool.Rotations++
			if due.After(pool.Until) {
				pool.Until = due
			}
		}
	}
	return pool
}

// Next returns the successor that the next rotation takes: the first that all servers trust, else the first. ok is false if there is
// none.
func (p Pool) Next() (next Successor, ok bool) {
	if len(p.Successors) == 0 {
		return next, false
	}
	at := slices.IndexFunc(p.Successors, func(s Successor) bool { return len(s.NotYetBy) == 0 })
	return p.Successors[max(at, 0)], true
}
