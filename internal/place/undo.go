package place

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"

	"wso2agent/internal/file"
)

// Without returns the text of a file without what an overlay has added to it. path is relative to the home. It returns the text
// itself if there is nothing to remove.
type Without func(path string, text []byte) ([]byte, error)

// Undo removes what an earlier start has copied from an overlay into the home: the products' entrypoints copy files there and
// never remove any. paths are relative to the home. Call it while no server runs. A missing file is no error.
func (h *Home) Undo(paths []string, without Without) error {
	var all []error
	for _, path := range paths {
		if err := h.undo(path, without); err != nil {
			all = append(all, fmt.Errorf("remove the settings for RELOAD=auto from the home of the server: %w", err))
		}
	}
	return errors.Join(all...)
}

func (h *Home) undo(path string, without Without) error {
	text, err := file.Read(h.path(path), fileLimit)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	left, err := without(path, text)
	if err != nil {
		return fmt.Errorf("%s: %w", h.path(path), err)
	}
	if bytes.Equal(left, text) {
		return nil
	}
	if err := write(h.path(path), left, text); err != nil {
		return err
	}
	h.log.Info("RELOAD is off: removed the settings of the reload from a file of the server", "file", h.path(path))
	return nil
}
