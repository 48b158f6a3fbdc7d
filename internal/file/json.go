package file

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
)

// LoadJSON reads the JSON document in the file at path, which holds at most limit bytes. found is false if there is no
// file. The error of any other file that LoadJSON cannot read or decode names path; v is then the zero value. The caller
// decides whether such a file counts as a missing one.
func LoadJSON[T any](path string, limit int64) (v T, found bool, err error) {
	var decoded T // json.Unmarshal fills a part of the value before it fails
	if found, err = loadJSON(path, limit, &decoded); found {
		v = decoded
	}
	return v, found, err
}

// loadJSON is the part of LoadJSON that the program has once for all types.
func loadJSON(path string, limit int64, into any) (found bool, err error) {
	data, err := Read(path, limit)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return false, fmt.Errorf("decode %s: %w", path, err)
	}
	return true, nil
}

// SaveJSON replaces the file at path with v as a JSON document. It does so as Write does, with the temporary file in
// tempDir: changed is false if the file has the same bytes already.
func SaveJSON(path string, v any, mode fs.FileMode, tempDir string) (changed bool, err error) {
	data, err := EncodeJSON(v)
	if err != nil {
		return false, fmt.Errorf("write %s: %w", path, err)
	}
	return Write(path, data, mode, tempDir)
}

// EncodeJSON returns v as every JSON file of the agent holds it: indented, because people read these files, and with a
// line break at the end.
func EncodeJSON(v any) ([]byte, error) {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return nil, err
	}
	return append(data, '\n'), nil
}
