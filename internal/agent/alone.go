package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"wso2agent/internal/file"
	"wso2agent/internal/remedy"
	"wso2agent/internal/trust"
)

// alone does work that writes, alone: of two agents on one server's files one waits, and says so. Nothing at all is written,
// the lock included, as a user that cannot do the whole: what such an agent published would be in the right one's way.
//
// The agent that work gets knows what the peers have published. It is read before the lock is taken, because a peer
// can make its reader wait.
func (a Agent) alone(ctx context.Context, work func(Agent) error) error {
	s, err := a.atStores(ctx)
	if err != nil {
		return err
	}
	if err := s.truststore().Check(); err != nil {
		return fmt.Errorf("import into the truststore: %w", err)
	}
	for n := 1; ; n++ {
		seen, looked := a.seen, time.Now()
		if seen == nil {
			now := a.exchange().Look(ctx, a.cfg.Peers...)
			seen, looked = &now, time.Now()
		}
		unlock, err := s.lock(ctx)
		if err != nil {
			return err
		}
		if time.Since(looked) < time.Second || n == 3 {
			defer unlock()
			if err := a.holdName(ctx); err != nil {
				return err
			}
			a.seen = seen
			return work(a)
		}
		a.seen = nil
		unlock() // the peers may have published something else meanwhile
	}
}

// lock keeps other agents away from this server's files until unlock is called.
func (a Agent) lock(ctx context.Context) (unlock func(), err error) {
	return file.Lock(ctx, file.LockPath(a.cfg.WorkDir()), func() {
		a.log.Warn("another agent is working on this server's files, waiting for it", "truststore", a.cfg.TruststorePath())
	})
}

// errNameTaken says that the agent of another server writes under this server's name.
var errNameTaken = errors.New("another agent publishes under this server's name")

// waits reports whether err only says that somebody else is busy: nothing is wrong with what this agent does.
func waits(err error) bool {
	return errors.Is(err, file.ErrBeingWritten) || errors.Is(err, errNameTaken)
}

// sayEvery is how often an agent says that it holds its server's name, and silence after what time another one may take it.
const (
	sayEvery = time.Minute
	silence  = 3 * time.Minute
)

// holding is what an agent knows of its hold on its server's name.
type holding struct {
	mu       sync.Mutex
	instance string    // empty before the first pass
	held     bool      // by this agent
	other    time.Time // what the agent that holds it has said last, by that agent's clock
	since    time.Time // when this agent has seen that first
}

// holdName makes sure that no agent of another server publishes under the same name, which would have the peers trust one
// and the other by turns. The one that started last holds the name; the others change nothing until it has been silent for
// a while. It is to be called alone.
func (a Agent) holdName(ctx context.Context) (err error) {
	h := a.holding
	h.mu.Lock()
	defer h.mu.Unlock()
	first := h.instance == ""
	if h.instance, err = trust.Instance(ControlDir(a.cfg)); err != nil {
		return err
	}
	holder, said, ok, err := a.exchange().Holder(ctx)
	if err != nil {
		return err
	}
	if ok && holder.Instance != h.instance && !first {
		h.held = false
		if !said.Equal(h.other) {
			h.other, h.since = said, time.Now()
		}
		if time.Since(h.since) < silence {
			return remedy.Add(fmt.Errorf("%w: the one on host %s has started to write in %s after this one", errNameTaken, holder.Host, filepath.Join(a.cfg.ExchangeDir, a.cfg.ServerName)),
				"set a SERVER_NAME of its own next to each server and restart its agent, or stop one of the two")
		}
		a.log.Warn("the other agent with this server's name has been silent, this one publishes again", "server", a.cfg.ServerName, "other", holder.Host, "silent", silence.String())
	}
	if ok && holder.Instance == h.instance && time.Since(said) < sayEvery {
		h.held = true
		return nil
	}
	if err := a.hold(); err != nil {
		return err
	}
	h.held = true
	return nil
}

func (a Agent) hold() error {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return a.exchange().Hold(trust.Holder{Instance: a.holding.instance, Host: host})
}

// keepName says from time to time that this agent is there, unless another one holds its name now.
func (a Agent) keepName(ctx context.Context) {
	a.holding.mu.Lock()
	defer a.holding.mu.Unlock()
	if !a.holding.held {
		return
	}
	holder, said, ok, err := a.exchange().Holder(ctx)
	if err == nil && (!ok || holder.Instance == a.holding.instance && time.Since(said) >= sayEvery) {
		err = a.hold()
	}
	if err != nil {
		a.log.Debug("the name of this server is not held", "error", err)
	}
}
