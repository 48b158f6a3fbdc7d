package place

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"

	"wso2agent/internal/config"
	"wso2agent/internal/deployment"
	"wso2agent/internal/file"
	"wso2agent/internal/seed"
)

// longestInterval is the most milliseconds between two looks of the gateway with which it counts as one that loads a certificate. The
// sidecar waits 90 s for all ports.
const longestInterval = 60000

// Reloads reports whether the running server loads a new TLS certificate from its home within about a minute. If the server does
// not, Reloads logs the reason, unless the settings forbid it.
func (h *Home) Reloads(ctx context.Context) bool {
	if !h.wanted() {
		return false
	}
	if err := h.reloads(ctx); err != nil {
		h.log.Info("the server does not load a new TLS certificate while it runs: a new one needs a restart", "reason", err)
		return false
	}
	return true
}

func (h *Home) reloads(ctx context.Context) error {
	_, text, err := h.running(ctx)
	if err != nil {
		return err
	}
	template, err := file.Read(h.path(seed.TomcatTemplate), fileLimit)
	if err != nil {
		return err
	}
	if !seed.HasReload(template) {
		return fmt.Errorf("%s does not have a listener TLSCertificateReloadListener with a checkPeriod of at most 60 and a daysBefore of at least 3650", h.path(seed.TomcatTemplate))
	}
	if _, err := os.Stat(h.path(listenersFile)); h.cfg.Server.Product != config.AM || errors.Is(err, fs.ErrNotExist) {
		return nil // it has no gateway
	}
	doc, err := deployment.Parse(text)
	if err != nil {
		return err
	}
	v, ok := doc.Get("transport", "passthru_https", "listener", "ssl_profile_interval")
	if !ok {
		return errors.New("[transport.passthru_https.listener] in " + h.path(settingsFile) + " does not set ssl_profile_interval")
	}
	if ms, err := strconv.Atoi(fmt.Sprint(v.Data)); err != nil || ms > longestInterval {
		return fmt.Errorf("ssl_profile_interval is %v in line %d of %s, and a reload needs at most %d milliseconds", v.Data, v.Line, h.path(settingsFile), longestInterval)
	}
	return nil
}
