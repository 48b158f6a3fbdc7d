package notify

import (
	"context"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
)

// WayBack is the way back to what the server last served with, for a start that fails because of what it has read. Its
// methods log what they do.
type WayBack interface {
	// Starting names what a start reads now; empty if that cannot be known.
	Starting(ctx context.Context) (content string)
	// Served notes that a server which started with content serves. It does not wait for anybody: an error is tried again.
	Served(ctx context.Context, content string) error
	// Failed puts back what the server last served with if content can be why the start failed. It reports whether it did,
	// and so whether another start can succeed.
	Failed(ctx context.Context, content string) (restored bool)
}

const (
	dialTimeout = 2 * time.Second
	dialPause   = 500 * time.Millisecond
)

// dial reports why nothing answers at address, host:port; nil if something does.
func dial(ctx context.Context, address string) error {
	conn, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return conn.Close()
}

// awaitDatabase keeps the server down until its database answers: both products give up after seconds without one, and
// then hang without a port. ended says that somebody wants no start any more.
func (s Supervisor) awaitDatabase(ctx context.Context, signals <-chan os.Signal) (code int, ended bool, err error) {
	if s.Database == "" {
		return 0, false, nil
	}
	begin := time.Now()
	deadline := time.NewTimer(s.DatabaseTimeout)
	defer deadline.Stop()
	for told := false; ; {
		lacks := dial(ctx, s.Database)
		switch {
		case lacks == nil && told:
			s.Log.Info("the database answers", "database", s.Database, "waited", time.Since(begin).Round(time.Second).String())
			return 0, false, nil
		case lacks == nil:
			return 0, false, nil
		case !told:
			told = true
			s.Log.Info("the server starts when its database answers", "database", s.Database, "at most", s.DatabaseTimeout.String(), "error", lacks)
		}
		pause := time.After(dialPause)
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				return 128 + int(syscall.SIGTERM), true, nil
			case sig := <-signals:
				if ends(sig) {
					s.Log.Info("asked to stop before the server has started", "signal", sig.String())
					return 128 + int(sig.(syscall.Signal)), true, nil
				}
			case <-deadline.C:
				return 0, false, fmt.Errorf("start the server: its database %s does not answer after %s: %w; start PostgreSQL, correct PGHOST and PGPORT, or raise DATABASE_TIMEOUT",
					s.Database, s.DatabaseTimeout, lacks)
			case <-pause:
				waiting = false
			}
		}
	}
}

// opening is a start that has not been seen to serve yet.
type opening struct {
	content string          // what the start has read, by the way back
	begin   time.Time       // of the start
	opened  <-chan struct{} // closed when the server has opened its port; nil if that is not looked for, or was seen
	late    <-chan time.Time
}

// watchPort looks for the server's port until it is open, or ctx ends.
func (s Supervisor) watchPort(ctx context.Context, content string) *opening {
	o := &opening{content: content, begin: time.Now()}
	if s.Port == "" {
		return o
	}
	opened := make(chan struct{})
	o.opened, o.late = opened, time.After(s.StartTimeout)
	go func() {
		for dial(ctx, s.Port) != nil {
			select {
			case <-ctx.Done():
				return
			case <-time.After(dialPause):
			}
		}
		close(opened)
	}()
	return o
}

// seen ends the wait for the port, because it is open.
func (o *opening) seen() { o.opened, o.late = nil, nil }

// pending reports whether the port was looked for and not seen yet.
func (o *opening) pending() bool { return o.opened != nil }

// noteServed tells the way back that the server serves, and reports whether that is done.
func (s Supervisor) noteServed(ctx context.Context, o *opening) (done bool) {
	if s.WayBack == nil || o.content == "" {
		return true
	}
	err := s.WayBack.Served(ctx, o.content)
	if err != nil {
		s.Log.Debug("what the server serves with is not kept yet, trying again", "error", err)
	}
	return err == nil
}

// goBack puts back what the server last served with, after a start that failed before the server has opened its port. It
// reports whether that was done. A database that does not answer explains the failure, and then nothing is put back.
func (s Supervisor) goBack(ctx context.Context, o *opening) bool {
	if s.WayBack == nil || o.content == "" || ctx.Err() != nil {
		return false
	}
	if s.Database != "" {
		if err := dial(ctx, s.Database); err != nil {
			s.Log.Warn("the start has failed while the database does not answer", "database", s.Database, "error", err)
			return false
		}
	}
	return s.WayBack.Failed(ctx, o.content)
}
