package wso2sim

import (
	"fmt"
	"net"
	"os"
	"syscall"
)

// port is an address that is bound and not yet listened on: its number is known and nobody else can take it, while
// whoever connects is refused, as by a server that is still booting.
type port struct {
	fd   int
	addr *net.TCPAddr
}

// bind takes addr, "host:port", where port 0 chooses a free one.
func bind(addr string) (*port, error) {
	tcp, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("resolve the address %q to listen on: %w", addr, err)
	}
	family, local := sockaddr(tcp)
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM, 0)
	if err != nil {
		return nil, fmt.Errorf("open a socket for %s: %w", addr, err)
	}
	syscall.CloseOnExec(fd)
	p := &port{fd: fd}
	// A restarted server takes the port of its predecessor, whose connections may linger.
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		p.close()
		return nil, fmt.Errorf("prepare the socket for %s: %w", addr, err)
	}
	if err := syscall.Bind(fd, local); err != nil {
		p.close()
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	bound, err := syscall.Getsockname(fd)
	if err != nil {
		p.close()
		return nil, fmt.Errorf("ask for the port of %s: %w", addr, err)
	}
	p.addr = &net.TCPAddr{IP: tcp.IP}
	switch a := bound.(type) {
	case *syscall.SockaddrInet4:
		p.addr.Port = a.Port
	case *syscall.SockaddrInet6:
		p.addr.Port = a.Port
	}
	return p, nil
}

func sockaddr(a *net.TCPAddr) (family int, sa syscall.Sockaddr) {
	if ip := a.IP.To4(); ip != nil || a.IP == nil {
		v4 := &syscall.SockaddrInet4{Port: a.Port}
		copy(v4.Addr[:], ip)
		return syscall.AF_INET, v4
	}
	v6 := &syscall.SockaddrInet6{Port: a.Port}
	copy(v6.Addr[:], a.IP.To16())
	return syscall.AF_INET6, v6
}

// listen opens the port; the listener owns it from then on.
func (p *port) listen() (net.Listener, error) {
	if err := syscall.Listen(p.fd, 128); err != nil {
		return nil, fmt.Errorf("listen on %s: %w", p.addr, err)
	}
	f := os.NewFile(uintptr(p.fd), p.addr.String())
	p.fd = -1
	defer f.Close() // FileListener works on a duplicate
	l, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", p.addr, err)
	}
	return l, nil
}

// close gives the port back if it was never listened on.
func (p *port) close() {
	if p.fd >= 0 {
		syscall.Close(p.fd)
		p.fd = -1
	}
}
