package telemetry

import (
	"net"
	"sync"
)

// maxConnections is the number of connections that the server handles at a time. Further ones wait.
const maxConnections = 64

// limited is a listener with a limited number of open connections.
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

// Accept waits for a free slot and then for a connection.
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

// Close closes the listener. It also ends an Accept that waits for a slot.
func (l *limited) Close() error { return l.close() }

// slotted is a connection that frees its slot when it closes.
type slotted struct {
	net.Conn
	release func()
}

func (c *slotted) Close() error {
	defer c.release()
	return c.Conn.Close()
}
