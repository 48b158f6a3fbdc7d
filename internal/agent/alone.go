package agent

import (
	"context"
	"errors"
	"fmt"

	"wso2agent/internal/file"
	"wso2agent/internal/trust"
)

// maxLooks is how often alone looks at the exchange volume, so that a peer that publishes all the time holds nobody up.
const maxLooks = 3

// alone does work that writes, while no other agent works on this server's files. If the user of this agent cannot do all of
// it, alone writes nothing, not even the lock: what such an agent published would block the right one.
//
// The agent that work gets knows what the peers have published. alone reads that before it takes the lock, because a peer can
// make its reader wait, and reads it again if it is not current when the lock is taken: another agent of this server may have
// worked with something newer, and an older publication would undo that.
func (a Agent) alone(ctx context.Context, work func(Agent) error) error {
	s, err := a.atStores(ctx)
	if err != nil {
		return err
	}
	if err := s.truststore().Check(); err != nil {
		return fmt.Errorf("import into the truststore: %w", err)
	}
	for n := 1; ; n++ {
		seen := a.seen
		if seen == nil {
			now := a.exchange().Look(ctx, a.cfg.Trust.Peers...)
			seen = &now
		}
		unlock, err := s.lock(ctx)
		if err != nil {
			return err
		}
		if seen.Current() || n == maxLooks {
			defer unlock()
			silent, err := a.holding.Hold(ctx, a.exchange(), a.control().Dir)
			if silent != nil {
				a.log.Warn("the other agent with this server's name has been silent, this one publishes again", "server", a.cfg.Server.Name, "other", silent.Host, "silent", trust.Silence.String())
			}
			if err != nil {
				return err
			}
			a.seen = seen
			return work(a)
		}
		a.seen = nil
		unlock() // the peers have published something else meanwhile
	}
}

// lock keeps other agents away from this server's files until unlock is called.
func (a Agent) lock(ctx context.Context) (unlock func(), err error) {
	return file.Lock(ctx, file.LockPath(a.cfg.WorkDir()), func() {
		a.log.Warn("another agent is working on this server's files, waiting for it", "truststore", a.cfg.TruststorePath())
	})
}

// lockOwn is lock, unless the truststore belongs to another user: then nothing is written, not even the lock.
func (a Agent) lockOwn(ctx context.Context) (unlock func(), err error) {
	if s, err := a.atStores(ctx); err == nil {
		if err := s.truststore().Check(); errors.Is(err, file.ErrOwner) {
			return nil, fmt.Errorf("import into the truststore: %w", err)
		}
	}
	return a.lock(ctx)
}

// waits reports whether err only says that somebody else is busy: nothing is wrong with what this agent does.
func waits(err error) bool {
	return errors.Is(err, file.ErrBeingWritten) || errors.Is(err, trust.ErrNameTaken)
}

// keepName repeats from time to time that this agent holds its server's name.
func (a Agent) keepName(ctx context.Context) {
	if err := a.holding.Keep(ctx, a.exchange()); err != nil {
		a.log.Debug("the name of this server is not held", "error", err)
	}
}
