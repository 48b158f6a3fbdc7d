package trust

import (
	"fmt"
	"path/filepath"

	"wso2agent/internal/file"
	"wso2agent/internal/remedy"
)

// Undone are the statements of peers that a person has undone: the sorted fingerprints of all that an agent believed of a peer's
// certificates and successors then, by the peer's name. As long as a peer states exactly that, the agent leaves its entries alone.
type Undone map[string][]string

// UndonePath is the file that a person removes to have imported again what was undone. folder is the agent's on the config volume.
func UndonePath(folder string) string { return filepath.Join(folder, "undone.json") }

// LoadUndone reads what was undone.
func LoadUndone(folder string) (u Undone, err error) {
	path := UndonePath(folder)
	if u, _, err = file.LoadJSON[Undone](path, chainLimit); err != nil {
		return nil, remedy.Add(fmt.Errorf("read which certificates a person has undone: %w", err), "remove %s, and they are imported again", path)
	}
	return u, nil
}

// Save remembers what was undone. Nothing leaves no file.
func (u Undone) Save(folder string) (err error) {
	if len(u) == 0 {
		_, err = file.Remove(UndonePath(folder))
	} else {
		_, err = file.SaveJSON(UndonePath(folder), u, 0o600, folder)
	}
	if err != nil {
		return fmt.Errorf("remember which certificates a person has undone: %w", err)
	}
	return nil
}
