package trust

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"wso2agent/internal/file"
	"wso2agent/internal/remedy"
)

const (
	holderFile   = "holder.json"
	instanceFile = "instance"
)

// Holder are the agents that write in a server's folder on the exchange volume: those next to one server, such as an init
// container and a sidecar. Two servers with one name would undo each other's work there without end.
type Holder struct {
	Instance string `json:"instance"` // see Instance
	Host     string `json:"host"`     // for people
}

// Instance returns the name of the agents that keep their working files in workDir. The first of them makes it up. It is to
// be called alone.
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

// Holder returns who holds the own folder, and when it has said so last; ok is false where nobody has.
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

// Hold says that h holds the own folder, and is there now.
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
