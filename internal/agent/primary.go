package agent

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"wso2agent/internal/file"
	"wso2agent/internal/javacert"
	"wso2agent/internal/server"
	"wso2agent/internal/trust"
)

// primaryFile remembers the certificate of the primary key, in the agent's folder.
const primaryFile = "primary"

// tellPrimary tells of a primary key that is another than before. The agent changes nothing about it: somebody has to know
// what he does, since secrets that the old one has encrypted, and tokens that it has signed, are lost to the new one.
func (a Agent) tellPrimary(ctx context.Context) error {
	text, err := a.settingsFile().Read(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	primary, err := server.ReadPrimary(a.cfg.Product, text)
	if err != nil {
		a.log.Debug("the primary keystore is not watched", "error", err)
		return nil
	}
	leaf, err := trust.OwnLeaf(ctx, a.cfg.StorePaths(primary.File), primary.Password, primary.Alias)
	if errors.Is(err, javacert.ErrRefused) { // the server does not start
		return err
	}
	if err != nil {
		a.log.Debug("the primary keystore is not watched", "error", err)
		return nil
	}
	path := filepath.Join(ControlDir(a.cfg), primaryFile)
	before, err := file.Read(path, 1024)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	now := leaf.Fingerprint().String()
	if was := strings.TrimSpace(string(before)); was != "" && was != now {
		a.log.Error("the server's PRIMARY keystore has another key than before. It signs tokens and encrypts secrets: what the old key has encrypted cannot be read any more, and tokens that it has signed are refused. Put the old one back, unless this is what you want; a certificate for TLS belongs into a keystore of its own ([keystore.tls], TLS_MODE)",
			"keystore", primary.File, "was", was, "now", now)
	}
	_, err = file.Write(path, []byte(now+"\n"), 0o600, ControlDir(a.cfg))
	return err
}
