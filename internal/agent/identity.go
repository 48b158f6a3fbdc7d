package agent

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/file"
	"wso2agent/internal/keystore"
	"wso2agent/internal/server"
	"wso2agent/internal/trust"
)

// The server's TLS identity lies in a keystore of its own beside the primary one, which signs tokens and encrypts secrets.
// A new one waits in the agent's folder, where the server's entrypoint does not copy it from, until the switch.
const (
	tlsAlias   = "tls"
	stagedFile = "identity/next.p12"
	rotateFile = "rotate" // somebody asks for a new identity
)

// RequestRotation asks the agent beside the server for a new TLS identity.
func RequestRotation(ctx context.Context, cfg config.Config) error {
	if cfg.TLSMode != "issue" {
		return fmt.Errorf("TLS_MODE is %s: the agent only makes a new certificate where it made the one before, with TLS_MODE=issue", cfg.TLSMode)
	}
	dir := ControlDir(cfg)
	if _, err := os.Stat(cfg.TLSStorePath()); err != nil {
		return fmt.Errorf("ask for a new certificate: there is none yet: %w; run agent init first, or look at CONFIG_DIR", err)
	}
	text, err := server.SettingsFile{Path: cfg.DeploymentTOML()}.Read(ctx)
	if err != nil {
		return fmt.Errorf("ask for a new certificate: %w", err)
	}
	if _, named, err := tlsPassword(cfg, text); err != nil || !named {
		return errors.Join(fmt.Errorf("ask for a new certificate: [keystore.tls] in %s does not name %s: TLS_MODE has no effect on this server; with SETTINGS=override the agent names it there",
			cfg.DeploymentTOML(), config.TLSStoreFile), err)
	}
	_, err = file.Write(filepath.Join(dir, rotateFile), []byte(time.Now().UTC().Format(time.RFC3339Nano)+"\n"), 0o600, dir)
	return err
}

// Restarts are the servers that restart for a new certificate of the agent's, in this order: the peers, which have to trust it,
// and then the own server. Peers that trust the CA that will sign it, by what this server has published, do not.
func Restarts(ctx context.Context, cfg config.Config) (names []string, err error) {
	a := Agent{cfg: cfg}
	if cfg.Trust == "ca" && cfg.TLSCACertFile != "" {
		certs, err := a.exchange().Certificates(ctx, cfg.ServerName)
		if err != nil {
			return nil, err
		}
		published, ok, err := a.exchange().CA(ctx, cfg.ServerName, certs[0])
		if err != nil {
			return nil, err
		}
		data, err := file.Read(cfg.TLSCACertFile, 1<<20)
		if err != nil {
			return nil, fmt.Errorf("read the CA of TLS_CA_CERT_FILE: %w", err)
		}
		if block, _ := pem.Decode(data); ok && block != nil && bytes.Equal(block.Bytes, published.DER) {
			return []string{cfg.ServerName}, nil
		}
	}
	return append(slices.Clone(cfg.Peers), cfg.ServerName), nil
}

// identity is the TLS identity of TLS_MODE: what is installed, and what waits for the switch.
type identity struct {
	installed, staged *trust.Identity
	password          string
	named             bool     // by the server's settings: whatever is at its place is what a start presents
	refused           string   // why TLS_MODE has no effect on this server
	missing           []string // names that the files' certificate lacks
	trouble           error    // why there is no new one, though one is due; the server goes on with what is installed
}

// identity brings what waits for the switch up to date: a certificate that is due is issued, files that have changed are
// turned into a keystore. It installs nothing. Beside a server that is running what cannot be had waits.
func (a Agent) identity(ctx context.Context, running bool) (i identity, err error) {
	if a.cfg.TLSMode == "none" {
		return i, nil
	}
	text, err := a.settingsFile().Read(ctx)
	if err != nil {
		return i, err
	}
	if i.password, i.named, err = tlsPassword(a.cfg, text); err != nil {
		return i, err
	}
	if i.refused, err = a.tlsRefused(ctx, i.named, i.password); err != nil {
		return i, err
	}
	if i.refused != "" {
		return i, removeIfThere(a.stagedPath())
	}
	level := slog.LevelWarn
	if !i.named { // nobody reads it
		level = slog.LevelDebug
	}
	if i.installed, err = a.loadIdentity(ctx, a.cfg.TLSStorePath(), i.password, level); err != nil {
		return i, err
	}
	if i.staged, err = a.loadIdentity(ctx, a.stagedPath(), i.password, slog.LevelWarn); err != nil {
		return i, err
	}
	// One that peers were not told of has been left there by an earlier TLS_MODE: no server presents it.
	if !i.named && !same(i.installed, i.staged) && !a.hasPublished(ctx, i.installed) {
		i.installed = nil
	}
	if same(i.installed, i.staged) {
		i.staged = nil
	}
	var next *trust.Identity
	if a.cfg.TLSMode == "files" {
		next, err = a.filesIdentity(ctx)
		if err == nil {
			i.missing = next.Missing([]string{a.cfg.ServerName})
		}
	} else {
		next, err = a.issuedIdentity(i)
	}
	if err != nil && (i.installed != nil || running && !i.named) && ctx.Err() == nil {
		i.trouble = err
		return i, nil
	}
	if err != nil {
		return i, err
	}
	return i, a.stage(&i, next)
}

// String says how it stands with TLS_MODE.
func (i identity) String() string {
	switch {
	case i.trouble != nil:
		return i.trouble.Error()
	case i.refused != "":
		return "TLS_MODE has no effect on this server: " + i.refused
	}
	return "the server's certificate is as TLS_MODE says"
}

// tellIdentity tells of what keeps TLS_MODE from its work.
func (a Agent) tellIdentity(i identity) {
	if i.refused != "" {
		a.log.Warn("TLS_MODE has no effect on this server", "TLS_MODE", a.cfg.TLSMode, "because", i.refused)
	}
	if len(i.missing) > 0 {
		a.log.Warn("the certificate lacks the server's name: peers that verify it will refuse it", "missing", i.missing, "folder", a.cfg.TLSFilesDir)
	}
	if i.trouble != nil {
		a.log.Error("the server keeps the TLS certificate that it has", "error", i.trouble)
	}
}

func (a Agent) stagedPath() string { return filepath.Join(ControlDir(a.cfg), stagedFile) }

// issuedIdentity is the identity that the server should have: the one that waits, the one that it has, or a new one.
func (a Agent) issuedIdentity(i identity) (*trust.Identity, error) {
	o := trust.Issuing{Key: trust.KeyKind(a.cfg.TLSKey), Validity: a.cfg.TLSValidity, Now: time.Now()}
	var err error
	if a.cfg.TLSCACertFile != "" {
		if o.CACert, err = file.Read(a.cfg.TLSCACertFile, 1<<20); err != nil {
			return nil, fmt.Errorf("read the CA of TLS_CA_CERT_FILE: %w", err)
		}
		if o.CAKey, err = file.Read(a.cfg.TLSCAKeyFile, 1<<20); err != nil {
			return nil, fmt.Errorf("read the CA's key of TLS_CA_KEY_FILE: %w", err)
		}
	}
	names := append([]string{a.cfg.ServerName}, a.cfg.TLSNames...)
	request := filepath.Join(ControlDir(a.cfg), rotateFile)
	_, asked := os.Stat(request)
	if i.staged != nil && asked != nil {
		if reason, err := i.staged.Stale(names, o, a.cfg.TLSRenewBefore); err != nil || reason == "" {
			return i.staged, err
		}
	}
	reason := "somebody asked for another"
	switch {
	case i.installed == nil:
		reason = "there is none yet"
	case asked != nil:
		if reason, err = i.installed.Stale(names, o, a.cfg.TLSRenewBefore); err != nil || reason == "" {
			return i.installed, err
		}
		reason = "the one before " + reason
	}
	next, err := trust.Issue(names, o)
	if err != nil {
		return nil, err
	}
	a.log.Info("a TLS certificate is issued", "server", a.cfg.ServerName, "because", reason, "names", next.Certificate().DNSNames,
		"until", next.Certificate().NotAfter.Format(time.RFC3339), "fingerprint", next.Leaf().Fingerprint().String())
	return &next, nil
}

// filesIdentity is the identity in TLS_FILES_DIR. Its three files are written one after the other, or by a swap of their
// folder: a pair that does not fit is read again.
func (a Agent) filesIdentity(ctx context.Context) (*trust.Identity, error) {
	for try := 0; ; try++ {
		i, err := readPEMFiles(a.cfg.TLSFilesDir)
		switch {
		case err == nil:
			return &i, nil
		case errors.Is(err, fs.ErrPermission):
			return nil, fmt.Errorf("read the TLS certificate of TLS_FILES_DIR (%s): %w; the agent runs as %d:%d, which has to be the file's owner or to have leave to read it",
				a.cfg.TLSFilesDir, err, os.Geteuid(), os.Getegid())
		case !errors.Is(err, trust.ErrBeingWritten) || try == 5:
			return nil, fmt.Errorf("read the TLS certificate of TLS_FILES_DIR (%s): %w", a.cfg.TLSFilesDir, err)
		}
		if !sleep(ctx, a.cfg.QuietMin) {
			return nil, ctx.Err()
		}
	}
}

func readPEMFiles(dir string) (trust.Identity, error) {
	var data [3][]byte
	for i, name := range []string{trust.TLSCertFile, trust.TLSKeyFile, trust.TLSCAFile} {
		content, err := file.Read(filepath.Join(dir, name), 1<<20)
		if err != nil && !(name == trust.TLSCAFile && errors.Is(err, fs.ErrNotExist)) {
			return trust.Identity{}, err
		}
		data[i] = content
	}
	// The CA of the next version beside a certificate of the last would leave the chain without its issuer, for good.
	if again, err := file.Read(filepath.Join(dir, trust.TLSCertFile), 1<<20); err != nil || !bytes.Equal(again, data[0]) {
		return trust.Identity{}, fmt.Errorf("%s has changed while it was read (%w)", trust.TLSCertFile, trust.ErrBeingWritten)
	}
	return trust.FromPEM(data[0], data[1], data[2])
}

// stage makes next the identity that waits for the switch, unless it is installed already. A copy of one that is stays until
// the server's settings name the keystore.
func (a Agent) stage(i *identity, next *trust.Identity) error {
	if same(i.installed, next) {
		i.staged = nil
		return a.completeChain(i, next)
	}
	i.staged = next
	if err := a.writeIdentity(a.stagedPath(), *next, i.password); err != nil {
		return err
	}
	return removeIfThere(filepath.Join(ControlDir(a.cfg), rotateFile))
}

// completeChain makes the chain behind the installed certificate that of next: an issuer that was forgotten has come, in tls.crt
// or as ca.crt. The certificate and its key are the same, so that nobody has to trust anything first.
func (a Agent) completeChain(i *identity, next *trust.Identity) error {
	if sameChain(*i.installed, *next) {
		return nil
	}
	if err := a.writeIdentity(a.cfg.TLSStorePath(), *next, i.password); err != nil {
		return err
	}
	i.installed = next
	a.log.Info("the certificate has another chain of issuers now, which the server presents from its next start on", "server", a.cfg.ServerName, "issuers", len(next.Chain)-1)
	return nil
}

func sameChain(a, b trust.Identity) bool {
	return slices.EqualFunc(a.Chain, b.Chain, func(a, b keystore.Certificate) bool { return a.Fingerprint() == b.Fingerprint() })
}

func same(a, b *trust.Identity) bool {
	return a != nil && b != nil && a.Leaf().Fingerprint() == b.Leaf().Fingerprint()
}
