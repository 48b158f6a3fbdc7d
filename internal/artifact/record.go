package artifact

import (
	"errors"
	"fmt"
	"path/filepath"

	"wso2agent/internal/file"
)

// record is what the agent remembers of an artifact that it put in place.
type record struct {
	Source string `json:"source"`        // where it came from, without a query
	SHA256 string `json:"sha256"`        // of what was put in place: the pin for as long as the source is the same
	Was    string `json:"was,omitempty"` // SHA-256 of what the agent had put there before
}

// ours tells whether the agent itself put the file with this digest in place. The one before counts too: a kill between
// the record and the move leaves it there.
func (r record) ours(digest string) bool {
	return digest == r.SHA256 || digest == r.Was
}

// records are the records by destination, and the file that they are kept in.
type records struct {
	path string
	by   map[string]record
}

// recordsLimit is the most that the file with the records may hold, in bytes.
const recordsLimit = 1 << 20

func readRecords(path string) (records, error) {
	by, found, err := file.LoadJSON[map[string]record](path, recordsLimit)
	if found && by == nil { // the document "null"
		err = errors.New("it holds no records")
	}
	if err != nil {
		return records{}, fmt.Errorf("read the digests that artifacts had at first: %w; if %s is lost for good, remove it: they are then remembered anew", err, path)
	}
	if by == nil {
		by = map[string]record{}
	}
	return records{path, by}, nil
}

// put remembers an artifact that is about to be moved in place. It comes first: a pin that was lost in a kill could
// later not be told from none.
func (r records) put(destination string, now record) error {
	r.by[destination] = now
	if _, err := file.SaveJSON(r.path, r.by, 0o600, filepath.Dir(r.path)); err != nil {
		return fmt.Errorf("remember the digest of %s: %w", destination, err)
	}
	return nil
}
