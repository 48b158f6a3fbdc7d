package telemetry

import (
	"net"
	"sync"
)

// maxConnections is how many connections are served at a time. More wait until one of them ends.
const maxConnections = 64

// limited is a listener that has a bounded number of connections open.
type limited struct {
	net.Listener
	slots chan struct{}
	ended chan struct{}
	close func() error
}

func newLimited(l net.Listener, most int) *limited {
	ended := make(chan struct{})
	return &limited{l, make(chan struct{}, most), ended, sync.OnceValue(func() error { close(ended); return l.Close() })}
}

// Accept waits for a slot, and then for a connection.
func (l *limited) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.ended:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &slotted{c, sync.OnceFunc(func() { <-l.slots })}, nil
}

// Close ends the listener, also while Accept waits for a slot.
func (l *limited) Close() error { return l.close() }

// slotted is a connection that gives its slot back.
type slotted struct {
	net.Conn
	release func()
}

func (c *slotted) Close() error {
	defer c.release()
	return c.Conn.Close()
}
