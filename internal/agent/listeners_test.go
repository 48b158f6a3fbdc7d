package agent

import (
	"context"
	"net"
	"strconv"
	"syscall"
	"testing"
	"time"

	"wso2agent/internal/wso2"
)

// A Service of Kubernetes has 9443 and 8243. Packets to its 8099 vanish with some network plugins, and are refused with others.
func TestAPortOutOfReachDiffersFromOneThatShowsNoCertificate(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // the system accepts connections, and nobody answers
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for _, c := range []struct {
		name, address string
		want          bool
	}{
		{"nobody listens", closed.Addr().String(), true},
		{"packets vanish", dropping(t), true},
		{"a server that does not answer", silent.Addr().String(), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			_, err := wso2.Served(ctx, c.address)
			if err == nil {
				t.Fatal("it shows a certificate")
			}
			if got := isUnreachable(err); got != c.want {
				t.Errorf("%v: out of reach: %v, want %v", err, got, c.want)
			}
		})
	}
}

// dropping returns an address where the system drops every packet that asks for a connection: its queue is full, and nobody
// accepts.
func dropping(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	bound, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(bound.(*syscall.SockaddrInet4).Port))
	for range 10 {
		conn, err := net.DialTimeout("tcp", address, 200*time.Millisecond)
		if err != nil {
			return address
		}
		t.Cleanup(func() { conn.Close() })
	}
	t.Skip("this system queues connections without a limit")
	return ""
}
