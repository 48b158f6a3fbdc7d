package identity

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"wso2agent/internal/file"
	"wso2agent/internal/keystore"
)

// Own is the keystore that a start of the server reads, with the agent's copies of it. Somebody may replace that keystore while
// the server has to restart for something else first. That restart would present the new certificate, which peers do not trust
// yet. So the agent puts the keystore back with which the server runs, and the new one waits in its folder for the switch.
type Own struct {
	Path     string // on the config volume
	WorkDir  string // the agent's folder on the same volume
	Password string // of the keystore, by the server's settings
	Alias    string // of the key; empty for the only one
}

func (o Own) kept() string   { return filepath.Join(o.WorkDir, "keystore", filepath.Base(o.Path)) }
func (o Own) served() string { return o.kept() + ".served" }

// NextPath is the path of the keystore that waits for the switch.
func (o Own) NextPath() string { return o.kept() + ".next" }

// Copies is what the agent finds next to an own keystore.
type Copies struct {
	Served *keystore.Certificate // in the copy with which the server last served; nil if there is none that the settings open
	Fresh  bool                  // that copy needs no renewal: it is equal to the file, or the file is not one to copy
	IsBack bool                  // the file is the one that the agent has put back
	Mine   bool                  // this process may replace the file
	Next   *keystore.Certificate // of the keystore that waits for the switch; nil for none
	// NextErr says why the keystore that waits for the switch cannot be opened.
	NextErr error
}

// Read returns the copies.
func (o Own) Read() (c Copies) {
	data, dataErr := file.Read(o.Path, fileLimit)
	kept, keptErr := file.Read(o.served(), fileLimit)
	if leaf, err := o.leaf(kept); keptErr == nil && err == nil {
		c.Served = &leaf
	}
	same := dataErr == nil && keptErr == nil && bytes.Equal(data, kept)
	c.Fresh = dataErr != nil || same // one that is larger, or that somebody is replacing, is not copied
	c.IsBack = same
	if dataErr == nil && !same && c.Served != nil { // as a rule both have the same bytes, and opening one is enough
		leaf, err := o.leaf(data)
		c.IsBack = err == nil && leaf.Fingerprint() == c.Served.Fingerprint()
	}
	c.Mine = file.CheckOwner(o.Path) == nil
	next, err := file.Read(o.NextPath(), fileLimit)
	if errors.Is(err, fs.ErrNotExist) {
		return c
	}
	var leaf keystore.Certificate
	if err == nil {
		leaf, err = o.leaf(next)
	}
	if c.NextErr = err; err == nil {
		c.Next = &leaf
	}
	return c
}

func (o Own) leaf(data []byte) (leaf keystore.Certificate, err error) {
	store, err := keystore.Open(data, o.Password)
	if err != nil {
		return leaf, err
	}
	return store.Leaf(o.Alias)
}

// Keep copies the keystore with which the server serves, if its certificate is the given one. It is no error if somebody has
// replaced it meanwhile.
func (o Own) Keep(certificate keystore.Fingerprint) error {
	data, err := file.Read(o.Path, fileLimit)
	if err != nil {
		return nil
	}
	if leaf, err := o.leaf(data); err != nil || leaf.Fingerprint() != certificate {
		return nil
	}
	if err := o.write(o.served(), data); err != nil {
		return fmt.Errorf("keep a copy of the keystore with which the server runs: %w", err)
	}
	return nil
}

// PutBack puts the keystore back with which the server runs. The one in its place, which must have the given certificate,
// waits for the switch. Errors wrap file.ErrBeingWritten if somebody is replacing the keystore again.
func (o Own) PutBack(certificate keystore.Fingerprint) error {
	replaced, err := file.Read(o.Path, fileLimit)
	if err != nil {
		return fmt.Errorf("put the keystore back with which the server runs: %w", err)
	}
	if leaf, err := o.leaf(replaced); err != nil || leaf.Fingerprint() != certificate {
		return fmt.Errorf("put the keystore back with which the server runs: %s: %w", o.Path, file.ErrBeingWritten)
	}
	served, err := file.Read(o.served(), fileLimit)
	if err != nil {
		return fmt.Errorf("put the keystore back with which the server runs: %w", err)
	}
	if err := o.write(o.NextPath(), replaced); err != nil {
		return fmt.Errorf("keep the keystore that somebody has put in place: %w", err)
	}
	if _, err := file.Replace(o.Path, replaced, served, 0o600, o.WorkDir); err != nil {
		return fmt.Errorf("put the keystore back with which the server runs: %w", err)
	}
	return nil
}

// InstallNext puts the keystore in place that waits for the switch. Errors wrap file.ErrBeingWritten if the file is no longer the
// one that was put back: another one is somebody's, and must not be lost.
func (o Own) InstallNext() error {
	before, err := file.Read(o.Path, fileLimit)
	if err == nil && !o.Read().IsBack {
		err = fmt.Errorf("%s: %w: it is no longer the one that was put back", o.Path, file.ErrBeingWritten)
	}
	var next []byte
	if err == nil {
		next, err = file.Read(o.NextPath(), fileLimit)
	}
	if err == nil {
		_, err = file.Replace(o.Path, before, next, 0o600, o.WorkDir)
	}
	if err == nil {
		err = o.DropNext()
	}
	if err != nil {
		return fmt.Errorf("put the new keystore in place: %w", err)
	}
	return nil
}

// DropNext removes the keystore that waits for the switch.
func (o Own) DropNext() error {
	_, err := file.Remove(o.NextPath())
	return err
}

func (o Own) write(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	_, err := file.Write(path, data, 0o600, o.WorkDir)
	return err
}
