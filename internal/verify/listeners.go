package verify

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/wso2"
)

// listenPatience is how long a port may take to show its certificate.
const listenPatience = 2 * time.Second

// port is a TLS port of the own server.
type port struct {
	address  string
	optional bool // it may be closed
}

// ports are those of the own server that load a new certificate while it runs. Those of the gateway are among them if ownGateway
// says so.
func ports(cfg config.Config) []port {
	if cfg.Server.Product == config.IS {
		return []port{{address: net.JoinHostPort(cfg.IS.Host, strconv.Itoa(cfg.IS.Port))}}
	}
	own := []port{{address: net.JoinHostPort(cfg.AM.Host, strconv.Itoa(cfg.AM.Port))}}
	if ownGateway(cfg) {
		own = append(own, port{address: net.JoinHostPort(cfg.Gateway.Host, strconv.Itoa(cfg.Gateway.Port))},
			port{address: net.JoinHostPort(cfg.Gateway.Host, strconv.Itoa(cfg.Gateway.Port-8243+8099)), optional: true}) // WebSocket APIs
	}
	return own
}

// ownGateway reports whether the own server has the gateway at GW_HOST: that is AM_HOST, SERVER_NAME or this machine. The agent does
// not look at a gateway by another name, which may be that of a load balancer or of another server. It compares names and not
// addresses, because a load balancer can have both names.
func ownGateway(cfg config.Config) bool {
	gateway := cfg.Gateway.Host
	address := net.ParseIP(gateway)
	return address != nil && address.IsLoopback() || slices.ContainsFunc([]string{cfg.AM.Host, cfg.Server.Name, "localhost"}, func(name string) bool {
		return strings.EqualFold(name, gateway)
	})
}

// Listener is a port of the own server with the certificate that it serves.
type Listener struct {
	Address     string // host:port
	Certificate string // SHA-256 fingerprint; empty if the port did not answer
}

// Listeners returns what those ports of the own server serve that load a new certificate while it runs. It takes two seconds at
// most. An optional port that is closed is left out.
func Listeners(ctx context.Context, cfg config.Config, log *slog.Logger) (listeners []Listener) {
	ctx, cancel := context.WithTimeout(ctx, listenPatience)
	defer cancel()
	all := ports(cfg)
	found := make([]*Listener, len(all))
	var asked sync.WaitGroup
	for i, p := range all {
		asked.Go(func() {
			served, err := wso2.Served(ctx, p.address)
			switch {
			case err == nil:
				found[i] = &Listener{Address: p.address, Certificate: served.Fingerprint().String()}
			case p.optional && closed(err):
			default:
				log.Debug("a port of the server does not show its certificate", "port", p.address, "error", err)
				found[i] = &Listener{Address: p.address}
			}
		})
	}
	asked.Wait()
	for _, l := range found {
		if l != nil {
			listeners = append(listeners, *l)
		}
	}
	return listeners
}

// closed reports whether no connection came about. A closed port need not refuse one: a Kubernetes Service or a network policy that
// does not have the port may drop what is sent there.
func closed(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}
