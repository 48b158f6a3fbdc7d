package place

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"wso2agent/internal/config"
	"wso2agent/internal/deployment"
	"wso2agent/internal/file"
)

// reloadListener is the class with which Tomcat loads its certificates again, from version 9.0.82 on.
const reloadListener = "org.apache.catalina.security.TLSCertificateReloadListener"

// Reloads reports whether the running server loads a new TLS certificate from its home. If the
// server does not, Reloads logs the reason, unless the settings forbid it.
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
	template, err := file.Read(h.path(serverTemplate), fileLimit)
	if err != nil {
		return err
	}
	if !strings.Contains(comments.ReplaceAllString(string(template), ""), reloadListener) {
		return fmt.Errorf("%s does not have the listener %s", h.path(serverTemplate), reloadListener)
	}
	if h.cfg.Server.Product != config.AM {
		return nil
	}
	doc, err := deployment.Parse(text)
	if err != nil {
		return err
	}
	if _, ok := doc.Get("transport", "passthru_https", "listener", "ssl_profile_interval"); !ok {
		return errors.New("[transport.passthru_https.listener] in " + h.path(settingsFile) + " does not set ssl_profile_interval")
	}
	return nil
}

// comments are those of XML and of the template language. A listener in a comment does nothing.
var comments = regexp.MustCompile(`(?s)<!--.*?-->|\{#.*?#\}`)
