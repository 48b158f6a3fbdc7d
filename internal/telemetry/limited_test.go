package telemetry

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"
)

func TestManyConnectionsThatSendNothingTakeNoMoreThanTheirShare(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	h := NewHealth(time.Hour)
	address, err := h.Serve(ctx, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var conns []net.Conn
	for range 2 * maxConnections {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		// A body that never comes to its end.
		fmt.Fprintf(c, "POST /status HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
		conns = append(conns, c)
	}
	began := time.Now()
	resp, err := (&http.Client{Timeout: 30 * time.Second}).Get("http://" + address + "/livez")
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%v, %v", resp, err)
	}
	resp.Body.Close()
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("answered after %s", took)
	}
	for _, c := range conns[:10] {
		c.SetReadDeadline(time.Now().Add(20 * time.Second))
		for { // the answer, and then the end
			if _, err := c.Read(make([]byte, 4096)); err != nil {
				if n, ok := err.(net.Error); ok && n.Timeout() {
					t.Error("a connection that sends nothing stays open")
				}
				break
			}
		}
	}
	cancel()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if c, err := net.Dial("tcp", address); err != nil {
			break
		} else {
			c.Close()
		}
		if time.Now().After(deadline) {
			t.Fatal("it still listens")
		}
	}
}
