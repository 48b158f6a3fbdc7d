package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"wso2agent/internal/file"
	"wso2agent/internal/keystore"
	"wso2agent/internal/trust"
)

// loadIdentity is nil where there is none, or where it cannot be read, and nobody is just writing it: another takes its place.
func (a Agent) loadIdentity(ctx context.Context, path, password string, level slog.Level) (*trust.Identity, error) {
	var loaded trust.Identity
	var bad error
	_, err := file.ReadStable(ctx, path, 1<<20, func(data []byte) error {
		loaded, bad = trust.LoadIdentity(data, password, tlsAlias)
		return bad
	})
	switch {
	case err == nil:
		return &loaded, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case bad == nil || ctx.Err() != nil:
		return nil, err
	}
	a.log.Log(ctx, level, "a keystore of the agent's cannot be read, and another takes its place", "file", path, "error", err)
	return nil, nil
}

// hasPublished tells whether peers were told of an identity: what they trust, or are about to, is no surprise.
func (a Agent) hasPublished(ctx context.Context, i *trust.Identity) bool {
	certs, err := a.exchange().Certificates(ctx, a.cfg.ServerName)
	return i != nil && err == nil && slices.ContainsFunc(certs, func(c keystore.Certificate) bool { return c.Fingerprint() == i.Leaf().Fingerprint() })
}

// install makes the identity that waits the server's: every start of the server presents it as soon as the settings name its
// keystore, which the next pass sees to.
func (a Agent) install(i identity) error {
	if i.named && i.installed == nil {
		if err := a.keepUnreadable(); err != nil {
			return err
		}
	}
	return a.writeIdentity(a.cfg.TLSStorePath(), *i.staged, i.password)
}

// keepUnreadable puts aside what lies at the TLS keystore's place and cannot be read: it may be somebody's, with another
// password.
func (a Agent) keepUnreadable() error {
	data, err := file.Read(a.cfg.TLSStorePath(), 1<<20)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	path := filepath.Join(ControlDir(a.cfg), "identity", "unreadable.p12")
	if _, err := file.Write(path, data, 0o600, ControlDir(a.cfg)); err != nil {
		return fmt.Errorf("put a keystore aside that cannot be read: %w", err)
	}
	a.log.Warn("the keystore that could not be read is put aside", "file", path)
	return nil
}

// writeIdentity writes a keystore, unless it holds the identity already: its encryption differs each time.
func (a Agent) writeIdentity(path string, i trust.Identity, password string) error {
	if before, err := file.Read(path, 1<<20); err == nil {
		if had, err := trust.LoadIdentity(before, password, tlsAlias); err == nil && sameChain(had, i) {
			return nil
		}
	}
	data, err := i.Encode(keystore.PKCS12, tlsAlias, password)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if _, err := file.Write(path, data, 0o600, ControlDir(a.cfg)); err != nil {
		return fmt.Errorf("write the TLS keystore: %w", err)
	}
	return nil
}

func removeIfThere(path string) error {
	_, err := file.Remove(path)
	return err
}
