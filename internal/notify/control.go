// Package notify makes a server restart and sees that it did. It holds the ways to restart one, and the supervisor
// behind `agent exec`.
//
// What a generation is made of, and so why a restart is due, it does not know: it compares names.
package notify

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"wso2agent/internal/file"
)

// Control is the folder through which a sidecar and the supervisor of its server talk: the sidecar writes the
// generation that the server should run with, the supervisor what it started with. Files and no signals: both sides
// can die and come back at any point, and find what the other wants.
type Control struct{ Dir string }

// Started is what the supervisor says of the server's current process.
type Started struct {
	Generation string    `json:"generation"` // empty when none was asked for at that start
	PID        int       `json:"pid"`
	Since      time.Time `json:"since"`
	Starts     int       `json:"starts"` // by this supervisor, this one included
	Serves     Serves    `json:"serves,omitempty"`
}

// Serves is whether a server answers, with all that it has read at its start.
type Serves string

// What a supervisor can say of it. An older one says nothing, as does one that does not know which product it runs.
const (
	ServesNotSaid Serves = ""
	ServesNot     Serves = "no" // it is starting, or about to stop
	ServesNow     Serves = "yes"
)

const (
	wantedFile  = "wanted"
	startedFile = "started.json"
	toldFile    = "told"
	presentFile = "running"
	fileLimit   = 4096
)

// Want asks for a server that runs with the given generation.
func (c Control) Want(generation string) (changed bool, err error) {
	return c.wish(generation + "\n")
}

// Hold says that the disk has a generation for which the server is not to be restarted yet: one that runs with running
// goes on. A server that starts meanwhile, for whatever reason, reads what is on disk, and nothing has to follow then.
func (c Control) Hold(running, onDisk string) (changed bool, err error) {
	if running == "" {
		running = nothingAsked
	}
	return c.wish(running + "\n" + onDisk + "\n")
}

// nothingAsked stands for the generation of a server that started before anybody had asked for one.
const nothingAsked = "-"

func (c Control) wish(text string) (changed bool, err error) {
	if err := c.usable(); err != nil {
		return false, fmt.Errorf("tell agent exec: %w", err)
	}
	return file.Write(filepath.Join(c.Dir, wantedFile), []byte(text), 0o644, c.Dir)
}

// Note remembers for which generation people were told to restart the server, where that is left to them. agent exec does
// not look at it.
func (c Control) Note(generation string) (changed bool, err error) {
	if err := c.usable(); err != nil {
		return false, err
	}
	return file.Write(filepath.Join(c.Dir, toldFile), []byte(generation+"\n"), 0o644, c.Dir)
}

// Wanted returns the generation that was last asked for, empty if none was.
func (c Control) Wanted() (string, error) {
	wanted, _, err := c.wanted()
	return wanted, err
}

// Reads returns the generation that a start of the server reads now, as far as anybody has said; empty if nobody has.
func (c Control) Reads() (string, error) {
	_, onDisk, err := c.wanted()
	return onDisk, err
}

// Due reports whether the supervisor is to restart a server that has started so.
func (c Control) Due(started Started) (bool, error) {
	_, due, err := c.due(started)
	return due, err
}

// due is Due, and returns the generation that the server is to run with, too.
func (c Control) due(started Started) (wanted string, due bool, err error) {
	wanted, onDisk, err := c.wanted()
	return wanted, err == nil && wanted != "" && wanted != started.Generation && onDisk != started.Generation, err
}

// Present tells whether a supervisor is there, and so a server that runs or is about to.
func (c Control) Present() (bool, error) { return file.Locked(filepath.Join(c.Dir, presentFile)) }

// enter makes the supervisor present until leave is called, or its process ends; ok is false while another one is there.
func (c Control) enter() (leave func(), ok bool, err error) {
	if err := c.usable(); err != nil {
		return nil, false, err
	}
	return file.TryLock(filepath.Join(c.Dir, presentFile))
}

// Wish returns the generation that the server is to run with, and the one that a start reads now, as agents have said. They differ
// while a restart is held.
func (c Control) Wish() (running, onDisk string, err error) { return c.wanted() }

// wanted is Wish.
func (c Control) wanted() (running, onDisk string, err error) {
	data, err := file.Read(filepath.Join(c.Dir, wantedFile), fileLimit)
	if errors.Is(err, fs.ErrNotExist) {
		return "", "", nil
	}
	lines := strings.Fields(string(data))
	switch len(lines) {
	case 0:
		return "", "", err
	case 1:
		return lines[0], lines[0], err
	}
	if lines[0] == nothingAsked {
		lines[0] = ""
	}
	return lines[0], lines[1], err
}

// Started returns what the supervisor has said last; ok is false if no supervisor has said anything.
func (c Control) Started() (s Started, ok bool, err error) {
	path := filepath.Join(c.Dir, startedFile)
	s, ok, err = file.LoadJSON[Started](path, fileLimit)
	if err != nil {
		return Started{}, false, fmt.Errorf("read what agent exec says of the server, %s: %w; remove the file, and restart the server", path, err)
	}
	return s, ok, nil
}

// usable returns an error while nothing may be written to the config volume: it is not there, or has nothing in it yet.
// The products' entrypoints copy <volume>/* and end the container when only a dot folder is there.
func (c Control) usable() error {
	volume := filepath.Dir(c.Dir)
	entries, err := os.ReadDir(volume)
	if err != nil {
		return fmt.Errorf("%w; mount the config volume there, in the server's container too, or set CONFIG_DIR", err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			return nil
		}
	}
	return fmt.Errorf("the config volume %s is empty; put the server's stores there", volume)
}

// tell writes what the supervisor has to say.
func (c Control) tell(s Started) error {
	if err := c.usable(); err != nil {
		return fmt.Errorf("tell the sidecar: %w", err)
	}
	_, err := file.SaveJSON(filepath.Join(c.Dir, startedFile), s, 0o644, c.Dir)
	return err
}
