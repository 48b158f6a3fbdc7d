package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"time"
)

// The last part: new certificates for both servers.

// issued starts both servers again as a container platform does: `agent init` runs before each start.
func (s *show) issued() error {
	w := s.world
	w.stop("backend")
	w.more = []string{"TLS_MODE=issue"}
	for _, server := range []side{w.is, w.am, w.is} { // again for IS: its first run finds no new certificate of API-M
		if _, err := w.agent(s.ctx, server, "init"); err != nil {
			return err
		}
	}
	for _, server := range []side{w.is, w.am} {
		if _, err := w.startServer(server); err != nil {
			return err
		}
		if _, err := w.startAgent(server); err != nil {
			return err
		}
	}
	if err := w.until(s.ctx, "both servers answer", s.bothAnswer); err != nil {
		return err
	}
	for _, server := range []side{w.is, w.am} {
		var said string
		err := w.until(s.ctx, "all running servers trust the next certificates of "+server.name, func() bool {
			said, _ = w.agent(s.ctx, server, "certs", "list", "--pool")
			return strings.Contains(said, "next rotations without a restart: 3,")
		})
		if err != nil {
			return fmt.Errorf("%w: %s", err, said)
		}
		lines := strings.Split(strings.TrimSpace(said), "\n")
		s.say("%s: %s", server.name, lines[len(lines)-1])
	}
	s.starts = [2]int{w.is.starts(), w.am.starts()}
	return nil
}

// rotated requests new certificates for both servers at once, and calls an API over new connections until all ports serve them.
func (s *show) rotated() error {
	w := s.world
	ports := []struct {
		server  side
		address string
		before  []byte
	}{{server: w.is, address: w.is.address}, {server: w.am, address: w.am.address}, {server: w.am, address: w.gateway}}
	for i, p := range ports {
		var err error
		if ports[i].before, err = served(p.address); err != nil {
			return err
		}
	}
	if err := s.fetchToken(); err != nil {
		return err
	}
	began := time.Now()
	for _, server := range []side{w.is, w.am} {
		said, err := w.agent(s.ctx, server, "certs", "rotate")
		if err != nil {
			return err
		}
		s.say("`agent certs rotate` next to %s: %s", server.name, strings.Split(said, "\n")[0])
	}
	calls := 0
	for in := 0; in < len(ports); calls++ {
		s.ask.client.CloseIdleConnections()
		if a, nonce, err := s.gateway("/payments/1.0.0/hello", s.token); err != nil || a.field("nonce") != nonce {
			return fmt.Errorf("call an API while certificates rotate: %w", unexpected(a, err))
		}
		in = 0
		for _, p := range ports {
			now, err := served(p.address)
			if err != nil {
				return err
			}
			if own, err := leafOf(p.server); err == nil && bytes.Equal(now, own.DER) && !bytes.Equal(now, p.before) {
				in++
			}
		}
		if err := s.ctx.Err(); err != nil {
			return fmt.Errorf("wait until %d ports serve new certificates: %d do: %w", len(ports), in, context.Cause(s.ctx))
		}
		time.Sleep(20 * time.Millisecond)
	}
	if now := [2]int{w.is.starts(), w.am.starts()}; now != s.starts {
		return fmt.Errorf("the servers have started %v times, and had %v times before the rotation", now, s.starts)
	}
	s.say("after %.1f s, 9443 of both and 8243 serve new certificates; %d of %d API calls meanwhile were answered", time.Since(began).Seconds(), calls, calls)
	s.say("by their own logs no server was restarted")
	return nil
}

// served is the certificate that a port serves now. What it should be, the caller knows.
func served(address string) ([]byte, error) {
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", address, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		return nil, fmt.Errorf("look at the certificate of %s: %w", address, err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].Raw, nil
}
