package trust

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"wso2agent/internal/file"
	"wso2agent/internal/remedy"
)

const (
	holderFile   = "holder.json"
	instanceFile = "instance"
)

// ErrNameTaken says that the agent of another server publishes under this server's name.
var ErrNameTaken = errors.New("another agent publishes under this server's name")

// Silence is the time after the last word of the holder of a name after which another agent may take the name. The holder
// repeats its word every sayEvery.
const (
	Silence  = 3 * time.Minute
	sayEvery = time.Minute
)

// Holder are the agents that write in a server's folder on the exchange volume: those next to one server, such as an init
// container and a sidecar. Two servers with one name would undo each other's work there without end.
type Holder struct {
	Instance string `json:"instance"` // see Instance
	Host     string `json:"host"`     // for people
}

// Instance returns the name of the agents that keep their working files in workDir. The first of them makes it up. The caller
// holds the lock of workDir.
func Instance(workDir string) (string, error) {
	path := filepath.Join(workDir, instanceFile)
	data, err := file.Read(path, 64)
	name := strings.TrimSpace(string(data))
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", remedy.Add(fmt.Errorf("read the name of this agent: %w", err), "remove the file")
	case name != "":
		return name, nil
	}
	name = rand.Text()
	_, err = file.Write(path, []byte(name+"\n"), 0o600, workDir)
	return name, err
}

// Holder returns who holds the own folder, and when it last said so. ok is false if nobody has.
func (e Exchange) Holder(ctx context.Context) (h Holder, said time.Time, ok bool, err error) {
	own, err := e.own(holderFile)
	if err != nil {
		return h, said, false, err
	}
	defer own.Close()
	data, err := file.ReadStableIn(ctx, own, holderFile, exchangeLimit, func([]byte) error { return nil })
	if errors.Is(err, fs.ErrNotExist) {
		return h, said, false, nil
	}
	if err != nil {
		return h, said, false, err
	}
	info, err := own.Stat(holderFile)
	if err != nil || json.Unmarshal(data, &h) != nil { // nobody can tell who wrote it
		return Holder{}, said, false, nil
	}
	return h, info.ModTime(), true, nil
}

// Hold records that h holds the own folder now.
func (e Exchange) Hold(h Holder) error {
	if _, err := e.writeJSON(holderFile, h); err != nil {
		return err
	}
	own, err := e.own(holderFile)
	if err != nil {
		return err
	}
	defer own.Close()
	// By this clock, which may differ from that of the volume.
	return own.Chtimes(holderFile, time.Now(), time.Now())
}

// Holding is what an agent knows of its hold on its server's name. The zero value is that of an agent that has just started.
type Holding struct {
	mu    sync.Mutex
	own   Holder    // its Instance is empty before the first Hold
	held  bool      // by this agent
	other time.Time // when the other holder last said that it holds the name, by that agent's clock
	since time.Time // when this agent first saw that
}

// Hold makes sure that no agent of another server publishes under the name of e. Otherwise the peers would trust the one and
// the other by turns. The agent that started last holds the name. The others get ErrNameTaken until it has been silent for
// Silence; silent is then the holder that this agent replaces. The caller holds the lock of workDir, which has the name of
// this agent (see Instance).
func (h *Holding) Hold(ctx context.Context, e Exchange, workDir string) (silent *Holder, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	first := h.own.Instance == ""
	if h.own.Instance, err = Instance(workDir); err != nil {
		return nil, err
	}
	holder, said, ok, err := e.Holder(ctx)
	switch {
	case err != nil:
		return nil, err
	case ok && holder.Instance == h.own.Instance && time.Since(said) < sayEvery:
		h.held = true
		return nil, nil
	case ok && holder.Instance != h.own.Instance && !first:
		h.held = false
		if !said.Equal(h.other) {
			h.other, h.since = said, time.Now()
		}
		if time.Since(h.since) < Silence {
			return nil, remedy.Add(fmt.Errorf("%w: the one on host %s has started to write in %s after this one", ErrNameTaken, holder.Host, filepath.Join(e.Dir, e.Name)),
				"set a SERVER_NAME of its own next to each server and restart its agent, or stop one of the two")
		}
		silent = &holder
	}
	if err := h.say(e); err != nil {
		return silent, err
	}
	h.held = true
	return silent, nil
}

// say records that this agent holds the name.
func (h *Holding) say(e Exchange) (err error) {
	if h.own.Host, err = os.Hostname(); err != nil {
		h.own.Host = "unknown"
	}
	return e.Hold(h.own)
}

// Keep repeats from time to time that this agent holds the name, unless another agent holds it now.
func (h *Holding) Keep(ctx context.Context, e Exchange) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.held {
		return nil
	}
	holder, said, ok, err := e.Holder(ctx)
	if err == nil && (!ok || holder.Instance == h.own.Instance && time.Since(said) >= sayEvery) {
		err = h.say(e)
	}
	return err
}
