package trust

import (
	"fmt"
	"path/filepath"
	"time"

	"wso2agent/internal/file"
)

// History is what is remembered of a peer's certificates.
type History struct {
	Known   []string    `json:"known"`             // fingerprints of those that were imported last
	Changes []time.Time `json:"changes,omitempty"` // when others than the known ones were imported next to a running server, the newest last
}

// Histories are those of all peers, by their names.
type Histories map[string]History

// historiesFile is where they are kept.
const historiesFile = "changes.json"

// LoadHistories reads what is remembered in workDir. What cannot be read counts as nothing: the next changes are then
// imported at once.
func LoadHistories(workDir string) Histories {
	h, _, _ := file.LoadJSON[Histories](filepath.Join(workDir, historiesFile), chainLimit)
	if h == nil {
		return Histories{}
	}
	return h
}

// Save remembers the histories in workDir. If nothing has changed nothing is written.
func (h Histories) Save(workDir string) error {
	if _, err := file.SaveJSON(filepath.Join(workDir, historiesFile), h, 0o600, workDir); err != nil {
		return fmt.Errorf("remember when certificates of peers changed: %w", err)
	}
	return nil
}
