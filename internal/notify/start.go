package notify

import (
	"context"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"wso2agent/internal/remedy"
)

// WayBack restores the files that the server last served with, after a start that failed because of newer ones. Its methods
// log what they do.
type WayBack interface {
	// Starting returns a name for what a start would read now; empty if that is unknown.
	Starting(ctx context.Context) (content string)
	// Served records that a server serves which started with content. It waits for no lock; the caller tries again after an
	// error.
	Served(ctx context.Context, content string) error
	// Failed restores what the server last served with if content can be the reason why the start failed. It reports whether
	// it did, and so whether another start can succeed.
	Failed(ctx context.Context, content string) (restored bool)
}

const (
	dialTimeout = 2 * time.Second
	dialPause   = 500 * time.Millisecond
)

// dial opens and closes a TCP connection to address, which is host:port. It waits at most dialTimeout.
func dial(ctx context.Context, address string) error {
	conn, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return conn.Close()
}

// awaitDatabase waits until the database answers, before the server starts. Without a database both products give up after
// some seconds and then hang without a port. ended is true if the supervisor must stop; code is then its exit code.
func (s Supervisor) awaitDatabase(ctx context.Context, signals <-chan os.Signal) (code int, ended bool, err error) {
	if s.Database == "" {
		return 0, false, nil
	}
	begin := time.Now()
	deadline := time.NewTimer(s.DatabaseTimeout)
	defer deadline.Stop()
	for logged := false; ; {
		lacks := dial(ctx, s.Database)
		switch {
		case lacks == nil && logged:
			s.Log.Info("the database answers", "database", s.Database, "waited", time.Since(begin).Round(time.Second).String())
			return 0, false, nil
		case lacks == nil:
			return 0, false, nil
		case !logged:
			logged = true
			s.Log.Info("the server starts when its database answers", "database", s.Database, "at most", s.DatabaseTimeout.String(), "error", lacks)
		}
		pause := time.After(dialPause)
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				return 128 + int(syscall.SIGTERM), true, nil
			case sig := <-signals:
				if ends(sig) {
					s.Log.Info("stopping before the server has started", "signal", sig.String())
					return 128 + int(sig.(syscall.Signal)), true, nil
				}
			case <-deadline.C:
				return 0, false, remedy.Add(fmt.Errorf("start the server: its database %s does not answer after %s: %w", s.Database, s.DatabaseTimeout, lacks),
					"start PostgreSQL, correct PGHOST and PGPORT, or raise DATABASE_TIMEOUT")
			case <-pause:
				waiting = false
			}
		}
	}
}

// opening is a start of the server until its port is open.
type opening struct {
	content string          // what the start read, see WayBack.Starting
	begin   time.Time       // of the start
	opened  <-chan struct{} // closed when the port is open; nil if nobody waits for it
	late    <-chan time.Time
}

// watchPort dials the server's port until it is open or ctx ends.
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

// pending reports whether the supervisor still waits for the port.
func (o *opening) pending() bool { return o.opened != nil }

// recordServed reports to WayBack that the server serves. done is false if WayBack returned an error.
func (s Supervisor) recordServed(ctx context.Context, o *opening) (done bool) {
	if s.WayBack == nil || o.content == "" {
		return true
	}
	err := s.WayBack.Served(ctx, o.content)
	if err != nil {
		s.Log.Debug("cannot keep a copy of what the server serves with yet, trying again", "error", err)
	}
	return err == nil
}

// goBack restores what the server last served with, after a start that failed before the port was open. It reports whether
// it did. It restores nothing if the database does not answer, because that explains the failure.
func (s Supervisor) goBack(ctx context.Context, o *opening) bool {
	if s.WayBack == nil || o.content == "" || ctx.Err() != nil {
		return false
	}
	if s.Database != "" {
		if err := dial(ctx, s.Database); err != nil {
			s.Log.Warn("the start failed while the database does not answer", "database", s.Database, "error", err)
			return false
		}
	}
	return s.WayBack.Failed(ctx, o.content)
}
