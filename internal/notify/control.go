// Package notify restarts a server and checks that it restarted. It has every way to restart one, and the supervisor behind
// `agent exec`.
//
// The package only compares the names of generations. It does not know what a generation consists of, or why a restart is due.
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
	"wso2agent/internal/remedy"
)

// Control is the folder through which a sidecar and the supervisor of its server communicate. The sidecar writes the
// generation that the server should run with. The supervisor writes the generation that the server started with. They use
// files and no signals, so both can stop and start again at any time and still find what the other one wants.
type Control struct{ Dir string }

// Started is what the supervisor reports about the current process of the server.
type Started struct {
	// Generation is empty if nobody had requested one before the start. A Reload changes it while the server runs.
	Generation string    `json:"generation"`
	PID        int       `json:"pid"`
	Since      time.Time `json:"since"`
	Starts     int       `json:"starts"` // number of starts by this supervisor, with this one
	Serves     Serves    `json:"serves,omitempty"`
	// Trusts are the SHA-256 fingerprints of the certificates in the truststore before this start: at least those of the agent's
	// entries. nil means that they are not known, as with a supervisor of an older version; an empty list means that there were
	// none.
	Trusts      []string `json:"trusts,omitzero"`
	Certificate string   `json:"certificate,omitempty"` // SHA-256 of the TLS certificate that this start presents; empty: not known
	Reloads     bool     `json:"reloads,omitempty"`     // the server loads a new TLS certificate while it runs
	Placed      *Placed  `json:"placed,omitempty"`      // the answer to the last Reload for this process; nil: none yet
	// Loading are the SHA-256 fingerprints of the certificates that were placed since all listeners were last known to serve one.
	// Any listener may serve them.
	Loading []string `json:"loading,omitempty"`
	// Process names the process if no supervisor runs the server, see Keeper; empty: a supervisor does.
	Process string `json:"process,omitempty"`
	Trouble string `json:"trouble,omitempty"` // why a restart that is due does not happen, and what to do
}

// IsProcess reports whether s is a statement about a process of the server.
func (s *Started) IsProcess() bool { return s.PID != 0 || s.Process != "" }

// Serves says whether a server answers after it has read all its files.
type Serves string

// The values of Serves. A supervisor of an older version reports none, and neither does one that does not know its product.
const (
	ServesNotSaid Serves = ""
	ServesNot     Serves = "no" // it is starting, or about to stop
	ServesNow     Serves = "yes"
)

const (
	wantedFile  = "wanted"
	startedFile = "started.json"
	noticeFile  = "told"
	presentFile = "running" // locked by a supervisor
	keptFile    = "kept"    // locked while a server runs that no supervisor restarts
)

// The most that is read of a request and of a report, in bytes. A report with a fingerprint has about 110 bytes for each.
const (
	requestLimit = 4096
	reportLimit  = 64 << 10
)

// Want requests a server that runs with the given generation.
func (c Control) Want(generation string) (changed bool, err error) {
	return c.request(generation + "\n")
}

// Hold reports that the disk has the generation onDisk, and asks the supervisor not to restart a server that runs with
// running. A server that starts meanwhile, for any reason, reads what is on disk and then needs no further restart.
func (c Control) Hold(running, onDisk string) (changed bool, err error) {
	if running == "" {
		running = nothingRequested
	}
	return c.request(running + "\n" + onDisk + "\n")
}

// nothingRequested stands for the generation of a server that started before anybody had requested one.
const nothingRequested = "-"

func (c Control) request(text string) (changed bool, err error) {
	if err := c.usable(); err != nil {
		return false, fmt.Errorf("write a request for agent exec: %w", err)
	}
	return file.Write(filepath.Join(c.Dir, wantedFile), []byte(text), 0o644, c.Dir)
}

// Note records the generation for which the log last asked people to restart the server. It is for RESTART=none; agent exec
// does not read it. changed is false if the same generation was recorded already.
func (c Control) Note(generation string) (changed bool, err error) {
	if err := c.usable(); err != nil {
		return false, err
	}
	return file.Write(filepath.Join(c.Dir, noticeFile), []byte(generation+"\n"), 0o644, c.Dir)
}

// Wanted returns the generation that was requested last, empty if none was.
func (c Control) Wanted() (string, error) {
	wanted, _, err := c.Wish()
	return wanted, err
}

// Reads returns the generation that a start of the server would read now, according to the last request; empty if there is
// none.
func (c Control) Reads() (string, error) {
	_, onDisk, err := c.Wish()
	return onDisk, err
}

// Due reports whether the supervisor must restart a server that started as reported.
func (c Control) Due(started Started) (bool, error) {
	_, due, err := c.due(started)
	return due, err
}

// due is Due and also returns the generation that the server should run with. What holds a restart back never causes one: the server
// may have started once more while the agent decided, and the agent then decides anew.
func (c Control) due(started Started) (wanted string, due bool, err error) {
	wanted, onDisk, err := c.Wish()
	return wanted, err == nil && wanted != "" && wanted == onDisk && wanted != started.Generation, err
}

// Present reports whether a server runs or is about to start, as a supervisor or a Keeper knows.
func (c Control) Present() (bool, error) {
	if present, err := c.supervised(); err != nil || present {
		return present, err
	}
	return file.Locked(filepath.Join(c.Dir, keptFile))
}

// supervised reports whether a supervisor runs.
func (c Control) supervised() (bool, error) { return file.Locked(filepath.Join(c.Dir, presentFile)) }

// Beside returns what the server started with that runs or is about to start; nil if there is none. If told is false, no agent
// tells the supervisor what a start reads, and the answer is the zero value.
func (c Control) Beside(told bool) (*Started, error) {
	present, err := c.Present()
	if err != nil || !present {
		return nil, err
	}
	if !told {
		return &Started{}, nil
	}
	started, _, err := c.Started()
	return &started, err
}

// enter makes this supervisor present until leave is called or the process ends. ok is false while another one is present.
func (c Control) enter() (leave func(), ok bool, err error) { return c.hold(presentFile) }

// keep makes a server present that something else than a supervisor restarts, as enter does. Whoever sees that it runs may call it.
func (c Control) keep() (leave func(), ok bool, err error) { return c.hold(keptFile) }

func (c Control) hold(name string) (leave func(), ok bool, err error) {
	if err := c.usable(); err != nil {
		return nil, false, err
	}
	return file.TryLock(filepath.Join(c.Dir, name))
}

// Wish returns the generation that the server should run with, and the one that a start would read now. They differ while
// a restart is held.
func (c Control) Wish() (running, onDisk string, err error) {
	data, err := file.Read(filepath.Join(c.Dir, wantedFile), requestLimit)
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
	if lines[0] == nothingRequested {
		lines[0] = ""
	}
	return lines[0], lines[1], err
}

// Started returns what the supervisor reported last. ok is false if no supervisor has reported anything.
func (c Control) Started() (s Started, ok bool, err error) {
	path := filepath.Join(c.Dir, startedFile)
	s, ok, err = file.LoadJSON[Started](path, reportLimit)
	if err != nil {
		return Started{}, false, remedy.Add(fmt.Errorf("read the state of the server that agent exec reported: %w", err),
			"remove %s and restart the server", path)
	}
	return s, ok, nil
}

// usable returns an error while the agent must not write to the config volume, because it is missing or still empty. The
// products' entrypoints copy <volume>/* and stop the container if there is only a dot folder.
func (c Control) usable() error {
	volume := filepath.Dir(c.Dir)
	entries, err := os.ReadDir(volume)
	if err != nil {
		return remedy.Add(err, "mount the config volume there and in the server's container, or set CONFIG_DIR")
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			return nil
		}
	}
	return remedy.Add(fmt.Errorf("the config volume %s is empty", volume), "put the server's stores there")
}

// report writes s for the sidecar.
func (c Control) report(s Started) error {
	if err := c.usable(); err != nil {
		return fmt.Errorf("report the state of the server: %w", err)
	}
	_, err := file.SaveJSON(filepath.Join(c.Dir, startedFile), s, 0o644, c.Dir)
	return err
}
