package wso2sim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Exit codes of a server that ends by itself.
const (
	ExitShutdown = 0   // it was asked to, by ServerAdmin
	ExitRestart  = 121 // the start script starts the server again (org.wso2.carbon.server.util.Utils)
	ExitCrash    = 137 // it was killed
	exitStart    = 1   // it could not come up
)

// Server is what both stand-ins can do.
type Server interface {
	URL() string
	PlainURL() string
	EventsURL() string
	WebSocketURL() string
	Wait(ctx context.Context) error
	Exit() <-chan int
	SaveState(w io.Writer) error
	LoadState(r io.Reader) error
	Close() error
}

// Instance is a server under its start script, which starts it again, in place and without the entrypoint's copying,
// when it ends with ExitRestart.
type Instance struct {
	product string
	options Options
	ended   chan struct{}
	servers chan Server // holds the last one, for whoever reads
	closing context.CancelFunc

	mu      sync.Mutex
	current Server
	code    int
	err     error
}

// Launch starts a server as the entrypoint of its product's image does. The addresses stay the same in every restart.
func Launch(ctx context.Context, product string, o Options) (*Instance, error) {
	if o.Faults == nil {
		o.Faults = NewFaults()
	}
	if o.Requests == nil {
		o.Requests = NewRequestLog()
	}
	i := &Instance{product: product, options: o, ended: make(chan struct{}), servers: make(chan Server, 1)}
	first, err := i.start(ctx)
	if err != nil {
		return nil, err
	}
	i.current = first
	i.servers <- first
	i.options.ConfigVolume = ""
	ctx, i.closing = context.WithCancel(ctx)
	go i.loop(ctx)
	return i, nil
}

func (i *Instance) start(ctx context.Context) (Server, error) {
	switch i.product {
	case ProductIS:
		is, err := StartIS(ctx, i.options)
		if err != nil {
			return nil, err
		}
		i.options.Listen = is.port.addr.String()
		i.keepOptional(is.server)
		return is, nil
	case ProductAM:
		am, err := StartAM(ctx, i.options)
		if err != nil {
			return nil, err
		}
		i.options.Listen, i.options.Gateway = am.port.addr.String(), am.gatewayPort.addr.String()
		i.keepOptional(am.server)
		return am, nil
	}
	return nil, fmt.Errorf("launch %q: the products are %s and %s", i.product, ProductIS, ProductAM)
}

// keepOptional has the next start take the same ports.
func (i *Instance) keepOptional(s *server) {
	for p, addr := range map[*port]*string{s.plain: &i.options.Plain, s.events: &i.options.Events, s.socket: &i.options.WebSocket} {
		if p != nil {
			*addr = p.addr.String()
		}
	}
}

// loop is the start script.
func (i *Instance) loop(ctx context.Context) {
	defer close(i.ended)
	defer close(i.servers)
	for {
		select {
		case <-ctx.Done():
			i.finish(ExitShutdown, i.Server().Close())
			return
		case code := <-i.Server().Exit():
			err := i.Server().Close()
			if code == exitStart {
				err = i.Server().Wait(ctx)
			}
			if code != ExitRestart || err != nil {
				i.finish(code, err)
				return
			}
			next, err := i.start(ctx)
			if err != nil {
				i.finish(exitStart, err)
				return
			}
			i.mu.Lock()
			i.current = next
			i.mu.Unlock()
			select {
			case <-i.servers: // nobody wants to know of the one before
			default:
			}
			i.servers <- next
		}
	}
}

func (i *Instance) finish(code int, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.code, i.err = code, err
}

// Server is the one that runs now, or ran last.
func (i *Instance) Server() Server {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.current
}

// Servers gives every server that is started, the first one too, until the last has ended. It has one reader.
func (i *Instance) Servers() <-chan Server { return i.servers }

// URL is where the server can be reached from this machine, without a path.
func (i *Instance) URL() string { return i.Server().URL() }

// GatewayURL is API Manager's gateway; empty for IS.
func (i *Instance) GatewayURL() string {
	if am, ok := i.Server().(*AM); ok {
		return am.GatewayURL()
	}
	return ""
}

// Wait returns when the server that runs now is up.
func (i *Instance) Wait(ctx context.Context) error { return i.Server().Wait(ctx) }

// Ended is closed when neither server nor script run any more; then ExitCode says how they went.
func (i *Instance) Ended() <-chan struct{} { return i.ended }

// ExitCode is how the server ended, with the error if there was one.
func (i *Instance) ExitCode() (int, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.code, i.err
}

// Faults are what is to go wrong; they outlive a restart in place.
func (i *Instance) Faults() *Faults { return i.options.Faults }

// Requests is the log of all requests since the launch.
func (i *Instance) Requests() *RequestLog { return i.options.Requests }

// Close ends server and script.
func (i *Instance) Close() error {
	i.closing()
	<-i.ended
	_, err := i.ExitCode()
	return err
}

// Exit gives, once, the code with which the server has ended by itself. Its ports are closed then.
func (s *server) Exit() <-chan int { return s.exit }

// end has the server go with a code after it was told to: it serves for a while, and stops.
func (s *server) end(code int) {
	s.ending.Do(func() {
		go func() { // not among the server's own work, for whose end it waits
			if !s.sleep(s.linger.pick()) {
				return
			}
			if s.farewell != nil {
				s.farewell(s.delays.Exit)
			}
			if err := s.shut(); err != nil {
				s.log.Error("stopping failed", "error", err)
			}
			s.exit <- code
		}()
	})
}

// fail ends a server that could not come up; Wait has the error.
func (s *server) fail(err error) {
	s.cancel(err)
	s.ending.Do(func() { s.exit <- exitStart })
}

// crash ends the server in the middle of everything, as a kill does: connections break, and nobody gets an answer.
func (s *server) crash() {
	s.ending.Do(func() {
		go func() {
			s.cancel(errCrashed)
			s.mu.Lock()
			for _, d := range s.doors {
				if d.serving != nil {
					d.serving.Close()
				}
			}
			s.mu.Unlock()
			_ = s.shut() // what it can still say interests nobody
			s.exit <- ExitCrash
		}()
	})
}

var errCrashed = errors.New("the server has crashed")
