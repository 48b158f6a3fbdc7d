package up

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/deployment"
	"wso2agent/internal/file"
	"wso2agent/internal/keystore"
	"wso2agent/internal/remedy"
	"wso2agent/internal/trust"
)

// storeLimit is the largest size of a store, and of a deployment.toml, in bytes.
const storeLimit = 16 << 20

// home is a server in a folder of this machine.
type home struct {
	target   Target
	dir      string
	cfg      config.Config // for the product
	restarts bool          // with the start script; otherwise a person restarts the server
	say      func(format string, args ...any)
}

func (h *home) String() string { return fmt.Sprintf("%s in %s", h.target.title(), h.dir) }

// at reports whether address is on this machine.
func (h *home) at(address string) bool { return onThisMachine(address) }

func (h *home) work() string { return filepath.Join(h.dir, file.WorkDir) }

func (h *home) read(ctx context.Context) (f Files, err error) {
	toml, err := file.Read(filepath.Join(h.dir, settingsPath), storeLimit)
	if errors.Is(err, fs.ErrNotExist) {
		return f, fmt.Errorf("%w: %w", ErrPermanent, remedy.Add(fmt.Errorf("it is no home of a server: %w", err), "correct --%s-home", h.target.Product))
	}
	if err != nil {
		return f, err
	}
	if err := h.ofProduct(); err != nil {
		return f, err
	}
	if f.setting, err = settings(h.cfg, toml); err != nil {
		return f, err
	}
	if f.Start, err = h.start(); err != nil {
		return f, err
	}
	if f.Record, _, err = file.LoadJSON[Record](filepath.Join(h.dir, recordPath), recordLimit); err != nil {
		return f, remedy.Add(fmt.Errorf("read the record of an earlier run: %w", err), "remove it")
	}
	keys, stores := h.path(f.setting.Keystore.File), h.path(f.setting.Truststore.File)
	own, err := file.Read(keys, storeLimit)
	if err != nil {
		return f, err
	}
	data, err := file.ReadStable(ctx, stores, storeLimit, func(data []byte) error {
		_, err := keystore.Open(data, f.setting.Truststore.Pass)
		return err
	})
	if err != nil && data == nil {
		return f, opened(err, stores, "TRUSTSTORE_PASS")
	}
	f.root, f.path = h.dir, stores
	return f, f.open(own, data, keys, stores)
}

// path returns where a store is. The settings of a server may name an absolute path.
func (h *home) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(h.dir, securityPath, name)
}

// start names the process that runs: the products write its number to a file of the home at every start, and leave it there.
func (h *home) start() (string, error) {
	path := filepath.Join(h.dir, "wso2carbon.pid")
	data, err := file.Read(path, 4096)
	var info fs.FileInfo
	if err == nil {
		info, err = os.Stat(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%w: %w", ErrPermanent, remedy.Add(fmt.Errorf("no server has run from it: %w", err), "start the server, or correct --%s-home", h.target.Product))
	}
	if err != nil {
		return "", err
	}
	number, _, _ := bytes.Cut(data, []byte("\n"))
	return fmt.Sprintf("%s of %s", bytes.Trim(number, "\x00 "), info.ModTime().UTC().Format(time.RFC3339Nano)), nil
}

// write makes the changes as an agent next to the server does. The record comes first, so that a later run completes this one.
func (h *home) write(ctx context.Context, f Files, changes []trust.Change, certificates map[string]keystore.Certificate, unread bool) error {
	if err := file.CheckOwner(f.path); err != nil {
		return fmt.Errorf("%w: %w", ErrPermanent, err)
	}
	unlock, err := file.Lock(ctx, file.LockPath(h.work()), func() { h.say("%s: waiting for another agent that is working on its files", h) })
	if err != nil {
		return err
	}
	defer unlock()
	if unread {
		if _, err := file.SaveJSON(filepath.Join(h.dir, recordPath), Record{Unread: f.Start}, 0o600, h.work()); err != nil {
			return err
		}
	}
	return trust.Import(ctx, trust.Store{Path: f.path, Password: f.password, Setting: "TRUSTSTORE_PASS"}, changes, certificates, h.work())
}

// ofProduct returns an error if the home is one of the other product.
func (h *home) ofProduct() error {
	has := func(product string) bool {
		_, err := os.Stat(filepath.Join(h.dir, "bin", startScript(product)))
		return err == nil
	}
	for _, other := range []Target{{Product: config.IS}, {Product: config.AM}} {
		if other.Product != h.target.Product && has(other.Product) && !has(h.target.Product) {
			return fmt.Errorf("%w: %w", ErrPermanent, remedy.Add(fmt.Errorf("it is a home of %s", other.title()), "correct --%s-home", h.target.Product))
		}
	}
	return nil
}

// startScript is the script in bin with which people start and restart a server.
func startScript(product string) string {
	if product == config.IS {
		return "wso2server.sh"
	}
	return "api-manager.sh"
}

// environment is that of the server: this process's, without the agent's secrets. It keeps those that deployment.toml names as $env{NAME}.
func (h *home) environment() ([]string, error) {
	text, err := file.Read(filepath.Join(h.dir, settingsPath), storeLimit)
	if err != nil {
		return nil, err
	}
	doc, err := deployment.Parse(text)
	if err != nil {
		return nil, err
	}
	named := doc.Variables()
	return slices.DeleteFunc(os.Environ(), func(one string) bool {
		name, _, _ := strings.Cut(one, "=")
		return config.IsSecret(name) && !slices.Contains(named, name)
	}), nil
}

func (h *home) restart(ctx context.Context, f Files) error {
	script := filepath.Join(h.dir, "bin", startScript(h.target.Product))
	if h.restarts {
		cmd := exec.CommandContext(ctx, "sh", script, "restart")
		cmd.WaitDelay = time.Second // the server may hold the output
		var err error
		if cmd.Env, err = h.environment(); err != nil {
			return err
		}
		out, err := cmd.CombinedOutput()
		if ctx.Err() != nil {
			return fmt.Errorf("restart it with %s: %w", script, context.Cause(ctx))
		}
		if err != nil {
			return remedy.Add(fmt.Errorf("restart it with %s: %w: %s", script, err, bytes.TrimSpace(out)), "restart it by hand, and run the command again")
		}
	} else {
		h.say("%s: restart it now, for example with: sh %s restart", h, script)
	}
	for {
		if now, err := h.start(); err == nil && now != f.Start {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for a restart: %w", context.Cause(ctx))
		case <-time.After(200 * time.Millisecond):
		}
	}
}
