package place

import (
	"errors"
	"io/fs"

	"wso2agent/internal/file"
)

// Undo removes from the home what an earlier start has copied there for the reload, if RELOAD is off. The products' entrypoints
// copy files into the home and never remove any. paths are relative to the home. without returns the text of such a file
// without what the overlay adds, and whether it had any. Call Undo while no server runs. It logs what it does and what it
// cannot do. A missing file is no error.
func (h *Home) Undo(paths []string, without func(path string, text []byte) (out []byte, changed bool)) {
	if h.cfg.TLS.Reload != "off" || h.cfg.Server.Home == "" {
		return
	}
	for _, path := range paths {
		changed, err := h.undo(path, without)
		switch {
		case err != nil:
			h.log.Warn("RELOAD is off, and the agent cannot remove the settings of the reload from a file of the server", "file", h.path(path), "error", err)
		case changed:
			h.log.Info("RELOAD is off: removed the settings of the reload from a file of the server", "file", h.path(path))
		}
	}
}

func (h *Home) undo(path string, without func(string, []byte) ([]byte, bool)) (changed bool, err error) {
	text, err := file.Read(h.path(path), fileLimit)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	out, changed := without(path, text)
	if !changed {
		return false, nil
	}
	return true, write(h.path(path), out, text)
}
