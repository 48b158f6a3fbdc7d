package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"maps"
	"reflect"
	"slices"
	"strings"

	"wso2agent/internal/desired"
	"wso2agent/internal/remedy"
)

// ErrOutdated says that the files and the servers call for another plan than before.
var ErrOutdated = errors.New("the plan is outdated")

// Saved is a plan in a file: what was planned, and for which desired state. It has names of secrets, and no values.
type Saved struct {
	Version int             `json:"version"` // of this form: 1
	Files   []string        `json:"files"`   // as they were named, for a command that names none
	Desired string          `json:"desired"` // a hash of the desired state
	Plan    json.RawMessage `json:"plan"`    // as [JSON] returns it
}

const savedVersion = 1

// Save returns a plan for a file.
func Save(files []string, want Wanted, changes []Change, problems desired.Problems) ([]byte, error) {
	plan, err := JSON("", changes, problems)
	if err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(Saved{savedVersion, files, want.Hash(), plan}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode the plan: %w", err)
	}
	return append(text, '\n'), nil
}

// OpenSaved reads a plan that Save returned.
func OpenSaved(data []byte) (Saved, error) {
	var s Saved
	if err := json.Unmarshal(data, &s); err != nil || s.Version == 0 || s.Plan == nil {
		return s, remedy.Add(errors.New("it is no plan of the agent"), "make one with agent plan --out FILE")
	}
	if s.Version != savedVersion {
		return s, remedy.Add(fmt.Errorf("it has the form %d, and this agent reads %d", s.Version, savedVersion), "plan again with this agent")
	}
	return s, nil
}

// Check returns an error that wraps [ErrOutdated] unless the saved plan is the one that the desired state and the servers call for
// now. Changes on the servers that the plan is not about do not matter.
func (s Saved) Check(want Wanted, changes []Change) error {
	if s.Desired != want.Hash() {
		return remedy.Add(fmt.Errorf("%w: the files or the settings have changed since", ErrOutdated), "plan again")
	}
	now, err := JSON("", changes, nil)
	if err != nil {
		return err
	}
	saved, err := changesIn(s.Plan)
	if err != nil {
		return err
	}
	planned, err := changesIn(now)
	if err != nil {
		return err
	}
	if differ := differing(saved, planned); differ != "" {
		return remedy.Add(fmt.Errorf("%w: the servers or the flags now call for other changes of %s", ErrOutdated, differ), "plan again, with the same flags for removals")
	}
	return nil
}

// SameChanges returns an error that wraps [ErrOutdated] unless two plans have the same changes of the same objects.
func SameChanges(before, now []Change) error {
	first, err := textsOf(forPrograms(before))
	if err != nil {
		return err
	}
	second, err := textsOf(forPrograms(now))
	if err != nil {
		return err
	}
	if differ := differing(first, second); differ != "" {
		return fmt.Errorf("%w: the servers now call for other changes of %s", ErrOutdated, differ)
	}
	return nil
}

// differing names up to three objects whose changes differ, and says how many more there are; "" if there are none.
func differing(before, now map[string]string) string {
	all := maps.Clone(before)
	maps.Copy(all, now)
	var differ []string
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if before[key] != now[key] {
			differ = append(differ, key)
		}
	}
	text := strings.Join(differ[:min(3, len(differ))], ", ")
	if len(differ) > 3 {
		text += fmt.Sprintf(" and %d more", len(differ)-3)
	}
	return text
}

// changesIn returns the changes of a plan in JSON as texts, by their titles.
func changesIn(plan []byte) (map[string]string, error) {
	var p struct{ Changes []jsonChange }
	if err := json.Unmarshal(plan, &p); err != nil {
		return nil, fmt.Errorf("read the plan: %w", err)
	}
	return textsOf(p.Changes)
}

// textsOf returns changes as texts that are equal if the changes are, by their titles.
func textsOf(changes []jsonChange) (map[string]string, error) {
	all := map[string]string{}
	for _, c := range changes {
		// Whether the record has an object depends on where the agent runs, and whether API-M shows a key, on the moment.
		c.Effects = slices.DeleteFunc(c.Effects, func(e string) bool { return e == adopted || e == hidden })
		if c.Action == Unsure {
			c.Action = Create
		}
		text, err := json.Marshal(c)
		if err != nil {
			return nil, fmt.Errorf("compare plans: %w", err)
		}
		all[title(c.Kind, c.Name, c.Of)] = string(text)
	}
	return all, nil
}

// Hash returns a hash of the desired state: of every value of the files, of the files that they name, and of the settings that count.
// A secret counts by its name.
func (w Wanted) Hash() string {
	sum := sha256.New()
	hashFields(sum, w.File)
	hashFields(sum, &desired.File{KeyManagers: desired.List[desired.KeyManager]{Set: true, Value: []desired.Field[desired.KeyManager]{given(w.Own)}}})
	fmt.Fprintf(sum, "%q %q\n", w.KeyManager, w.VHost)
	var files []string // their paths differ between machines
	for _, content := range w.Contents {
		digest := sha256.Sum256(content)
		files = append(files, hex.EncodeToString(digest[:]))
	}
	files = slices.AppendSeq(files, maps.Values(w.Fingerprints))
	for _, d := range w.Definitions {
		digest := sha256.Sum256(d.Text)
		files = append(files, hex.EncodeToString(digest[:]))
	}
	slices.Sort(files)
	fmt.Fprint(sum, strings.Join(files, "\n"))
	return hex.EncodeToString(sum.Sum(nil))
}

// hashFields adds every value that a file has to a hash.
func hashFields(sum hash.Hash, f *desired.File) {
	f.Walk(func(path string, _ desired.Place, null bool, value any) bool {
		text := ""
		switch kind := reflect.TypeOf(value).Kind(); {
		case reflect.TypeOf(value) == reflect.TypeFor[desired.Secret]():
			from, _ := value.(desired.Secret).MarshalText() // it never fails
			text = string(from)
		case kind != reflect.Struct && kind != reflect.Slice && kind != reflect.Map: // Walk visits what these hold
			text = fmt.Sprint(value)
		}
		fmt.Fprintf(sum, "%q %t %q\n", path, null, text)
		return true
	})
}
