package bootstrap

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"

	"wso2agent/internal/desired"
	"wso2agent/internal/file"
	"wso2agent/internal/sorting"
)

// record is what agents with the same keys file remember from one run to the next.
type record struct {
	APIs []APIName `json:"apis"`           // that they have brought to the desired state
	Told []string  `json:"told,omitempty"` // the left-over things that they have last reported
}

func (f Files) recordPath() string { return filepath.Join(f.workDir(), "record.json") }

// readRecord reads the record. It returns an empty one if there is none, or if it cannot be read: the record serves only for
// advice.
func (f Files) readRecord(log *slog.Logger) (r record) {
	data, err := file.Read(f.recordPath(), filesLimit)
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		log.Warn("the agent cannot read its record of APIs, so it does not find APIs that are no longer in the file", "path", f.recordPath(), "error", err)
		return record{}
	}
	return r
}

func (f Files) writeRecord(r record) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err == nil {
		_, err = file.Write(f.recordPath(), append(data, '\n'), 0o600, f.workDir())
	}
	if err != nil {
		return fmt.Errorf("write the record of APIs: %w", err)
	}
	return nil
}

// APIName identifies an API on a server.
type APIName struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// String returns the quoted name and the version, for messages.
func (a APIName) String() string { return fmt.Sprintf("%q %s", a.Name, a.Version) }

// namesIn returns the APIs of the file and more, each once and in order.
func namesIn(file *desired.File, more []APIName) []APIName {
	names := slices.Clone(more)
	for _, api := range file.APIs.Value {
		names = append(names, APIName{api.Value.Name.Value, api.Value.Version.Value})
	}
	sorting.By(names, func(a, b APIName) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version))
	})
	return slices.Compact(names)
}

// reportLeftOver logs what earlier runs have left on the server, once for each change, and records it.
func (f Files) reportLeftOver(log *slog.Logger, before record, file *desired.File, result Result) error {
	var apis []string
	for _, name := range result.LeftOver {
		apis = append(apis, name.String())
	}
	now := record{namesIn(file, result.LeftOver), append(slices.Clone(apis), result.OtherKeys...)}
	changed := !slices.Equal(now.Told, before.Told)
	if changed && len(apis) > 0 {
		log.Warn("APIs are no longer in the file, and still published; a bootstrap removes none",
			"APIs", strings.Join(apis, ", "), "remedy", "run agent apply --prune, delete them in API-M's Publisher, or put them back into "+f.Config)
	}
	if changed && len(result.OtherKeys) > 0 {
		log.Warn("the application also has keys of another key manager, which still work", "application", result.Application,
			"key managers", strings.Join(result.OtherKeys, ", "), "remedy", "delete them in API-M's DevPortal once no client uses them")
	}
	return f.writeRecord(now)
}
