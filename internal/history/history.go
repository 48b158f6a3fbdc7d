// Package history keeps the audit trail of an agent: who was trusted, which certificate the server switched to, and when it restarted,
// with the reasons. The trail is a file of JSON lines on the config volume. It is only appended to.
package history

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"wso2agent/internal/file"
	"wso2agent/internal/remedy"
)

// Event is one line of the trail. It has no secrets.
type Event struct {
	Number      int       `json:"number,omitempty"` // counted from 1, also over both files
	At          time.Time `json:"at"`
	Server      string    `json:"server"`
	What        What      `json:"what"`
	Alias       string    `json:"alias,omitempty"`
	Peer        string    `json:"peer,omitempty"`
	Fingerprint string    `json:"fingerprint,omitempty"` // SHA-256 of the certificate that it is about
	Was         string    `json:"was,omitempty"`         // SHA-256 of the certificate before
	Generation  string    `json:"generation,omitempty"`
	Because     string    `json:"because,omitempty"`
	// Certificate is the one that left the truststore, for a way back: its DER in base64. Events of other kinds have none.
	Certificate string `json:"certificate,omitempty"`
}

// What is the kind of an event.
type What string

// The kinds of events.
const (
	Trusted   What = "trusted"           // a certificate came into the truststore
	Replaced  What = "replaced"          // another certificate has its alias
	Removed   What = "no longer trusted" // a certificate left the truststore
	Undone    What = "undone"            // a person has put an alias back to what it was
	Refused   What = "refused"           // a certificate is not imported, because the server did not start with it
	Issued    What = "issued"            // the agent has made a certificate
	Dropped   What = "dropped"           // the agent has thrown a certificate away that was made in advance
	Chosen    What = "chosen"            // a certificate that was made in advance is the next one
	Announced What = "published"         // peers are told of a certificate
	Switched  What = "switched"          // the next start of the server presents another certificate
	Loads     What = "loads"             // the running server loads another certificate
	Settings  What = "settings"          // the agent has made needed settings in deployment.toml
	Requested What = "restart requested" // agent exec is asked for it, or the log of RESTART=none asks a person
	Answered  What = "restart answered"  // a person has approved or denied a restart
	Runs      What = "runs"              // the running server serves with what is on disk
	PutBack   What = "keystore put back" // somebody's new keystore waits for the switch
	Primary   What = "primary key"       // the server's primary key is another one
)

// Names of the files in the agent's folder, and how large one grows. The older half of the trail goes when the newer one is full.
const (
	fileName = "history.jsonl"
	oldName  = "history.old.jsonl"
	maxSize  = 1 << 20
)

// Trail is the trail in a folder on the config volume.
type Trail struct{ Dir string }

// Append adds events, and gives them their numbers. It is for one writer at a time: the holder of the agent's lock.
func (t Trail) Append(events ...Event) error {
	if len(events) == 0 {
		return nil
	}
	if err := t.append(events); err != nil {
		return fmt.Errorf("write the history: %w", err)
	}
	return nil
}

func (t Trail) append(events []Event) error {
	path := filepath.Join(t.Dir, fileName)
	number, torn, size, err := t.last()
	if err != nil {
		return err
	}
	var lines bytes.Buffer
	if torn {
		lines.WriteByte('\n')
	}
	for _, e := range events {
		number++
		e.Number = number
		line, err := json.Marshal(e)
		if err != nil {
			return err
		}
		lines.Write(append(line, '\n'))
	}
	if size+int64(lines.Len()) > maxSize {
		if err := os.Rename(path, filepath.Join(t.Dir, oldName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	f, err := open(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND)
	if err != nil {
		return err
	}
	_, err = f.Write(lines.Bytes())
	return errors.Join(err, f.Sync(), f.Close())
}

// open opens a file of the trail, and refuses what is no regular file. The server has the user of the agent and shares the config volume. By
// a symbolic link, it could have the agent write into a file with secrets, or show one.
func open(path string, flag int) (*os.File, error) {
	f, err := os.OpenFile(path, flag|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o644) // an open of a named pipe could block
	if err == nil {
		info, err := f.Stat()
		if err == nil && info.Mode().IsRegular() {
			return f, nil
		}
		f.Close()
		if err != nil {
			return nil, err
		}
	} else if !errors.Is(err, syscall.ELOOP) && !errors.Is(err, syscall.ENXIO) { // a symbolic link, and a pipe without a reader
		return nil, err
	}
	return nil, remedy.Add(fmt.Errorf("%s is not a regular file", path), "remove it, and find out who has made it")
}

// tail is how much of the end of the trail last reads. An event has some 400 bytes, and up to 66,000 with a certificate, because a
// server publishes no more than 64 KiB.
const tail = 128 << 10

// last returns the number of the last event, 0 if there is none. torn says that a killed agent has not written the last line whole.
func (t Trail) last() (number int, torn bool, size int64, err error) {
	for _, name := range []string{fileName, oldName} {
		f, err := open(filepath.Join(t.Dir, name), os.O_RDONLY)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return 0, false, 0, err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return 0, false, 0, err
		}
		if name == fileName {
			size = info.Size()
		}
		data, err := io.ReadAll(io.NewSectionReader(f, max(0, info.Size()-tail), tail))
		if err != nil {
			return 0, false, 0, err
		}
		if name == fileName {
			torn = len(data) > 0 && data[len(data)-1] != '\n'
		}
		if events := parse(data); len(events) > 0 {
			return events[len(events)-1].Number, torn, size, nil
		}
	}
	return 0, torn, size, nil
}

// parse returns the events of lines, without those that are not whole.
func parse(data []byte) (events []Event) {
	for line := range bytes.Lines(data) {
		var e Event
		if json.Unmarshal(line, &e) == nil && e.Number > 0 {
			events = append(events, e)
		}
	}
	return events
}

// Read returns all events that are left, the oldest first. A line that a killed agent has not written whole is left out.
func (t Trail) Read() (events []Event, err error) {
	for _, name := range []string{oldName, fileName} {
		data, err := read(filepath.Join(t.Dir, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("read the history: %w", err)
		}
		events = append(events, parse(data)...)
	}
	return events, nil
}

func read(path string) ([]byte, error) {
	f, err := open(path, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, 2*maxSize+1))
	if len(data) > 2*maxSize {
		return nil, fmt.Errorf("read %s: %w: more than %d bytes", path, file.ErrTooLarge, 2*maxSize)
	}
	return data, err
}
