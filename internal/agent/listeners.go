package agent

import (
	"context"
	"errors"
	"net"
	"strconv"
	"sync"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/rotation"
	"wso2agent/internal/wso2"
)

// listenPatience is how long a port may take to show its certificate.
const listenPatience = 2 * time.Second

// port is a TLS port of the own server.
type port struct {
	address  string
	optional bool // it may be closed, or out of reach
}

// ports are those of the own server that load a new certificate while it runs.
func ports(cfg config.Config) []port {
	if cfg.Server.Product == config.IS {
		return []port{{address: net.JoinHostPort(cfg.IS.Host, strconv.Itoa(cfg.IS.Port))}}
	}
	own := []port{{address: net.JoinHostPort(cfg.AM.Host, strconv.Itoa(cfg.AM.Port))}}
	if cfg.Gateway.Host == cfg.AM.Host { // else another server has the gateway
		own = append(own, port{address: net.JoinHostPort(cfg.Gateway.Host, strconv.Itoa(cfg.Gateway.Port))},
			port{address: net.JoinHostPort(cfg.Gateway.Host, "8099"), optional: true}) // WebSocket APIs
	}
	return own
}

// isUnreachable reports whether there was no connection at all. Where a Service or a network policy of Kubernetes does not name a
// port, packets to it may vanish: nobody refuses the connection.
func isUnreachable(err error) bool {
	var failed *net.OpError
	return errors.As(err, &failed) && failed.Op == "dial"
}

// listeners returns what the ports of the own server serve.
func (a Agent) listeners(ctx context.Context) []rotation.Listener {
	ctx, cancel := context.WithTimeout(ctx, listenPatience)
	defer cancel()
	all := ports(a.cfg)
	found := make([]*rotation.Listener, len(all))
	var asked sync.WaitGroup
	for i, p := range all {
		asked.Go(func() {
			served, err := wso2.Served(ctx, p.address)
			switch {
			case err == nil:
				found[i] = &rotation.Listener{Name: p.address, Certificate: served.Fingerprint().String()}
			case p.optional && isUnreachable(err):
			default:
				a.log.Debug("a port of the server does not show its certificate", "port", p.address, "error", err)
				found[i] = &rotation.Listener{Name: p.address}
			}
		})
	}
	asked.Wait()
	var listeners []rotation.Listener
	for _, l := range found {
		if l != nil {
			listeners = append(listeners, *l)
		}
	}
	return listeners
}
