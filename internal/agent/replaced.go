package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"wso2agent/internal/file"
	"wso2agent/internal/keystore"
	"wso2agent/internal/notify"
	"wso2agent/internal/trust"
)

// Somebody may replace the server's own keystore while the server has to restart for something else first. That restart would
// present the new certificate, which peers do not trust yet. So the agent puts the keystore back with which the server runs,
// of which it has a copy, and the new one waits in the agent's folder for the switch.

// keystoreLimit is the most that an own keystore may hold to be kept, in bytes.
const keystoreLimit = 1 << 20

// ownKeystore is the file that a start reads, on the config volume; empty where it lies elsewhere. served is the agent's copy
// of it as the running server has read it, next the one that waits in its place. a has the stores that the settings name.
func (a Agent) ownKeystore() (path, served, next string) {
	path = a.cfg.KeystorePaths()[0]
	if _, err := os.Stat(path); err != nil || !strings.HasPrefix(path, filepath.Clean(a.cfg.ConfigDir)+string(filepath.Separator)) {
		return "", "", ""
	}
	kept := filepath.Join(ControlDir(a.cfg), "keystore", filepath.Base(path))
	return path, kept + ".served", kept + ".next"
}

// leafIn is the certificate in a keystore that the server's settings open.
func (a Agent) leafIn(data []byte) (leaf keystore.Certificate, err error) {
	store, err := keystore.Open(data, a.cfg.KeystorePass)
	if err != nil {
		return leaf, err
	}
	return store.Leaf(a.cfg.KeystoreAlias)
}

func (a Agent) leafOf(path string) (leaf keystore.Certificate, data []byte, err error) {
	if data, err = file.Read(path, keystoreLimit); err == nil {
		leaf, err = a.leafIn(data)
	}
	return leaf, data, err
}

// keepServed keeps a copy of the keystore with which the server serves.
func (a Agent) keepServed(ctx context.Context, own keystore.Certificate) error {
	a, err := a.withStores(ctx)
	if err != nil {
		return err
	}
	path, served, _ := a.ownKeystore()
	if path == "" || len(a.cfg.Peers) == 0 {
		return nil
	}
	data, err := file.Read(path, keystoreLimit)
	if err != nil {
		return nil // one that is larger, or that somebody is replacing, is not kept
	}
	if kept, err := file.Read(served, keystoreLimit); err == nil && bytes.Equal(kept, data) {
		return nil
	}
	if leaf, err := a.leafIn(data); err != nil || leaf.Fingerprint() != own.Fingerprint() {
		return nil // somebody is replacing it
	}
	if err := a.writeKept(served, data); err != nil {
		return fmt.Errorf("keep a copy of the keystore with which the server runs: %w", err)
	}
	return nil
}

// putBack puts the keystore back with which the server runs. The one in its place waits for the switch. put is false where
// that cannot be: there is no copy, the settings do not open it any more, or the file is not the agent's to write.
func (a Agent) putBack(ctx context.Context, v view, started notify.Started) (put bool, err error) {
	if a, err = a.withStores(ctx); err != nil {
		return false, err
	}
	path, served, next := a.ownKeystore()
	if path == "" || file.CheckOwner(path) != nil {
		return false, nil
	}
	old, data, err := a.leafOf(served)
	if err != nil || !trust.RunsWith(started.Generation, old) {
		return false, nil
	}
	new, replaced, err := a.leafOf(path)
	if err != nil || new.Fingerprint() != v.own.Fingerprint() {
		return false, nil // somebody is replacing it again: the next pass sees it
	}
	if err := a.writeKept(next, replaced); err != nil {
		return false, fmt.Errorf("keep the keystore that somebody has put in place: %w", err)
	}
	if _, err := file.Replace(path, replaced, data, 0o600, ControlDir(a.cfg)); err != nil {
		return false, fmt.Errorf("put the keystore back with which the server runs: %w", err)
	}
	a.log.Info("the server must restart before its peers trust its new keystore: the old keystore is back in place until they do, and the new one follows by itself",
		"server", a.cfg.ServerName, "keystore", path, "new one", next, "fingerprint", new.Fingerprint().String())
	return true, nil
}

// replaced is the certificate of the keystore that waits for the switch; nil where none does.
func (a Agent) replaced(ctx context.Context) (*keystore.Certificate, error) {
	path, served, next := a.ownKeystore()
	if path == "" {
		return nil, nil
	}
	waits, _, err := a.leafOf(next)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		a.log.Warn("the keystore that waits for the switch cannot be opened with the server's settings; put the right one in place again", "file", next, "keystore", path, "error", err)
		return nil, nil
	}
	own, err := trust.OwnLeaf(ctx, a.cfg.KeystorePaths(), a.cfg.KeystorePass, a.cfg.KeystoreAlias)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		if _, ok := a.putBackIn(path, served); !ok { // somebody is replacing it, or has put another one in place
			return nil, nil
		}
		return nil, a.installReplaced(ctx) // the settings are for the one that waits
	}
	if own.Fingerprint() == waits.Fingerprint() {
		return nil, removeIfThere(next)
	}
	if old, _, err := a.leafOf(served); err == nil && old.Fingerprint() == own.Fingerprint() {
		return &waits, nil
	}
	a.log.Info("somebody has put another keystore in place, which takes the place of the one that waits for the switch", "keystore", path, "fingerprint", own.Fingerprint().String(), "instead of", waits.Fingerprint().String())
	return nil, removeIfThere(next)
}

// putBackIn returns what is at path, and whether that is the keystore that was put back: another one is somebody's, and must
// not be lost.
func (a Agent) putBackIn(path, served string) (data []byte, ok bool) {
	data, err := file.Read(path, keystoreLimit)
	if err != nil {
		return nil, false
	}
	old, kept, err := a.leafOf(served)
	if kept != nil && bytes.Equal(kept, data) {
		return data, true
	}
	leaf, leafErr := a.leafIn(data)
	return data, err == nil && leafErr == nil && leaf.Fingerprint() == old.Fingerprint()
}

// installReplaced puts the keystore in place that waits for the switch.
func (a Agent) installReplaced(ctx context.Context) error {
	a, err := a.withStores(ctx)
	if err != nil {
		return err
	}
	path, served, next := a.ownKeystore()
	before, ok := a.putBackIn(path, served)
	if !ok {
		return fmt.Errorf("put the new keystore in place: %s: %w: it is no longer the one that was put back", path, file.ErrBeingWritten)
	}
	data, err := file.Read(next, keystoreLimit)
	if err == nil {
		_, err = file.Replace(path, before, data, 0o600, ControlDir(a.cfg))
	}
	if err != nil {
		return fmt.Errorf("put the new keystore in place: %w", err)
	}
	return removeIfThere(next)
}

func (a Agent) writeKept(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	_, err := file.Write(path, data, 0o600, ControlDir(a.cfg))
	return err
}
