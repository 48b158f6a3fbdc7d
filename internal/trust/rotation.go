package trust

import (
	"fmt"
	"path/filepath"
	"time"

	"wso2agent/internal/file"
	"wso2agent/internal/remedy"
)

// Rotation is how far a server's change of its own certificate has come:
//
//	announce -> every peer trusts the new one beside the old -> switch -> the old one is retired
//
// It is derived from the files each time: what the running server presents, what its next start would present, and what
// was published before. Only the times are remembered, so an agent that was killed goes on where it was.
type Rotation struct {
	Announced string               `json:"announced,omitempty"` // fingerprint of the certificate that waits for the switch
	Since     time.Time            `json:"since,omitzero"`      // when it was announced
	Retired   map[string]time.Time `json:"retired,omitempty"`   // when the server was switched away from each
	// Hurry says that somebody may have the key of the certificate in use: the switch waits for no maintenance window.
	Hurry bool `json:"hurry,omitempty"`
}

// rotationFile is where the times are kept, in the agent's folder on the config volume.
const rotationFile = "rotation.json"

// LoadRotation reads what was remembered in workDir; nothing where there is no rotation.
func LoadRotation(workDir string) (r Rotation, err error) {
	path := filepath.Join(workDir, rotationFile)
	if r, _, err = file.LoadJSON[Rotation](path, exchangeLimit); err != nil {
		return r, remedy.Add(fmt.Errorf("read how far the rotation has come: %w", err), "remove %s, and its waiting begins anew", path)
	}
	return r, nil
}

// Save remembers the times in workDir. Where nothing has changed nothing is written.
func (r Rotation) Save(workDir string) error {
	if r.Announced == "" && len(r.Retired) == 0 && !r.Hurry {
		if before, err := LoadRotation(workDir); err == nil && before.Announced == "" && len(before.Retired) == 0 && !before.Hurry {
			return nil
		}
	}
	if _, err := file.SaveJSON(filepath.Join(workDir, rotationFile), r, 0o600, workDir); err != nil {
		return fmt.Errorf("remember how far the rotation has come: %w", err)
	}
	return nil
}
