package artifact

import (
	"errors"
	"fmt"
	"path/filepath"

	"wso2agent/internal/file"
	"wso2agent/internal/remedy"
)

// record is what the agent remembers about an artifact that it put in place.
type record struct {
	Source string `json:"source"`        // where it came from, without a query
	SHA256 string `json:"sha256"`        // of the file in place; later fetches from the same source must have it
	Was    string `json:"was,omitempty"` // SHA-256 of the file that the agent had put there before
}

// ours reports whether the agent itself put the file with this digest in place. The digest before counts too, because a
// kill between the record and the move leaves the file before in place.
func (r record) ours(digest string) bool {
	return digest == r.SHA256 || digest == r.Was
}

// records are the records by destination, and the file that stores them.
type records struct {
	path string
	by   map[string]record
}

// recordsLimit is the maximum size of the file with the records, in bytes.
const recordsLimit = 1 << 20

func readRecords(path string) (records, error) {
	by, found, err := file.LoadJSON[map[string]record](path, recordsLimit)
	if found && by == nil { // the document "null"
		err = errors.New("it has no records")
	}
	if err != nil {
		return records{}, remedy.Add(fmt.Errorf("read the digests of earlier fetches: %w", err), "restore %s, or remove it: the next fetch then records new digests", path)
	}
	if by == nil {
		by = map[string]record{}
	}
	return records{path, by}, nil
}

// put stores the record of an artifact. The caller then moves the artifact in place: in the other order a kill in between
// would lose the digest.
func (r records) put(destination string, now record) error {
	r.by[destination] = now
	if _, err := file.SaveJSON(r.path, r.by, 0o600, filepath.Dir(r.path)); err != nil {
		return fmt.Errorf("record the digest of %s: %w", destination, err)
	}
	return nil
}
