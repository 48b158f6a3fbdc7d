package agent

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/file"
)

// record is what agents with one KEYS_FILE remember from one bootstrap to the next, next to the keys.
type record struct {
	APIs []bootstrap.APIName `json:"apis"`           // that they have brought to the desired state
	Told []string            `json:"told,omitempty"` // what they have last said to be left over
}

func (a Agent) recordPath() string { return filepath.Join(a.keysWorkDir(), "record.json") }

// readRecord reads the record; one that is not there is empty, and so is one that is not readable, since it only serves for
// advice.
func (a Agent) readRecord() record {
	r, _, err := file.LoadJSON[record](a.recordPath(), configLimit)
	if err != nil {
		a.log.Warn("the record of APIs cannot be read, so APIs that are no longer in the file are not found", "path", a.recordPath(), "error", err)
	}
	return r
}

func (a Agent) writeRecord(r record) error {
	if _, err := file.SaveJSON(a.recordPath(), r, 0o600, a.keysWorkDir()); err != nil {
		return fmt.Errorf("write the record of APIs: %w", err)
	}
	return nil
}

// tellLeftOver says what earlier runs have left on the server, once for each change, and remembers it.
func (a Agent) tellLeftOver(r record, desired *bootstrap.Desired, result bootstrap.Result) error {
	var apis, told []string
	for _, name := range result.LeftOver {
		apis = append(apis, name.String())
	}
	told = append(slices.Clone(apis), result.OtherKeys...)
	if len(apis) > 0 && !slices.Equal(told, r.Told) {
		a.log.Warn("APIs are no longer in the file, and still published; the agent removes none",
			"APIs", strings.Join(apis, ", "), "remedy", "delete them in API-M's Publisher, or put them back into "+a.cfg.APIConfig)
	}
	if len(result.OtherKeys) > 0 && !slices.Equal(told, r.Told) {
		a.log.Warn("the application also has keys of another key manager, which still work", "application", result.Application,
			"key managers", strings.Join(result.OtherKeys, ", "), "remedy", "delete them in API-M's DevPortal once no client uses them")
	}
	return a.writeRecord(record{desired.Names(result.LeftOver), told})
}
