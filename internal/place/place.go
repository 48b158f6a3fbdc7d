package place

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/file"
	"wso2agent/internal/remedy"
)

// errReadOnly is the error of a file system that is mounted read-only.
var errReadOnly error = syscall.EROFS

// Place checks the TLS keystore of the config volume and puts it into the home, from which the running server loads it. The
// keystore must have the certificate with the given fingerprint. placed reports whether the server may load it, also with an error.
// In any case the home has a complete keystore: the one from before, or the new one. An API-M without listenersFile has no gateway,
// such as a traffic manager, and needs only the keystore.
func (h *Home) Place(ctx context.Context, certificate string) (placed bool, err error) {
	c, _, err := h.running(ctx)
	if err != nil {
		return false, err
	}
	c.certificate = certificate
	data, err := c.read(ctx, h.cfg.TLSStorePath())
	if errors.Is(err, fs.ErrNotExist) {
		err = remedy.Add(err, "mount the config volume in the container of the server, or set CONFIG_DIR")
	}
	if err != nil {
		return false, err
	}
	if err := h.touchable(); err != nil { // before Tomcat gets what the gateway would not get
		return false, err
	}
	if placed, err = h.put(data, nil); err == nil {
		h.good = data
	}
	return placed, err
}

// touchable returns an error if touch would fail for listenersFile. A missing file is none: the server has no gateway then.
func (h *Home) touchable() error {
	if h.cfg.Server.Product != config.AM {
		return nil
	}
	path := h.path(listenersFile)
	info, err := os.Stat(path)
	if err == nil {
		err = os.Chtimes(path, time.Time{}, info.ModTime()) // the same time
	}
	return inGateway(err)
}

// inGateway says what err prevents. It is nil if err is nil, or if there is no gateway.
func inGateway(err error) error {
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return remedy.Add(fmt.Errorf("have the gateway load the TLS keystore: %w", err), "run agent exec as the owner of SERVER_HOME; until then restart the server for a new certificate")
}

// put writes the keystore into the home, and makes the server notice it. before are the bytes that it may replace; nil for any.
// placed reports whether the home has the keystore now.
func (h *Home) put(data, before []byte) (placed bool, err error) {
	if err := write(h.keystore(), data, before); err != nil {
		now, readErr := file.Read(h.keystore(), fileLimit) // it may be in place and not synced
		return readErr == nil && bytes.Equal(now, data), fmt.Errorf("place the TLS keystore in the home of the server: %w", err)
	}
	if h.cfg.Server.Product == config.AM { // Tomcat reads the keystore periodically. The gateway of API-M reads it only if listenersFile is newer
		err = inGateway(touch(h.path(listenersFile)))
	}
	return true, err
}

// touch gives a file a modification time that is later than before by a second or more: the gateway compares the times, and
// some file systems keep whole seconds only. It creates no file.
func touch(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	now := time.Now()
	if next := info.ModTime().Add(time.Second); now.Before(next) {
		now = next
	}
	return os.Chtimes(path, now, now)
}

// Repair replaces the keystore in the home by the last good one, if somebody has broken it there. A good keystore of a person
// stays. It logs an error once.
func (h *Home) Repair(ctx context.Context) {
	data, err := file.Read(h.keystore(), fileLimit)
	if h.good == nil || err == nil && bytes.Equal(data, h.good) {
		return
	}
	if err := h.repair(ctx); err != nil && err.Error() != h.trouble && ctx.Err() == nil {
		h.trouble = err.Error()
		h.log.Warn("the TLS keystore in the home of the server is broken, and the agent cannot repair it", "keystore", h.keystore(), "error", err)
	}
}

func (h *Home) repair(ctx context.Context) error {
	c, _, err := h.running(ctx)
	if err != nil {
		return err
	}
	data, broken := c.read(ctx, h.keystore())
	if broken == nil { // a person's
		h.good = data
		return nil
	}
	if err := c.check(h.good, time.Now()); err != nil {
		return fmt.Errorf("%w; the last good keystore cannot replace it either: %w", broken, err)
	}
	// put replaces only these broken bytes. So a person who puts a good keystore there at this moment does not lose it.
	before, err := file.Read(h.keystore(), fileLimit)
	if err == nil && c.check(before, time.Now()) == nil {
		return nil
	}
	if _, err := h.put(h.good, before); err != nil {
		return err
	}
	h.trouble = ""
	h.log.Warn("the TLS keystore in the home of the server was broken; the last good one is there again", "keystore", h.keystore(), "error", broken)
	return nil
}
